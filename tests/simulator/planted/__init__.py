"""A site whose runs fail for causes that are known, and what is to be said of them."""
