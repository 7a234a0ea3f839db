"""Which run broke a build, and which one succeeded before it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from spackmon import models
from tests.reference.rows import Rows


def root_failure(rows: Rows, build: Any) -> Any:
    """Build.rootFailure."""
    own = rows.get(models.Attempt, build.newest_attempt_id)
    if build.status == "CANCELLED":
        return _failed_below(rows, build)
    if build.status != "FAILED":
        return None
    return own if rows.by(models.Phase, "attempt_id", own.id) else _failed_below(rows, build) or own


def root_failure_of_run(rows: Rows, run: Any) -> Any:
    """Attempt.rootFailure."""
    build = rows.get(models.Build, run.build_id)
    if run.id == build.newest_attempt_id:
        return root_failure(rows, build)
    if run.status not in ("CANCELLED", "FAILED"):
        return None
    if run.status == "FAILED" and rows.by(models.Phase, "attempt_id", run.id):
        return run
    later = [one for one in rows.by(models.Attempt, "build_id", run.build_id) if one.number == run.number + 1]
    heard = later[0].reported_at if later else build.updated_at
    below = _last(run for run in _failing_below(rows, build, heard) if run.reported_at <= heard)
    return below or (run if run.status == "FAILED" else None)


def is_no_consequence(rows: Rows, run: Any) -> bool:
    """It succeeded, or failed by itself."""
    return run.status == "SUCCESS" or root_failure_of_run(rows, run) is run


def _last(runs: Iterable[Any]) -> Any:
    return max(runs, key=lambda run: (run.reported_at, run.id), default=None)


def _failed_below(rows: Rows, build: Any) -> Any:
    failed = _failing_below(rows, build, build.updated_at)
    before = [run for run in failed if run.reported_at <= build.updated_at]
    return _last(before) or min(failed, key=lambda run: (run.reported_at, -run.id), default=None)


def _failing_below(rows: Rows, build: Any, heard: datetime) -> list[Any]:
    """The failed runs of what a build depends on that were not run again until it was heard of."""
    hostname = rows.get(models.BuildEnvironment, build.environment_id).hostname
    failed = []
    for one in rows.by(models.Closure, "ancestor_id", build.spec_id):
        for other in rows.by(models.Build, "spec_id", one.descendant_id):
            same = rows.get(models.BuildEnvironment, other.environment_id).hostname == hostname
            runs = (
                rows.by(models.Attempt, "build_id", other.id)
                if same and other.owner_id == build.owner_id
                else []
            )
            known = max((run.number for run in runs if run.reported_at <= heard), default=0)
            failed += [run for run in runs if run.status == "FAILED" and run.number >= known]
    return failed


def last_success(rows: Rows, build: Any) -> Any:
    """Build.lastSuccess."""
    if build.started_at is None or build.package_id is None:
        return None
    hostname = rows.get(models.BuildEnvironment, build.environment_id).hostname
    before = [
        attempt
        for other in rows.by(models.Build, "package_id", build.package_id)
        if other.owner_id == build.owner_id
        and rows.get(models.BuildEnvironment, other.environment_id).hostname == hostname
        for attempt in rows.by(models.Attempt, "build_id", other.id)
        if attempt.status == "SUCCESS" and attempt.started_at and attempt.started_at < build.started_at
    ]
    return max(before, key=lambda run: (run.started_at, run.id), default=None)
