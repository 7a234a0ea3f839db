"""Where builds run: machines, and the variables of processes."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity
from spackmon.query.rows.relations import refer_by
from spackmon.schema.groups import BuildConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun

_BUILDS = refer_by(models.Build.environment_id)


@noun("machines")
class BuildEnvironment(Node):
    """The machine a build ran on."""

    id: strawberry.ID = identity(models.BuildEnvironment)
    hostname: str = column(
        models.BuildEnvironment.hostname, filters=True, sorts=True, description="The machine's name."
    )
    platform: str = column(
        models.BuildEnvironment.platform, filters=True, sorts=True, description="As `linux`."
    )
    operating_system: str = column(
        models.BuildEnvironment.operating_system, filters=True, sorts=True, description="As `debian12`."
    )
    target: str = column(
        models.BuildEnvironment.target,
        filters=True,
        sorts=True,
        description="The machine's own microarchitecture.",
    )
    kernel_version: str = column(
        models.BuildEnvironment.kernel_version, filters=True, description="The kernel's version."
    )
    builds: BuildConnection = connection(
        models.Build, belongs=_BUILDS, filters=True, description="The builds that ran on it."
    )


@noun("variables of builds' environments")
class EnvironmentVariable:
    """A variable of a build's environment."""

    name: str = column(models.EnvironmentVariable.name, filters=True, description="Its name.")
    value: str = column(
        models.EnvironmentVariable.value,
        filters=True,
        description="Its value, `[masked]` in the place of a secret.",
    )
