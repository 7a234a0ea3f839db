"""What could not be concretized."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query.fields import column, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, through
from spackmon.schema.filters import DateTimeFilter, Direction, PresenceFilter, StringFilter
from spackmon.schema.inputs import filter_input, order_input
from spackmon.schema.node import Node
from spackmon.schema.package import Package, PackageFilter
from spackmon.schema.person import Person, PersonFilter


@filter_input
class ConcretizationFailureFilter:
    """Which failures to concretize."""

    package: PackageFilter | None = predicate(
        through("PackageFilter", models.ConcretizationFailure.package_id),
        description="The root's package, where one is named.",
    )
    owner: PersonFilter | None = predicate(
        through("PersonFilter", models.ConcretizationFailure.owner_id), description="Who reported it."
    )
    spack_version: StringFilter | None = predicate(
        compares(models.ConcretizationFailure.spack_version), description="The Spack that failed."
    )
    document: PresenceFilter | None = predicate(
        compares(models.ConcretizationFailure.document),
        description="The abstract spec as it came in, where it came as JSON.",
    )
    abstract_spec: StringFilter | None = predicate(
        compares(models.ConcretizationFailure.abstract_spec),
        description="What was asked for, in Spack's spec language, where that was told.",
    )
    message: StringFilter | None = predicate(
        compares(models.ConcretizationFailure.message),
        description="What the solver said, where that was told.",
    )
    reported_at: DateTimeFilter | None = predicate(
        compares(models.ConcretizationFailure.reported_at), description="When it was reported."
    )


@order_input
class ConcretizationFailureOrder:
    """What failures to concretize are sorted by."""

    package: Direction | None = sorted_by(
        models.ConcretizationFailure.package_id,
        models.Package.name,
        description="The root's package, where one is named.",
    )
    reported_at: Direction | None = sorted_by(
        models.ConcretizationFailure.reported_at, description="When it was reported."
    )


@strawberry.type(description="An abstract spec that could not be made concrete.")
class ConcretizationFailure(Node):
    """An abstract spec that could not be made concrete."""

    id: strawberry.ID = identity(models.ConcretizationFailure)
    package: Package | None = relation(
        models.ConcretizationFailure.package_id, description="The root's package, where one is named."
    )
    owner: Person = relation(models.ConcretizationFailure.owner_id, description="Who reported it.")
    spack_version: str = column(
        models.ConcretizationFailure.spack_version, description="The Spack that failed."
    )
    document: JSON | None = column(
        models.ConcretizationFailure.document,
        description="The abstract spec as it came in, where it came as JSON.",
    )
    abstract_spec: str | None = column(
        models.ConcretizationFailure.abstract_spec,
        description="What was asked for, in Spack's spec language, where that was told.",
    )
    message: str | None = column(
        models.ConcretizationFailure.message, description="What the solver said, where that was told."
    )
    reported_at: datetime = column(
        models.ConcretizationFailure.reported_at, description="When it was reported."
    )
