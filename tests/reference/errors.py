"""Which runs and builds have the errors of a group."""

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
