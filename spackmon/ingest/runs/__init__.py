"""Runs and their facts, derived from claims and written."""
