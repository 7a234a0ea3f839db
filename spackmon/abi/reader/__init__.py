"""Reading programs and libraries as the loader does, with the standard library: the extension has it, too."""
