"""The words that clients give to builds."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, sorted_by
from spackmon.query.filters import compares, related
from spackmon.query.relations import builds_tagged
from spackmon.schema import later
from spackmon.schema.filters import Direction, StringFilter
from spackmon.schema.groups import BuildConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node


@filter_input
class TagFilter:
    """Which tags."""

    name: StringFilter | None = predicate(compares(models.Tag.name), description="The word.")
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, builds_tagged),
        description="The builds whose newest attempt has it.",
    )


@order_input
class TagOrder:
    """What tags are sorted by."""

    name: Direction | None = sorted_by(models.Tag.name, description="The word.")


@strawberry.type(description="A word that a client gave to runs.")
class Tag(Node):
    """A word that a client gave to runs."""

    id: strawberry.ID = identity(models.Tag)
    name: str = column(models.Tag.name, description="The word.")
    builds: BuildConnection = connection(
        models.Build,
        belongs=builds_tagged,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="The builds whose newest attempt has it.",
    )
