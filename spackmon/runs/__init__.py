"""Runs as a pure function of claims: what each source reported of one run, and what ran therefore."""
