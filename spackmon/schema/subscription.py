"""The root of every subscription: what is told as it changes."""

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import live
from spackmon.schema.attempt import BuildPhase
from spackmon.schema.build import Build
from spackmon.schema.noun import input_of, object_type
from spackmon.status import ChangeKind

_CURSOR = "Where the update stands among all changes, for `after`; good for as long as the server keeps them."


@object_type
class BuildUpdate:
    """A build that changed."""

    cursor: str = strawberry.field(description=_CURSOR)
    build: Build = strawberry.field(description="The build, as it is now.")


@object_type
class PhaseUpdate:
    """A phase of a run that began, ended or changed."""

    cursor: str = strawberry.field(description=_CURSOR)
    phase: BuildPhase = strawberry.field(description="The phase, as it is now.")


@object_type
class LogUpdate:
    """A phase whose log came, or grew."""

    cursor: str = strawberry.field(description=_CURSOR)
    phase: BuildPhase = strawberry.field(description="The phase, with its log as it is now.")


@object_type
class Subscription:
    """The subscriptions, over a WebSocket (graphql-transport-ws) or server-sent events."""

    build_updated: BuildUpdate = live(
        models.Build, ChangeKind.BUILD, input_of("BuildFilter"),
        description="Each build that a report changes; several changes at once are one update.",
    )  # fmt: skip
    phase_updated: PhaseUpdate = live(
        models.Phase, ChangeKind.PHASE, input_of("BuildPhaseFilter"),
        description="Each phase that a report brings or changes.",
    )  # fmt: skip
    log_appended: LogUpdate = live(
        models.Phase, ChangeKind.LOG, input_of("BuildPhaseFilter"),
        description="Each phase whose log a report brings or changes.",
    )  # fmt: skip
