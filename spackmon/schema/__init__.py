"""The GraphQL schema: a file per noun; each field's meaning in SQL stands beside it."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from spackmon.schema.inputs import Names
from spackmon.schema.query import Query

schema = strawberry.Schema(query=Query, config=StrawberryConfig(name_converter=Names()))

__all__ = ["schema"]
