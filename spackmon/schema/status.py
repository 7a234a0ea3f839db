"""How builds and runs of them stand."""

from enum import Enum

import strawberry

from spackmon.schema.filters import IN, IS_NULL


@strawberry.enum(description="How a build or one run of it stands.")
class BuildStatus(Enum):
    """How a build or one run of it stands: `spackmon.status`, each with what it means."""

    NOTRUN = strawberry.enum_value("NOTRUN", description="Announced, and nothing has run.")
    RUNNING = strawberry.enum_value("RUNNING", description="Begun, and not ended.")
    SUCCESS = strawberry.enum_value("SUCCESS", description="Installed.")
    FAILED = strawberry.enum_value("FAILED", description="Ended by an error.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Given up, as when a dependency failed.")


@strawberry.input(description="Which BuildStatus it must be; all given must hold.")
class BuildStatusFilter:
    """Which BuildStatus it must be; all given must hold."""

    eq: BuildStatus | None = strawberry.field(default=strawberry.UNSET, description="This.")
    ne: BuildStatus | None = strawberry.field(default=strawberry.UNSET, description="Not this.")
    in_: list[BuildStatus] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@strawberry.enum(description="Where what was installed came from.")
class InstalledFrom(Enum):
    """Where what was installed came from: `spackmon.status`, each with what it means."""

    SOURCE = strawberry.enum_value("SOURCE", description="It was built.")
    BUILD_CACHE = strawberry.enum_value(
        "BUILD_CACHE", description="A binary of a cache was unpacked; it was built somewhere else."
    )
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="It was there, outside of Spack.")


@strawberry.input(description="Which InstalledFrom it must be; all given must hold.")
class InstalledFromFilter:
    """Which InstalledFrom it must be; all given must hold."""

    eq: InstalledFrom | None = strawberry.field(default=strawberry.UNSET, description="This.")
    ne: InstalledFrom | None = strawberry.field(default=strawberry.UNSET, description="Not this.")
    in_: list[InstalledFrom] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)
