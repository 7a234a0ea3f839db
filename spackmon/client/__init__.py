"""What talks to a spackmon server; docs/client.md shows it at work."""

from spackmon.client.batches import Sent
from spackmon.client.client import Client, Uploaded
from spackmon.client.graphql import QueryError, QueryFailed

__all__ = ["Client", "QueryError", "QueryFailed", "Sent", "Uploaded"]
