"""`spackmon schema`: the GraphQL schema as a document."""


def schema() -> None:
    """Print the GraphQL schema (SDL)."""
    # Only this command pays for loading it.
    from spackmon.schema import schema as graphql_schema

    print(graphql_schema.as_str())
