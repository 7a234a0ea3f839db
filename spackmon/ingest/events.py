"""Errors and warnings of an attempt, and the groups of errors that are the same but for paths and numbers."""

from collections.abc import Sequence

from sqlalchemy import Connection

from spackmon.formats.submission import Event
from spackmon.ingest.rows import Statement, over_rows
from spackmon.logs.fingerprint import fingerprint
from spackmon.status import EventKind

# The anti-join is not for correctness (ON CONFLICT is): a conflict burns a row number.
_GROUPS = over_rows(
    "fingerprint text, text text",
    """
    INSERT INTO error_group (fingerprint, text)
    SELECT i.fingerprint, i.text FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM error_group g WHERE g.fingerprint = i.fingerprint)
    ORDER BY i.fingerprint
    ON CONFLICT DO NOTHING
    """,
)

_HAS_EVENTS = Statement("SELECT 1 FROM build_event WHERE attempt_id = :attempt_id LIMIT 1")

_INSERT = over_rows(
    "position integer, kind text, text text, log_line integer, source_file text, source_line integer, "
    "pre_context text, post_context text, fingerprint text",
    """
    INSERT INTO build_event (
        attempt_id, position, kind, text, log_line, source_file, source_line, pre_context, post_context,
        error_group_id
    )
    SELECT CAST(:attempt_id AS bigint), i.position, i.kind, i.text, i.log_line, i.source_file, i.source_line,
        i.pre_context, i.post_context, g.id
    FROM {input} i LEFT JOIN error_group g ON g.fingerprint = i.fingerprint
    WHERE true
    ORDER BY i.position
    """,
)

Grouped = list[tuple[Event, str | None]]
"""Events, errors with their fingerprint."""


def group_errors(connection: Connection, events: Sequence[Event]) -> Grouped:
    """Get or create the groups of the errors among `events`."""
    grouped = [(e, fingerprint(e.text) if e.kind is EventKind.ERROR else None) for e in events]
    # Of two errors with one fingerprint the first one speaks for both.
    first_text = {print_: event.text for event, print_ in reversed(grouped) if print_ is not None}
    _GROUPS.run(connection, sorted(first_text.items()))
    return grouped


def add_events(connection: Connection, attempt_id: int, events: Grouped) -> int:
    """Write the events of an attempt that has none; how many were written."""
    if not events or _HAS_EVENTS.run(connection, attempt_id=attempt_id):
        return 0
    rows = [
        (
            position, e.kind.value, e.text, e.log_line, e.source_file, e.source_line, e.pre_context,
            e.post_context, print_,
        )
        for position, (e, print_) in enumerate(events, 1)
    ]  # fmt: skip
    _INSERT.run(connection, rows, attempt_id=attempt_id)
    return len(rows)
