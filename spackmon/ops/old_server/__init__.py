"""The old server's database, read and written as what was reported to it."""
