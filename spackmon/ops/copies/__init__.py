"""Whole databases in one form for both kinds: into a file, out of it, and from one into another."""
