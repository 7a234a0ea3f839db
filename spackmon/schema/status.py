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


@strawberry.enum(description="How a phase ended.")
class PhaseStatus(Enum):
    """How a phase ended."""

    SUCCESS = strawberry.enum_value("SUCCESS", description="It did what it should.")
    ERROR = strawberry.enum_value("ERROR", description="It failed.")
    OTHER = strawberry.enum_value("OTHER", description="Its client has another word, the `reportedStatus`.")


@strawberry.enum(description="Where what was installed came from.")
class InstalledFrom(Enum):
    """Where what was installed came from: `spackmon.status`, each with what it means."""

    SOURCE = strawberry.enum_value("SOURCE", description="It was built.")
    BUILD_CACHE = strawberry.enum_value(
        "BUILD_CACHE", description="A binary of a cache was unpacked; it was built somewhere else."
    )
    EXTERNAL = strawberry.enum_value("EXTERNAL", description="It was there, outside of Spack.")


@strawberry.enum(description="What a build event is.")
class EventKind(Enum):
    """What a build event is: `spackmon.status`, each with what it means."""

    ERROR = strawberry.enum_value("ERROR", description="Something went wrong.")
    WARNING = strawberry.enum_value("WARNING", description="Something looked wrong.")
