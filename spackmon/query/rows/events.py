"""Errors and warnings: which one of a run was first, and when a group of them was seen."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from spackmon.models import (
    Attempt,
    BuildEvent,
    ErrorGroup,
    ErrorGroupBuild,
    ErrorGroupChange,
    LogEvent,
    Phase,
    PhaseKind,
)
from spackmon.models.columns import UtcDateTime
from spackmon.models.places import number_column
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Driver, Filtering
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import ErrorNews, EventKind

DAYS_OF_NEWS = 30
"""An error that no run had for so long has returned when one has it again."""

Value = Callable[[Scope], ColumnElement[Any]]


def root_event(attempt: Scope) -> ColumnElement[Any]:
    """The id of the error to read first, of which a run has one at most."""
    event = BuildEvent.__table__.alias()
    found: Select[Any] = select(event.c.id).where(
        event.c.attempt_id == attempt.row_id, event.c.kind == constant(EventKind.ERROR), event.c.is_first
    )
    return found.correlate_except(event).scalar_subquery()


def phase_of(event: Scope) -> ColumnElement[Any]:
    """The id of the phase whose log an event was read in: of equal logs the first."""
    found, phase, kind = LogEvent.__table__.alias(), Phase.__table__.alias(), PhaseKind.__table__.alias()
    phases: Select[Any] = select(number_column(phase.c.attempt_id, phase.c.place)).where(
        found.c.id == event[BuildEvent.log_event_id],
        phase.c.attempt_id == event[BuildEvent.attempt_id],
        phase.c.log_id == found.c.log_id,
        kind.c.id == phase.c.kind_id,
    )
    first = phases.order_by(kind.c.position, phase.c.place).limit(literal_column("1"))
    return first.correlate_except(found, phase, kind).scalar_subquery()


def message(event: Scope) -> ColumnElement[Any]:
    """What an event says without its place (`ingest.tables.event_messages`)."""
    begins = event[BuildEvent.message_at]
    ending = func.substr(event[BuildEvent.text], begins, type_=Text())
    return case((begins.is_(None), event[BuildEvent.message]), else_=ending)


def normal_form(event: Scope) -> ColumnElement[Any]:
    """What an event's fingerprint is the hash of."""
    group = ErrorGroup.__table__.alias()
    found = select(group.c.normal_form).where(group.c.fingerprint == event[BuildEvent.fingerprint])
    return found.correlate_except(group).scalar_subquery()


class _days_before(FunctionElement[Any]):  # noqa: N801 -- a function of SQL
    """The moment so many days before one; a day has 24 hours."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(_days_before)
def _days_before_anywhere(element: _days_before, compiler: SQLCompiler, **options: Any) -> str:
    moment, days = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({moment} - {days} * INTERVAL '24 hours')"


@compiles(_days_before, "sqlite")
def _days_before_in_sqlite(element: _days_before, compiler: SQLCompiler, **options: Any) -> str:
    moment, days = (compiler.process(clause, **options) for clause in element.clauses)
    # SQLite counts in milliseconds: what is less than a second stays as it is.
    seconds = f"strftime('%Y-%m-%dT%H:%M:%S', substr({moment}, 1, 19), '-' || {days} || ' days')"
    return f"({seconds} || substr({moment}, 20))"


def error_news(attempt: Scope) -> ColumnElement[Any]:
    """Whether the error of a run to read first was there before the run: a word of ErrorNews, or NULL."""
    event, group = BuildEvent.__table__.alias(), attempt.beneath(ErrorGroup.__table__)
    began = attempt[Attempt.started_at]
    found = select(group.row_id.label("id"), first_seen(group).label("first_seen")).where(
        event.c.attempt_id == attempt.row_id,
        event.c.kind == constant(EventKind.ERROR),
        event.c.is_first,
        group.row_id == event.c.error_group_id,
        began.is_not(None),
    )
    known = found.correlate_except(event, group.source).subquery(attempt.new_name())
    since = _days_before(began, literal_column(str(DAYS_OF_NEWS)))
    first = known.c["first_seen"]
    walks = (
        _seen_in_build(known.c["id"], attempt[Attempt.build_id], since, began, is_before=is_before)
        for is_before in (True, False)
    )
    # Most groups' runs are walked for none: the first of them has said it.
    news = case(
        (or_(first.is_(None), first >= began), constant(ErrorNews.NEW)),
        (first >= since, constant(ErrorNews.KNOWN)),
        *((walk.is_not(None), constant(ErrorNews.KNOWN)) for walk in walks),
        else_=constant(ErrorNews.RETURNED),
    )
    return select(news).correlate_except(known).scalar_subquery()


def _seen_in_build(
    group_id: ColumnElement[Any],
    build_id: ColumnElement[Any],
    since: ColumnElement[Any],
    until: ColumnElement[Any],
    *,
    is_before: bool,
) -> ColumnElement[Any]:
    """The id of a build of which a run that began `since` then and before `until` had an error of a group.

    Builds are walked from one of them on to lower ids, or else to higher ones: ids follow time, nearly.
    """
    one, run, event = (model.__table__.alias() for model in (ErrorGroupBuild, Attempt, BuildEvent))

    def is_within(moment: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(moment >= since, moment < until)

    between = select(run.c.id).where(
        run.c.build_id == one.c.build_id,
        is_within(run.c.started_at),
        event.c.attempt_id == run.c.id,
        event.c.error_group_id == group_id,
    )
    found = select(one.c.build_id).where(
        one.c.error_group_id == group_id,
        one.c.build_id <= build_id if is_before else one.c.build_id > build_id,
        one.c.first_seen < until,
        one.c.last_seen >= since,
        or_(
            is_within(one.c.first_seen),
            is_within(one.c.last_seen),
            between.correlate_except(run, event).exists(),
        ),
    )
    order = one.c.build_id.desc() if is_before else one.c.build_id
    return found.order_by(order).limit(literal_column("1")).correlate_except(one).scalar_subquery()


def first_error_group_id(run: Scope) -> ColumnElement[Any]:
    """The id of the group of an attempt's first error, or of that of a build's newest attempt."""
    return run.column("first_error_group_id")


def has_error_group(group: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds of which any run had an error of a group.

    Joined to the build, so that what else is asked of builds can be asked before: of 1,700 groups, those of a
    package with 33,500 builds took PostgreSQL half a minute, each group's builds being looked up for each.
    """
    found = build.attach(ErrorGroupBuild.__table__, lambda one: one.column("build_id") == build.row_id)
    return found.column("error_group_id") == group.row_id


