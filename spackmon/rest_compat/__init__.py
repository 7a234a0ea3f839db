"""The old server's REST protocol (ms1): thin, because formats read and the store writes."""
