"""Bytes into Submissions, one module per format; pure, knows nothing of databases or HTTP."""
