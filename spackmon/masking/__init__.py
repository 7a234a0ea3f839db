"""Secrets in what clients send: by which rules they are recognized, and what stands in their place."""
