"""Errors and warnings of builds, and errors that are the same in many of them."""

from datetime import datetime
from enum import Enum

import strawberry

from spackmon import models
from spackmon.query import events as of_events
from spackmon.query.fields import column, connection, expression, identity, predicate, relation, sorted_by
from spackmon.query.filters import compares, related, through
from spackmon.query.relations import refer_by
from spackmon.schema import later
from spackmon.schema.connection import Connection
from spackmon.schema.filters import IN, IS_NULL, Direction, IntFilter, StringFilter
from spackmon.schema.groups import BuildConnection
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node

_EVENTS = refer_by(models.BuildEvent.error_group_id)


@strawberry.enum(description="What a build event is.")
class EventKind(Enum):
    """What a build event is: `spackmon.status`, each with what it means."""

    ERROR = strawberry.enum_value("ERROR", description="Something went wrong.")
    WARNING = strawberry.enum_value("WARNING", description="Something looked wrong.")


@strawberry.input(description="Which EventKind it must be; all given must hold.")
class EventKindFilter:
    """Which EventKind it must be; all given must hold."""

    eq: EventKind | None = strawberry.field(default=strawberry.UNSET, description="This.")
    ne: EventKind | None = strawberry.field(default=strawberry.UNSET, description="Not this.")
    in_: list[EventKind] | None = strawberry.field(name="in", default=strawberry.UNSET, description=IN)
    is_null: bool | None = strawberry.field(default=strawberry.UNSET, description=IS_NULL)


@filter_input
class BuildEventFilter:
    """Which errors and warnings."""

    kind: EventKindFilter | None = predicate(
        compares(models.BuildEvent.kind), description="Whether it is an error or a warning."
    )
    text: StringFilter | None = predicate(compares(models.BuildEvent.text), description="What the log says.")
    position: IntFilter | None = predicate(
        compares(models.BuildEvent.position), description="Its place among the run's events, from 1."
    )
    log_line: IntFilter | None = predicate(
        compares(models.BuildEvent.log_line), description="The line of the log, from 1."
    )
    source_file: StringFilter | None = predicate(
        compares(models.BuildEvent.source_file), description="The file of source code that it is about."
    )
    source_line: IntFilter | None = predicate(
        compares(models.BuildEvent.source_line), description="The line of that file, from 1."
    )
    error_group: later.ErrorGroupFilter | None = predicate(
        through("ErrorGroupFilter", models.BuildEvent.error_group_id),
        description="The same error in other builds; null for a warning.",
    )
    attempt: later.AttemptFilter | None = predicate(
        through("AttemptFilter", models.BuildEvent.attempt_id), description="The run it was found in."
    )


@order_input
class BuildEventOrder:
    """What errors and warnings are sorted by."""

    kind: Direction | None = sorted_by(
        models.BuildEvent.kind, description="Whether it is an error or a warning."
    )
    position: Direction | None = sorted_by(
        models.BuildEvent.position, description="Its place among the run's events, from 1."
    )
    log_line: Direction | None = sorted_by(
        models.BuildEvent.log_line, description="The line of the log, from 1."
    )
    source_file: Direction | None = sorted_by(
        models.BuildEvent.source_file, description="The file of source code that it is about."
    )
    source_line: Direction | None = sorted_by(
        models.BuildEvent.source_line, description="The line of that file, from 1."
    )


@strawberry.type(description="An error or a warning of a build, as its source reported it.")
class BuildEvent(Node):
    """An error or a warning of a build, as its source reported it."""

    id: strawberry.ID = identity(models.BuildEvent)
    kind: EventKind = column(models.BuildEvent.kind, description="Whether it is an error or a warning.")
    text: str = column(models.BuildEvent.text, description="What the log says.")
    position: int = column(
        models.BuildEvent.position, description="Its place among the run's events, from 1."
    )
    log_line: int | None = column(models.BuildEvent.log_line, description="The line of the log, from 1.")
    source_file: str | None = column(
        models.BuildEvent.source_file, description="The file of source code that it is about."
    )
    source_line: int | None = column(
        models.BuildEvent.source_line, description="The line of that file, from 1."
    )
    pre_context: str | None = column(
        models.BuildEvent.pre_context, description="The lines of the log before it."
    )
    post_context: str | None = column(
        models.BuildEvent.post_context, description="The lines of the log after it."
    )
    error_group: "ErrorGroup | None" = relation(
        models.BuildEvent.error_group_id,
        description="The same error in other builds; null for a warning.",
    )
    attempt: later.Attempt = relation(models.BuildEvent.attempt_id, description="The run it was found in.")


@filter_input
class ErrorGroupFilter:
    """Which groups of errors."""

    fingerprint: StringFilter | None = predicate(
        compares(models.ErrorGroup.fingerprint), description="What its errors have in common, as a hash."
    )
    text: StringFilter | None = predicate(
        compares(models.ErrorGroup.text), description="The least of its errors' texts, in the order of bytes."
    )
    events: Quantified[BuildEventFilter] | None = predicate(
        related("BuildEventFilter", models.BuildEvent, _EVENTS), description="Its errors."
    )
    builds: Quantified[later.BuildFilter] | None = predicate(
        related("BuildFilter", models.Build, of_events.has_error_group),
        description="The builds of which any run had it.",
    )


@order_input
class ErrorGroupOrder:
    """What groups of errors are sorted by."""

    fingerprint: Direction | None = sorted_by(
        models.ErrorGroup.fingerprint, description="What its errors have in common, as a hash."
    )
    text: Direction | None = sorted_by(
        models.ErrorGroup.text, description="The least of its errors' texts, in the order of bytes."
    )


@strawberry.type(description="Errors that are the same but for paths and numbers.")
class ErrorGroup(Node):
    """Errors that are the same but for paths and numbers."""

    id: strawberry.ID = identity(models.ErrorGroup)
    fingerprint: str = column(
        models.ErrorGroup.fingerprint, description="What its errors have in common, as a hash."
    )
    text: str = column(
        models.ErrorGroup.text, description="The least of its errors' texts, in the order of bytes."
    )
    first_seen: datetime | None = expression(
        of_events.first_seen, cost=10, description="When the first run that had such an error began."
    )
    last_seen: datetime | None = expression(
        of_events.last_seen, cost=10, description="When the last run that had such an error began."
    )
    events: Connection[BuildEvent] = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        where=BuildEventFilter,
        order_by=BuildEventOrder,
        description="Its errors.",
    )
    builds: BuildConnection = connection(
        models.Build,
        belongs=of_events.has_error_group,
        where=later.BuildFilter,
        order_by=later.BuildOrder,
        description="The builds of which any run had it.",
    )
