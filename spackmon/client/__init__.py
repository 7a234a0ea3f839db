"""What talks to a spackmon server."""
