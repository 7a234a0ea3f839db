"""Errors and warnings: how many a build has, which one was first, and when a group of them was seen."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, and_, func, or_, select

from spackmon.models import Attempt, BuildEvent, LogEvent, Phase
from spackmon.query.rows.relations import newest_attempt_id
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Scope
from spackmon.status import EventKind

AttemptId = Callable[[Scope], ColumnElement[Any]]
Value = Callable[[Scope], ColumnElement[Any]]


def events_of(attempt_id: AttemptId, kind: EventKind) -> Value:
    """How many events of a kind the attempt has that `attempt_id` finds."""

    def count(row: Scope) -> ColumnElement[Any]:
        event = BuildEvent.__table__.alias()
        of_kind = event.c.attempt_id == attempt_id(row), event.c.kind == constant(kind)
        # Within: what finds the attempt is a subquery of its own, in which the row is the outer one.
        counted = select(func.count(type_=BigInteger())).select_from(event).where(*of_kind)
        return counted.correlate_except(event).scalar_subquery()

    return count


errors_of_build = events_of(newest_attempt_id, EventKind.ERROR)
warnings_of_build = events_of(newest_attempt_id, EventKind.WARNING)
errors_of_attempt = events_of(lambda attempt: attempt.row_id, EventKind.ERROR)
warnings_of_attempt = events_of(lambda attempt: attempt.row_id, EventKind.WARNING)


def root_event(attempt: Scope) -> ColumnElement[Any]:
    """The id of the error to read first: of the first failed phase whose log has one."""
    event, phase = LogEvent.__table__.alias(), Phase.__table__.alias()
    found: Select[Any] = select(event.c.id).where(
        phase.c.attempt_id == attempt.row_id,
        phase.c.status == constant("ERROR"),
        event.c.log_id == phase.c.log_id,
        event.c.is_first,
    )
    first = found.order_by(phase.c.position, phase.c.id, event.c.id).limit(1)
    return first.correlate_except(event, phase).scalar_subquery()


def has_error_group(group: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds of which any run had an error of a group."""
    event, attempt = BuildEvent.__table__.alias(), Attempt.__table__.alias()
    found = select(attempt.c.build_id).where(*_of_group(group, event, attempt))
    return build.row_id.in_(found.correlate_except(event, attempt))


def first_seen(group: Scope) -> ColumnElement[Any]:
    """When the first run that had an error of a group began."""
    return _over_attempts(group, lambda attempt: func.min(attempt.c.started_at))


def last_seen(group: Scope) -> ColumnElement[Any]:
    """When the last run that had an error of a group began."""
    return _over_attempts(group, lambda attempt: func.max(attempt.c.started_at))


def _over_attempts(group: Scope, value: Callable[[FromClause], ColumnElement[Any]]) -> ColumnElement[Any]:
    event, attempt = BuildEvent.__table__.alias(), Attempt.__table__.alias()
    found: Select[Any] = select(value(attempt)).where(*_of_group(group, event, attempt))
    return found.correlate_except(event, attempt).scalar_subquery()


def _of_group(group: Scope, event: FromClause, attempt: FromClause) -> tuple[ColumnElement[bool], ...]:
    return event.c.error_group_id == group.row_id, event.c.attempt_id == attempt.c.id


def is_first_failed(attempt_id: ColumnElement[Any], phase: Scope) -> ColumnElement[bool]:
    """The phase is the first of an attempt that failed."""
    earlier = Phase.__table__.alias()
    before = select(constant("")).where(
        earlier.c.attempt_id == phase[Phase.attempt_id],
        earlier.c.status == constant("ERROR"),
        or_(
            earlier.c.position < phase[Phase.position],
            and_(earlier.c.position == phase[Phase.position], earlier.c.id < phase[Phase.id]),
        ),
    )
    return and_(
        phase[Phase.attempt_id] == attempt_id,
        phase[Phase.status] == constant("ERROR"),
        ~before.correlate_except(earlier).exists(),
    )


def is_first_error(attempt_id: ColumnElement[Any], event: Scope) -> ColumnElement[bool]:
    """The event is the first error of an attempt."""
    earlier = BuildEvent.__table__.alias()
    before = select(constant("")).where(
        earlier.c.attempt_id == event[BuildEvent.attempt_id],
        earlier.c.kind == constant(EventKind.ERROR),
        earlier.c.position < event[BuildEvent.position],
    )
    return and_(
        event[BuildEvent.attempt_id] == attempt_id,
        event[BuildEvent.kind] == constant(EventKind.ERROR),
        ~before.correlate_except(earlier).exists(),
    )
