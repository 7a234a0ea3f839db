"""The GraphQL schema: a file per noun; each field's meaning in SQL stands beside it."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from spackmon.schema.inputs import Names
from spackmon.schema.query import Query
from spackmon.schema.scalars import SCALARS

schema = strawberry.Schema(query=Query, config=StrawberryConfig(name_converter=Names(), scalar_map=SCALARS))

__all__ = ["schema"]
