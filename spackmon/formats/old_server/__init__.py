"""Rows of the old server's database: specs and builds as its tables have them."""
