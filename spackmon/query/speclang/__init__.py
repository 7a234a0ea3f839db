"""Conditions in the spec language, as SQL."""
