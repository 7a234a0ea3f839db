"""Where builds run: machines, and the variables of processes."""

import strawberry

from spackmon import models
from spackmon.query.fields import column, connection, identity, predicate, sorted_by
from spackmon.query.filters import compares, related
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.filters import Direction, StringFilter
from spackmon.schema.groups import BuildConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_BUILDS = refer_by(models.Build.environment_id)


@filter_input
class BuildEnvironmentFilter:
    """Which machines."""

    hostname: StringFilter | None = predicate(
        compares(models.BuildEnvironment.hostname), description="The machine's name."
    )
    platform: StringFilter | None = predicate(
        compares(models.BuildEnvironment.platform), description="As `linux`."
    )
    operating_system: StringFilter | None = predicate(
        compares(models.BuildEnvironment.operating_system), description="As `debian12`."
    )
    target: StringFilter | None = predicate(
        compares(models.BuildEnvironment.target), description="The machine's own microarchitecture."
    )
    kernel_version: StringFilter | None = predicate(
        compares(models.BuildEnvironment.kernel_version), description="The kernel's version."
    )
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, _BUILDS), description="The builds that ran on it."
    )


@order_input
class BuildEnvironmentOrder:
    """What machines are sorted by."""

    hostname: Direction | None = sorted_by(
        models.BuildEnvironment.hostname, description="The machine's name."
    )
    platform: Direction | None = sorted_by(models.BuildEnvironment.platform, description="As `linux`.")
    operating_system: Direction | None = sorted_by(
        models.BuildEnvironment.operating_system, description="As `debian12`."
    )
    target: Direction | None = sorted_by(
        models.BuildEnvironment.target, description="The machine's own microarchitecture."
    )


@strawberry.type(description="The machine a build ran on.")
class BuildEnvironment(Node):
    """The machine a build ran on."""

    id: strawberry.ID = identity(models.BuildEnvironment)
    hostname: str = column(models.BuildEnvironment.hostname, description="The machine's name.")
    platform: str = column(models.BuildEnvironment.platform, description="As `linux`.")
    operating_system: str = column(models.BuildEnvironment.operating_system, description="As `debian12`.")
    target: str = column(models.BuildEnvironment.target, description="The machine's own microarchitecture.")
    kernel_version: str = column(models.BuildEnvironment.kernel_version, description="The kernel's version.")
    builds: BuildConnection = connection(
        models.Build,
        belongs=_BUILDS,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="The builds that ran on it.",
    )


@filter_input
class EnvironmentVariableFilter:
    """Which variables of builds' environments."""

    name: StringFilter | None = predicate(compares(models.EnvironmentVariable.name), description="Its name.")
    value: StringFilter | None = predicate(
        compares(models.EnvironmentVariable.value), description="Its value."
    )


@strawberry.type(description="A variable of a build's environment.")
class EnvironmentVariable:
    """A variable of a build's environment."""

    name: str = column(models.EnvironmentVariable.name, description="Its name.")
    value: str = column(models.EnvironmentVariable.value, description="Its value.")
