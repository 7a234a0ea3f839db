"""The GraphQL schema: a file per noun; each field's meaning in SQL stands beside it."""

import strawberry

from spackmon.schema.query import Query

schema = strawberry.Schema(query=Query)

__all__ = ["schema"]
