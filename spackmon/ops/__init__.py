"""Keeping a running site well: migrations, health."""
