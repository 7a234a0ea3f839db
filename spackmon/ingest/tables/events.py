"""Errors and warnings as claims report them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.event_contexts import Context, contexts_of
from spackmon.ingest.tables.event_messages import COLUMNS, stored
from spackmon.ingest.tables.fingerprints import OF_EVENT, group_of, put_groups, written_out
from spackmon.logs import event as logs
from spackmon.logs.groups import blanked
from spackmon.logs.reported import event_of
from spackmon.logs.taxonomy import of_site
from spackmon.logs.words import is_plain, searchable
from spackmon.status import EventKind
from spackmon.submission import MOST_EVENTS, Event

Readings = Mapping[Event, logs.Event]
Contexts = Mapping[Context, int | None]

_READ = Statement(
    """
    SELECT e.kind, e.text, e.log_line, e.source_file, e.source_line, c.pre_context, c.post_context,
        e.context_id
    FROM build_event e LEFT JOIN event_context c ON c.id = e.context_id
    WHERE e.claim_id = :claim_id ORDER BY e.position
    """
)

_DELETE = Statement("DELETE FROM build_event WHERE claim_id = :claim_id")

_INSERT = over_rows(
    "position integer, kind text, role text, tool text, error_class text, blame text, fingerprint text, "
    "rule text, blanked text, is_first integer, text text, message text, log_line integer, source_file text, "
    "source_line integer, source_column integer, context_id bigint, search_words text",
    f"""
    INSERT INTO build_event (
        claim_id, position, kind, role, tool, error_class, blame, fingerprint, rule, blanked, is_first,
        occurrences, text, {COLUMNS}, log_line, source_file, source_line, source_column, context_id,
        search_words, error_group_id
    )
    SELECT CAST(:claim_id AS bigint), i.position, i.kind, i.role, i.tool, i.error_class, i.blame,
        i.fingerprint, i.rule, i.blanked, i.is_first = 1, 1, i.text, {stored("i.text", "i.message")},
        i.log_line, i.source_file, i.source_line, i.source_column, i.context_id, i.search_words,
        ({OF_EVENT.format(event="i", message="i.message")})
    FROM {{input}} i
    WHERE true
    ORDER BY i.position
    """,  # noqa: S608 -- of our own constants
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


def readings(events: Iterable[Event]) -> Readings:
    """Events with what the rules of logs read in their texts."""
    return {event: _read(event) for event in events}


def create_contexts(connection: Connection, events: Iterable[Event]) -> Contexts:
    """The rows of the lines around these events, which are written if they are new."""
    return contexts_of(connection, map(_context, events))


def create_groups(connection: Connection, events: Readings) -> None:
    """Make sure that there are the groups of these errors."""
    errors = ((event, read) for event, read in events.items() if event.kind is EventKind.ERROR)
    put_groups(connection, (group_of(read, event.text) for event, read in errors))


def add_events(
    connection: Connection, claim_id: int, events: Sequence[Event], read: Readings, contexts: Contexts
) -> int:
    """Add the events of a report, whose groups and contexts are there, to a claim; how many of them are new.

    Of one report they stay in its order; those of several stand by the lines of the log that they are
    about, so that the order of the reports does not matter.
    """
    if not events:
        return 0
    rows = _READ.run(connection, claim_id=claim_id)
    known = [Event(EventKind(kind), *said) for kind, *said, _ in rows]
    is_known = set(known)
    new = [event for event in events if event not in is_known]
    if not new:
        return 0
    both = sorted([*known, *new], key=_place) if known else list(events)
    _DELETE.run(connection, claim_id=claim_id)
    all_read = {**readings(event for event in known if event not in read), **read}
    stored_contexts = {_context(event): row.context_id for event, row in zip(known, rows, strict=True)}
    _write(connection, claim_id, both, all_read, {**stored_contexts, **contexts})
    return len(new)


def _context(event: Event) -> Context:
    return event.pre_context, event.post_context


def _place(event: Event) -> tuple[object, ...]:
    line = event.log_line
    return line is None, line or 0, event.kind, event.text, repr(event)


def _write(
    connection: Connection, claim_id: int, events: Sequence[Event], readings: Readings, contexts: Contexts
) -> None:
    read = [readings[event] for event in events]
    errors = [place for place, event in enumerate(events) if event.kind is EventKind.ERROR]
    first = next((place for place in errors if read[place].role == logs.PRIMARY), errors[0] if errors else -1)
    rows = [
        (
            place + 1, e.kind.value, r.role.upper(), r.tool or None, r.class_name or None,
            r.blame.upper() or None, r.group or None, r.rule or None,
            written_out(blanked(r)) if r.group else None, int(place == first), e.text, r.message, e.log_line,
            e.source_file, e.source_line, r.column, contexts[_context(e)],
            search_words(connection.dialect.name, e.text, e.source_file),
        )
        for place, (e, r) in enumerate(zip(events, read, strict=True))
    ]  # fmt: skip
    _INSERT.run(connection, rows, claim_id=claim_id)


def search_words(dialect_name: str, text: str, file: str | None) -> str:
    """What is stored of an event's words: nothing where PostgreSQL finds the same in its text."""
    if dialect_name != "sqlite" and is_plain(text, file):
        return ""
    # What has none is no plain text.
    return searchable(text, file) or " "


def _read(event: Event) -> logs.Event:
    return event_of(
        event.kind.lower(),
        event.text,
        event.pre_context or "",
        event.post_context or "",
        event.source_file or "",
        event.source_line,
        of_site(),
    )