def walk_builds(group: Scope, build: Scope) -> Driver:
    """The same builds, to be walked in the order of their ids."""
    return _walk(group.row_id, build)


def builds_of_group(build: Scope, events: Given, filtering: Filtering) -> Driver | None:
    """A walk of the builds that can have such `events`, where these are of one group of errors."""
    asked: Given | None = events
    for name in ("errorGroup", "fingerprint", "eq"):
        asked = asked.members().get(name) if asked is not None and asked.value is not None else None
    if asked is None or asked.value is None:
        return None
    fingerprint = filtering.bind(asked, Text(), lambda text: without_nul("fingerprint", text))
    group_id = select(ErrorGroup.id).where(ErrorGroup.fingerprint == fingerprint).scalar_subquery()
    return _walk(group_id, build)


def _walk(group_id: ColumnElement[Any], build: Scope) -> Driver:
    walked, counted = (ErrorGroupBuild.__table__.alias(build.new_name()) for _ in range(2))
    ids = select(counted.c.build_id).where(counted.c.error_group_id == group_id).correlate_except(counted)
    # To look each up by itself takes PostgreSQL three times as long as to walk the builds by a list of ids.
    is_one = among(build.row_id, ids, leads=True)
    return Driver(walked, walked.c.build_id, (walked.c.error_group_id == group_id,), holds=is_one)


def counted(name: str) -> Value:
    """A count that groups have, with what reports have changed of it since it was written."""

    def count(group: Scope) -> ColumnElement[Any]:
        change = _changes()
        since = select(sql_cast(func.sum(change.c[name]), BigInteger)).where(_is_of(group, change))
        return group.column(name) + func.coalesce(since.correlate_except(change).scalar_subquery(), 0)

    return count


def first_seen(group: Scope) -> ColumnElement[Any]:
    """When the first run that had an error of a group began."""
    return _seen(group, "first_seen", func.min)


def last_seen(group: Scope) -> ColumnElement[Any]:
    """When the last run that had an error of a group began."""
    return _seen(group, "last_seen", func.max)


def _seen(group: Scope, name: str, of_both: Callable[..., Any]) -> ColumnElement[Any]:
    change, less, build = _changes(), _changes(), ErrorGroupBuild.__table__.alias()
    since = select(change.c[name].label("seen")).where(_is_of(group, change))
    kept = select(group.column(name).label("seen")).correlate(group.source)
    both = kept.union_all(since.correlate_except(change)).subquery()
    looked_up = select(of_both(build.c[name])).where(build.c.error_group_id == group.row_id)
    is_less = select(constant("")).where(_is_of(group, less), less.c.seen_less)
    return case(
        (is_less.correlate_except(less).exists(), looked_up.correlate_except(build).scalar_subquery()),
        else_=select(of_both(both.c.seen)).scalar_subquery(),
    )


def _changes() -> FromClause:
    return ErrorGroupChange.__table__.alias()


def _is_of(group: Scope, change: FromClause) -> ColumnElement[bool]:
    return change.c.error_group_id == group.row_id


def is_first_failed(attempt_id: ColumnElement[Any], phase: Scope) -> ColumnElement[bool]:
    """The phase is the first of an attempt that failed."""
    earlier = Phase.__table__.alias()
    its, own = _position(earlier.c.kind_id), _position(phase[Phase.kind_id])
    before = select(constant("")).where(
        earlier.c.attempt_id == phase[Phase.attempt_id],
        _has_failed(earlier.c.kind_id),
        # Nearly always there is no other, of which places would be looked up.
        earlier.c.place != phase[Phase.place],
        or_(its < own, and_(its == own, earlier.c.place < phase[Phase.place])),
    )
    return and_(
        phase[Phase.attempt_id] == attempt_id,
        _has_failed(phase[Phase.kind_id]),
        ~before.correlate_except(earlier).exists(),
    )


def _has_failed(kind_id: ColumnElement[Any]) -> ColumnElement[bool]:
    kind = PhaseKind.__table__.alias()
    return among(kind_id, select(kind.c.id).where(kind.c.status == constant("ERROR")), leads=True)


def _position(kind_id: ColumnElement[Any]) -> ColumnElement[Any]:
    kind = PhaseKind.__table__.alias()
    found: Select[Any] = select(kind.c.position).where(kind.c.id == kind_id)
    return found.correlate_except(kind).scalar_subquery()


def is_root(attempt_id: ColumnElement[Any], event: Scope) -> ColumnElement[bool]:
    """The event is the error of an attempt to read first."""
    return and_(
        event[BuildEvent.attempt_id] == attempt_id,
        event[BuildEvent.kind] == constant(EventKind.ERROR),
        event[BuildEvent.is_first],
    )
