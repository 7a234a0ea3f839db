"""Which run really broke a build that did not succeed, and which one succeeded before it."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from spackmon.models import Attempt, Build, Closure, Phase
from spackmon.query.rows.neighbours import beside
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Scope
from spackmon.status import BuildStatus


def root_failure(build: Scope) -> ColumnElement[Any]:
    """The id of the run, or NULL.

    A client that gives up what depends on a failed package says that it failed, too, or cancels it, and does
    not say why. So a build without a phase broke by what it depends on, where anything of that had failed.
    """
    is_failed = build[Build.status] == constant(BuildStatus.FAILED)
    phase, own, below = Phase.__table__.alias(), build[Build.newest_attempt_id], _failed_below(build)
    ran = select(phase.c.id).where(phase.c.attempt_id == own).correlate_except(phase).exists()
    return case(
        (and_(is_failed, ran), own),
        (is_failed, func.coalesce(below, own)),
        (build[Build.status] == constant(BuildStatus.CANCELLED), below),
    )


def _failed_below(build: Scope) -> ColumnElement[Any]:
    """What failed last among the dependencies before the build was heard of, and was not run again by then.

    Reports that come in another order than things happened put it after: then the first is meant.
    """
    return func.coalesce(_nearest_below(build, is_before=True), _nearest_below(build, is_before=False))


def _nearest_below(build: Scope, *, is_before: bool) -> ColumnElement[Any]:
    attempt, other, below = Attempt.__table__.alias(), Build.__table__.alias(), Closure.__table__.alias()
    again = Attempt.__table__.alias()
    heard, reported = build[Build.updated_at], attempt.c.reported_at
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
