"""The canonical graph and its arithmetic; pure, knows nothing of databases or formats."""
