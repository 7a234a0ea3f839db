"""What specs are built for and with: packages' versions aside, the things that many specs share."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, relation


@strawberry.type(
    description="A compiler as spec formats before v5 name it; from v5 on compilers are dependencies."
)
class Compiler:
    """A compiler as spec formats before v5 name it."""

    name: str = column(models.Compiler.name, description="Its name, as `gcc`.")
    version: str = column(models.Compiler.version, description="Its version.")


@strawberry.type(description="A microarchitecture, as the Spack that reported it describes it.")
class Target:
    """A microarchitecture."""

    name: str = column(models.Target.name, description="Its name, as `zen3` or `x86_64_v3`.")
    vendor: str | None = column(models.Target.vendor, description="Its vendor; null for a generic target.")
    generation: int | None = column(models.Target.generation, description="Its generation, for POWER.")
    features: list[str] = column(models.Target.features, description="The instruction sets it offers.")
    parents: list[str] = column(
        models.Target.parents, description="The targets whose code runs on it, nearest."
    )


@strawberry.type(description="Platform, operating system and target together.")
class Architecture:
    """Platform, operating system and target together."""

    platform: str = column(models.Architecture.platform, description="As `linux`.")
    operating_system: str = column(models.Architecture.operating_system, description="As `debian12`.")
    target: Target = relation(models.Architecture.target_id, description="The microarchitecture.")
