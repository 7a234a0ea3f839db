"""What specs are built for: platforms, operating systems and microarchitectures."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, has_element, related, through
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.connection import Connection
from spackmon.schema.filters import Direction, IntFilter, StringFilter, StringListFilter
from spackmon.schema.groups import SpecConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_ARCHITECTURES = refer_by(models.Architecture.target_id)
_SPECS = refer_by(models.Spec.architecture_id)


@filter_input
class TargetFilter:
    """Which microarchitectures."""

    name: StringFilter | None = predicate(
        compares(models.Target.name), description="Its name, as `zen3` or `x86_64_v3`."
    )
    vendor: StringFilter | None = predicate(
        compares(models.Target.vendor), description="Its vendor; null for a generic target."
    )
    generation: IntFilter | None = predicate(
        compares(models.Target.generation), description="Its generation, for POWER."
    )
    features: StringListFilter | None = predicate(
        has_element(models.Target.features), description="The instruction sets it offers."
    )
    parents: StringListFilter | None = predicate(
        has_element(models.Target.parents), description="The nearest targets whose code runs on it."
    )
    architectures: Quantified[later.ArchitectureFilter] | None = predicate(
        related("ArchitectureFilter", models.Architecture, _ARCHITECTURES),
        description="The architectures it is part of.",
    )


@order_input
class TargetOrder:
    """What microarchitectures are sorted by."""

    name: Direction | None = sorted_by(models.Target.name, description="Its name, as `zen3` or `x86_64_v3`.")
    vendor: Direction | None = sorted_by(
        models.Target.vendor, description="Its vendor; null for a generic target."
    )
    generation: Direction | None = sorted_by(
        models.Target.generation, description="Its generation, for POWER."
    )


@strawberry.type(description="A microarchitecture, as the Spack that reported it describes it.")
class Target(Node):
    """A microarchitecture."""

    id: strawberry.ID = identity(models.Target)
    name: str = column(models.Target.name, description="Its name, as `zen3` or `x86_64_v3`.")
    vendor: str | None = column(models.Target.vendor, description="Its vendor; null for a generic target.")
    generation: int | None = column(models.Target.generation, description="Its generation, for POWER.")
    features: list[str] = column(models.Target.features, description="The instruction sets it offers.")
    parents: list[str] = column(
        models.Target.parents, description="The nearest targets whose code runs on it."
    )
    architectures: Connection[later.Architecture] = connection(
        models.Architecture,
        belongs=_ARCHITECTURES,
        where=later.ArchitectureFilter,
        order_by=later.ArchitectureOrder,
        description="The architectures it is part of.",
    )


@filter_input
class ArchitectureFilter:
    """Which architectures."""

    platform: StringFilter | None = predicate(
        compares(models.Architecture.platform), description="As `linux`."
    )
    operating_system: StringFilter | None = predicate(
        compares(models.Architecture.operating_system), description="As `debian12`."
    )
    target: TargetFilter | None = predicate(
        through("TargetFilter", models.Architecture.target_id), description="The microarchitecture."
    )
    specs: Quantified[later.SpecFilter] | None = predicate(
        related("SpecFilter", models.Spec, _SPECS), description="The specs built for it."
    )


@order_input
class ArchitectureOrder:
    """What architectures are sorted by."""

    platform: Direction | None = sorted_by(models.Architecture.platform, description="As `linux`.")
    operating_system: Direction | None = sorted_by(
        models.Architecture.operating_system, description="As `debian12`."
    )
    target: Direction | None = sorted_by(
        models.Architecture.target_id, models.Target.name, description="The microarchitecture."
    )


@strawberry.type(description="Platform, operating system and target together.")
class Architecture(Node):
    """Platform, operating system and target together."""

    id: strawberry.ID = identity(models.Architecture)
    platform: str = column(models.Architecture.platform, description="As `linux`.")
    operating_system: str = column(models.Architecture.operating_system, description="As `debian12`.")
    target: Target = relation(models.Architecture.target_id, description="The microarchitecture.")
    specs: SpecConnection = connection(
        models.Spec,
        belongs=_SPECS,
        where=later.SpecFilter,
        order_by=later.SpecOrder,
        description="The specs built for it.",
    )
