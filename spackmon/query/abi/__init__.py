"""Questions about ELF files and the loader, which Python answers from what is stored of them."""
