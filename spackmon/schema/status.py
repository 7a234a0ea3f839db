"""How builds and runs of them stand."""

from enum import Enum

import strawberry


@strawberry.enum(description="How a build or one run of it stands.")
class BuildStatus(Enum):
    """How a build or one run of it stands: `spackmon.status`, each with what it means."""

    NOTRUN = strawberry.enum_value("NOTRUN", description="Announced, and nothing has run.")
    RUNNING = strawberry.enum_value("RUNNING", description="Begun, and not ended.")
    SUCCESS = strawberry.enum_value("SUCCESS", description="Installed.")
    FAILED = strawberry.enum_value("FAILED", description="Ended by an error.")
    CANCELLED = strawberry.enum_value("CANCELLED", description="Given up, as when a dependency failed.")


@strawberry.input(description="How a build or a run of it must stand; all that is given must hold.")
class BuildStatusFilter:
    """How a build or a run of it must stand; all that is given must hold."""

    eq: BuildStatus | None = strawberry.field(default=strawberry.UNSET, description="So.")
    ne: BuildStatus | None = strawberry.field(default=strawberry.UNSET, description="Not so.")
    in_: list[BuildStatus] | None = strawberry.field(
        name="in",
        default=strawberry.UNSET,
        description="In one of these ways; an empty list matches nothing.",
    )
