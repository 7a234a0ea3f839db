"""What changed between two runs of a package."""

from enum import Enum

import strawberry

from spackmon.schema.graph import SpecDifference

value = strawberry.enum_value


@strawberry.enum(description="What differs between the circumstances of two runs.")
class CircumstanceKind(Enum):
    """What differs between the circumstances of two runs."""

    SPACK_VERSION = value("SPACK_VERSION", description="Spack's version.")
    SPACK_REVISION = value("SPACK_REVISION", description="Spack's commit.")
    CONFIGURE_ARGUMENTS = value("CONFIGURE_ARGUMENTS", description="The arguments of the configure phase.")
    PLATFORM = value("PLATFORM", description="The machine's platform.")
    OPERATING_SYSTEM = value("OPERATING_SYSTEM", description="The machine's operating system.")
    TARGET = value("TARGET", description="The machine's own microarchitecture.")
    KERNEL = value("KERNEL", description="The machine's kernel.")


@strawberry.type(description="A circumstance that differs between two runs.")
class CircumstanceChange:
    """A circumstance that differs between two runs."""

    kind: CircumstanceKind = strawberry.field(description="What differs.")
    before: str = strawberry.field(description="In the run that succeeded.")
    after: str = strawberry.field(description="In the newest run.")


@strawberry.type(description="An environment variable that differs between two runs.")
class VariableChange:
    """An environment variable that differs between two runs."""

    name: str = strawberry.field(description="Its name.")
    before: str | None = strawberry.field(
        description="Its value in the run that succeeded; null if it had none."
    )
    after: str | None = strawberry.field(description="Its value in the newest run; null if it has none.")


@strawberry.type(description="What differs between a build's newest run and the last one that succeeded.")
class BuildChanges:
    """What differs between a build's newest run and the last one that succeeded."""

    specs: list[SpecDifference] = strawberry.field(
        description="The specs of either graph that the other has not, by name; empty if a spec is unknown."
    )
    circumstances: list[CircumstanceChange] = strawberry.field(
        description="What differs in Spack and the machine; what one of the runs does not say is left out."
    )
    variables: list[VariableChange] = strawberry.field(
        description="The environment variables that differ, by name; empty where one of the runs has none."
    )
