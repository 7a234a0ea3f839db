"""What specs are built for: platforms, operating systems and microarchitectures."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity, relation
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.groups import SpecConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun

_ARCHITECTURES = refer_by(models.Architecture.target_id)
_SPECS = refer_by(models.Spec.architecture_id)


@noun("microarchitectures")
class Target(Node):
    """A microarchitecture, as the Spack that reported it describes it."""

    id: strawberry.ID = identity(models.Target)
    name: str = column(
        models.Target.name, filters=True, sorts=True, description="Its name, as `zen3` or `x86_64_v3`."
    )
    vendor: str | None = column(
        models.Target.vendor, filters=True, sorts=True, description="Its vendor; null for a generic target."
    )
    generation: int | None = column(
        models.Target.generation, filters=True, sorts=True, description="Its generation, for POWER."
    )
    features: list[str] = column(
        models.Target.features, filters=True, description="The instruction sets it offers."
    )
    parents: list[str] = column(
        models.Target.parents, filters=True, description="The nearest targets whose code runs on it."
    )
    architectures: Connection["Architecture"] = connection(
        models.Architecture,
        belongs=_ARCHITECTURES,
        filters=True,
        description="The architectures it is part of.",
    )


@noun("architectures")
class Architecture(Node):
    """Platform, operating system and target together."""

    id: strawberry.ID = identity(models.Architecture)
    platform: str = column(models.Architecture.platform, filters=True, sorts=True, description="As `linux`.")
    operating_system: str = column(
        models.Architecture.operating_system, filters=True, sorts=True, description="As `debian12`."
    )
    target: Target = relation(
        models.Architecture.target_id,
        filters=True,
        sorts=models.Target.name,
        description="The microarchitecture.",
    )
    specs: SpecConnection = connection(
        models.Spec, belongs=_SPECS, filters=True, description="The specs built for it."
    )
