"""The GraphQL schema: a file per noun; each field's meaning in SQL stands beside it."""

import strawberry
from strawberry.schema.config import StrawberryConfig

from spackmon.schema.inputs import Names
from spackmon.schema.query import Query
from spackmon.schema.scalars import SCALARS
from spackmon.schema.subscription import Subscription

schema = strawberry.Schema(
    query=Query,
    subscription=Subscription,
    config=StrawberryConfig(name_converter=Names(), scalar_map=SCALARS),
)

__all__ = ["schema"]
