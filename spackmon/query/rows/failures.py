"""Which run really broke a build that did not succeed, and which one succeeded before it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select

from spackmon.models import Attempt, Build, Closure, Phase
from spackmon.query.rows.neighbours import beside
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Scope
from spackmon.status import BuildStatus


def root_failure(build: Scope) -> ColumnElement[Any]:
    """The id of the run, or NULL.

    A client that gives up what depends on a failed package says that it failed, too, or cancels it, and does
    not say why. So a build without a phase broke by what it depends on, where anything of that had failed.

    What failed below is meant that failed last before the build was heard of, and was not run again by then.
    Reports that come in another order than things happened put it after: then the first is meant.
    """
    heard = build[Build.updated_at]
    below = [_nearest_below(build, heard, is_before=is_before) for is_before in (True, False)]
    return _root(build[Build.status], build[Build.newest_attempt_id], below)


def root_failure_of_run(attempt: Scope) -> ColumnElement[Any]:
    """The same of any run: of a build's newest it is the build's.

    An earlier one was heard of until the next was: what failed below after that broke another run.
    """
    build, later = attempt.follow(Attempt.build_id), Attempt.__table__.alias()
    is_newest = build[Build.newest_attempt_id] == attempt.row_id
    next_run = select(later.c.reported_at).where(
        later.c.build_id == attempt[Attempt.build_id], later.c.number == attempt[Attempt.number] + 1
    )
    until = next_run.correlate_except(later).scalar_subquery()
    heard = case((is_newest, build[Build.updated_at]), else_=func.coalesce(until, build[Build.updated_at]))
    below = [
        _nearest_below(build, heard, is_before=True),
        _nearest_below(build, heard, is_before=False, only_if=is_newest),
    ]
    return _root(attempt[Attempt.status], attempt.row_id, below)


def is_no_consequence(attempt: Scope) -> ColumnElement[bool]:
    """The run succeeded, or failed by itself: it was not given up for what it depends on."""
    succeeded = attempt[Attempt.status] == constant(BuildStatus.SUCCESS)
    return or_(succeeded, func.coalesce(root_failure_of_run(attempt), 0) == attempt.row_id)


def _root(
    status: ColumnElement[Any], own: ColumnElement[Any], below: Sequence[ColumnElement[Any]]
) -> ColumnElement[Any]:
    """As flat as it can be: SQLite's parser has little room within the filters of lists."""
    is_failed, phase = status == constant(BuildStatus.FAILED), Phase.__table__.alias()
    ran = select(phase.c.place).where(phase.c.attempt_id == own).correlate_except(phase).exists()
    return case(
        (and_(is_failed, ran), own),
        (is_failed, func.coalesce(*below, own)),
        (status == constant(BuildStatus.CANCELLED), func.coalesce(*below)),
    )


def _nearest_below(
    build: Scope,
    heard: ColumnElement[Any],
    *,
    is_before: bool,
    only_if: ColumnElement[bool] | None = None,
) -> ColumnElement[Any]:
    attempt, other, below = Attempt.__table__.alias(), Build.__table__.alias(), Closure.__table__.alias()
    again = Attempt.__table__.alias()
    reported = attempt.c.reported_at
    is_repaired = select(again.c.id).where(
        again.c.build_id == attempt.c.build_id,
        again.c.number > attempt.c.number,
        again.c.reported_at <= heard,
    )
    found: Select[Any] = select(attempt.c.id).where(
        below.c.ancestor_id == build[Build.spec_id],
        other.c.spec_id == below.c.descendant_id,
        *beside(other, build),
        attempt.c.build_id == other.c.id,
        attempt.c.status == constant(BuildStatus.FAILED),
        reported <= heard if is_before else reported > heard,
        ~is_repaired.correlate_except(again).exists(),
        *([] if only_if is None else [only_if]),
    )
    # SQLite finds no column of an outer row in ORDER BY.
    order = (reported.desc(), attempt.c.id.desc()) if is_before else (reported, attempt.c.id.desc())
    nearest = found.order_by(*order).limit(1)
    return nearest.correlate_except(attempt, other, below).scalar_subquery()


def last_success(build: Scope) -> ColumnElement[Any]:
    """The id of the last run that succeeded before the build's newest began, or NULL.

    It is one of the package, by the same owner on a machine of the same name: perhaps of this build.
    """
    attempt, other = Attempt.__table__.alias(), Build.__table__.alias()
    found: Select[Any] = select(attempt.c.id).where(
        other.c.package_id == build[Build.package_id],
        *beside(other, build),
        attempt.c.build_id == other.c.id,
        attempt.c.status == constant(BuildStatus.SUCCESS),
        attempt.c.started_at < build[Build.started_at],
    )
    last = found.order_by(attempt.c.started_at.desc(), attempt.c.id.desc()).limit(1)
    return last.correlate_except(attempt, other).scalar_subquery()
