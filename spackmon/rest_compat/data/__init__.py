"""The old server's data API under `/api`: each of its nouns a GraphQL fragment and the shape it had."""
