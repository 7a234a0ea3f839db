"""Those who report."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, sorted_by
from spackmon.query.filters import compares, related
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.filters import DateTimeFilter, Direction, StringFilter
from spackmon.schema.groups import BuildConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_BUILDS = refer_by(models.Build.owner_id)


@filter_input
class PersonFilter:
    """Which people."""

    name: StringFilter | None = predicate(compares(models.Person.name), description="The account's name.")
    created_at: DateTimeFilter | None = predicate(
        compares(models.Person.created_at), description="When the account was made."
    )
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, _BUILDS), description="The builds reported by it."
    )


@order_input
class PersonOrder:
    """What people are sorted by."""

    name: Direction | None = sorted_by(models.Person.name, description="The account's name.")
    created_at: Direction | None = sorted_by(
        models.Person.created_at, description="When the account was made."
    )


@strawberry.type(description="Somebody who reports builds.")
class Person(Node):
    """Somebody who reports builds."""

    id: strawberry.ID = identity(models.Person)
    name: str = column(models.Person.name, description="The account's name.")
    created_at: datetime = column(models.Person.created_at, description="When the account was made.")
    builds: BuildConnection = connection(
        models.Build,
        belongs=_BUILDS,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="The builds reported by it.",
    )
