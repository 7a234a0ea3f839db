"""Errors and warnings of builds, and errors that are the same in many of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.groups.suspects import (
    MAXIMUM_RUNS,
    MAXIMUM_SUSPECTS,
    counts_of_runs,
    suspects_of_runs,
)
from spackmon.query.meanings.fields import (
    argument,
    column,
    connection,
    counted,
    identity,
    relation,
    value,
)
from spackmon.query.rows import events as of_events
from spackmon.query.rows.relations import refer_by
from spackmon.schema.groups import BuildConnection, BuildEventConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.status import EventKind
from spackmon.schema.suspects import Suspects

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]


_EVENTS = refer_by(models.BuildEvent.error_group_id)


@noun("errors and warnings")
class BuildEvent(Node):
    """An error or a warning of a build, as its source reported it."""

    id: strawberry.ID = identity(models.BuildEvent)
    kind: EventKind = column(
        models.BuildEvent.kind, filters=True, sorts=True, description="Whether it is an error or a warning."
    )
    text: str = column(models.BuildEvent.text, filters=True, description="What the log says.")
    position: int = column(
        models.BuildEvent.position,
        filters=True,
        sorts=True,
        description="Its place among the run's events, from 1.",
    )
    log_line: int | None = column(
        models.BuildEvent.log_line, filters=True, sorts=True, description="The line of the log, from 1."
    )
    source_file: str | None = column(
        models.BuildEvent.source_file,
        filters=True,
        sorts=True,
        description="The file of source code that it is about.",
    )
    source_line: int | None = column(
        models.BuildEvent.source_line, filters=True, sorts=True, description="The line of that file, from 1."
    )
    pre_context: str | None = column(
        models.BuildEvent.pre_context, filters=True, description="The lines of the log above it."
    )
    post_context: str | None = column(
        models.BuildEvent.post_context, filters=True, description="The lines of the log below it."
    )
    error_group: "ErrorGroup | None" = relation(
        models.BuildEvent.error_group_id,
        filters=True,
        description="The same error in other builds; null for a warning.",
    )
    attempt: _Attempt = relation(
        models.BuildEvent.attempt_id, filters=True, description="The run that it occurred in."
    )


@noun("groups of errors")
class ErrorGroup(Node):
    """Errors that differ only in paths and numbers."""

    id: strawberry.ID = identity(models.ErrorGroup)
    fingerprint: str = column(
        models.ErrorGroup.fingerprint,
        filters=True,
        sorts=True,
        description="The fingerprint that its errors share, a hash.",
    )
    text: str = column(
        models.ErrorGroup.text,
        filters=True,
        sorts=True,
        description="The text of one of its errors, the first in byte order.",
    )
    first_seen: datetime | None = value(
        of_events.first_seen,
        filters=True,
        sorts=True,
        description="When the first run that had such an error began.",
    )
    last_seen: datetime | None = value(
        of_events.last_seen,
        filters=True,
        sorts=True,
        description="When the last run that had such an error began.",
    )
    event_count: int = value(
        of_events.counted("event_count"), filters=True, sorts=True, description="How many errors it has."
    )
    run_count: int = value(
        of_events.counted("run_count"),
        filters=True,
        sorts=True,
        description="In how many runs such an error occurred.",
    )
    build_count: int = value(
        of_events.counted("build_count"),
        filters=True,
        sorts=True,
        description="How many builds have such a run.",
    )
    events: BuildEventConnection = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        counted=of_events.counted("event_count"),
        filters=True,
        description="Its errors.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=of_events.has_error_group,
        walk=of_events.walk_builds,
        counted=of_events.counted("build_count"),
        filters=True,
        description="The builds with a run that had it.",
    )
    suspects: Suspects = counted(
        counts_of_runs,
        suspects_of_runs,
        arguments=[argument("first", int, f"How many suspects at most, up to {MAXIMUM_SUSPECTS}.", 10)],
        description=f"What its newest {MAXIMUM_RUNS} runs have that passing runs lack: those of the same "
        "packages that were reported next to them, up to 20 before and 20 after each.",
    )
