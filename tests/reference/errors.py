"""Which runs and builds have the errors of a group."""

from datetime import timedelta
from typing import Any

from spackmon import models
from tests.reference.rows import Rows


def attempts_of_group(rows: Rows, group: Any) -> list[Any]:
    """The run of each error of a group."""
    events = rows.by(models.BuildEvent, "error_group_id", group.id)
    return [rows.get(models.Attempt, event.attempt_id) for event in events]


def first_error_group(rows: Rows, attempt: Any) -> Any:
    """Attempt.firstErrorGroup."""
    errors = [e for e in rows.by(models.BuildEvent, "attempt_id", attempt.id) if e.kind == "ERROR"]
    first = min(errors, key=lambda event: int(event.position), default=None)
    return None if first is None else rows.get(models.ErrorGroup, first.error_group_id)


def builds_of_group(rows: Rows, group: Any) -> list[Any]:
    """ErrorGroup.builds."""
    ids = {attempt.build_id for attempt in attempts_of_group(rows, group)}
    return [rows.get(models.Build, build_id) for build_id in ids]


def news(rows: Rows, attempt: Any) -> str | None:
    """Attempt.errorNews."""
    events = rows.by(models.BuildEvent, "attempt_id", attempt.id)
    root = next((event for event in events if event.is_first), None)
    if root is None or attempt.started_at is None:
        return None
    group = rows.get(models.ErrorGroup, root.error_group_id)
    began = [run.started_at for run in attempts_of_group(rows, group) if run.started_at is not None]
    before = [moment for moment in began if moment < attempt.started_at]
    if any(moment >= attempt.started_at - timedelta(days=30) for moment in before):
        return "KNOWN"
    return "RETURNED" if before else "NEW"
