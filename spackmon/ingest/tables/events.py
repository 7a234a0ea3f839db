"""Errors and warnings as claims report them, and groups of errors that differ in paths and numbers alone."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.logs.fingerprint import fingerprint
from spackmon.status import EventKind
from spackmon.submission import MOST_EVENTS, Event

# The anti-join is not for correctness (ON CONFLICT is): a conflict burns a row number.
_GROUPS = over_rows(
    "fingerprint text, text text",
    """
    INSERT INTO error_group (fingerprint, text)
    SELECT i.fingerprint, i.text FROM {input} i
    WHERE NOT EXISTS (SELECT 1 FROM error_group g WHERE g.fingerprint = i.fingerprint AND g.text <= i.text)
    ORDER BY i.fingerprint
    ON CONFLICT (fingerprint) DO UPDATE SET text = excluded.text WHERE excluded.text < error_group.text
    """,
)

_READ = Statement(
    """
    SELECT kind, text, log_line, source_file, source_line, pre_context, post_context
    FROM build_event WHERE claim_id = :claim_id ORDER BY position
    """
)

_DELETE = Statement("DELETE FROM build_event WHERE claim_id = :claim_id")

_INSERT = over_rows(
    "position integer, kind text, text text, log_line integer, source_file text, source_line integer, "
    "pre_context text, post_context text, fingerprint text",
    """
    INSERT INTO build_event (
        claim_id, position, kind, text, log_line, source_file, source_line, pre_context, post_context,
        error_group_id
    )
    SELECT CAST(:claim_id AS bigint), i.position, i.kind, i.text, i.log_line, i.source_file, i.source_line,
        i.pre_context, i.post_context, g.id
    FROM {input} i LEFT JOIN error_group g ON g.fingerprint = i.fingerprint
    WHERE true
    ORDER BY i.position
    """,
)


_COUNT_UNLISTED = Statement(
    """
    UPDATE claim SET unlisted_event_count = :count WHERE id = :claim_id AND unlisted_event_count < :count
    RETURNING id
    """
)


def listed(events: Sequence[Event]) -> Sequence[Event]:
    """The first `MOST_EVENTS` of each kind."""
    if len(events) <= MOST_EVENTS:
        return events
    counts: Counter[EventKind] = Counter()
    first = []
    for event in events:
        counts[event.kind] += 1
        if counts[event.kind] <= MOST_EVENTS:
            first.append(event)
    return first


def count_unlisted(connection: Connection, claim_id: int, count: int) -> bool:
    """Note how many events of a report are not listed, if no report of the claim had as many; whether so."""
    return count > 0 and bool(_COUNT_UNLISTED.run(connection, claim_id=claim_id, count=count))


def create_groups(connection: Connection, events: Sequence[Event]) -> None:
    """Make sure that there are the groups of these errors; of equal ones the least text stands for all."""
    least: dict[str, str] = {}
    for event in events:
        if event.kind is EventKind.ERROR:
            print_ = fingerprint(event.text)
            least[print_] = min(event.text, least.get(print_, event.text))
    _GROUPS.run(connection, sorted(least.items()))


def add_events(connection: Connection, claim_id: int, events: Sequence[Event]) -> int:
    """Add the events of a report, whose groups are there, to a claim; how many of them are new.

    Of one report they stay in its order; those of several stand by the lines of the log that they are
    about, so that the order of the reports does not matter.
    """
    if not events:
        return 0
    known = [Event(EventKind(row.kind), *row[1:]) for row in _READ.run(connection, claim_id=claim_id)]
    is_known = set(known)
    new = [event for event in events if event not in is_known]
    if not new:
        return 0
    both = sorted([*known, *new], key=_place) if known else list(events)
    _DELETE.run(connection, claim_id=claim_id)
    _write(connection, claim_id, both)
    return len(new)


def _place(event: Event) -> tuple[object, ...]:
    line = event.log_line
    return line is None, line or 0, event.kind, event.text, repr(event)


def _write(connection: Connection, claim_id: int, events: Sequence[Event]) -> None:
    prints = [fingerprint(e.text) if e.kind is EventKind.ERROR else None for e in events]
    rows = [
        (
            position, e.kind.value, e.text, e.log_line, e.source_file, e.source_line, e.pre_context,
            e.post_context, print_,
        )
        for position, (e, print_) in enumerate(zip(events, prints, strict=True), 1)
    ]  # fmt: skip
    _INSERT.run(connection, rows, claim_id=claim_id)
