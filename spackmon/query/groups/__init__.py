"""Groups and tables, and what is counted in them."""
