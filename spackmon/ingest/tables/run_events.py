"""Events of runs that were read in their logs: derived rows, for kinds of which no source reports any.

What a log says is stored with the log, once (log_events.py). A run has the errors and warnings of role
PRIMARY in the logs of its phases, in the order of these, as rows of its own beside those that sources
report: one list, one count, one group whatever brought them.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.event_messages import COLUMNS, stored
from spackmon.ingest.tables.fingerprints import OF_EVENT
from spackmon.runs.facts import Run
from spackmon.status import EventKind

_INPUT = "id bigint, errors integer, warnings integer"
# What the runs of the input have in logs, each with its place and whether it is the one to read first.
_DESIRED = """(
    SELECT o.attempt_id, o.id, o.place, o.can_be_first AND 1 = row_number() OVER (
        PARTITION BY o.attempt_id, o.can_be_first ORDER BY o.place
    ) AS is_root
    FROM (
        SELECT p.attempt_id, e.id, e.is_first AND p.failed = 1 AS can_be_first,
            row_number() OVER (PARTITION BY p.attempt_id ORDER BY p.position, e.log_id, e.position) AS place
        FROM {input} i JOIN (
            SELECT h.attempt_id, h.log_id, min(k.position) AS position,
                max(CASE WHEN k.status = 'ERROR' THEN 1 ELSE 0 END) AS failed
            FROM phase h JOIN phase_kind k ON k.id = h.kind_id
            WHERE h.attempt_id IN (SELECT n.id FROM {input} n) AND h.log_id IS NOT NULL
            GROUP BY h.attempt_id, h.log_id
        ) p ON p.attempt_id = i.id JOIN log_event e ON e.log_id = p.log_id
        WHERE e.role = 'PRIMARY' AND (CASE e.kind WHEN 'ERROR' THEN i.errors ELSE i.warnings END) = 1
    ) o
)"""
_SOME = over_rows(
    _INPUT,
    """
    SELECT i.id FROM {input} i
    WHERE EXISTS (SELECT 1 FROM build_event v WHERE v.attempt_id = i.id AND v.log_event_id IS NOT NULL)
        OR EXISTS (SELECT 1 FROM phase p JOIN log_event e ON e.log_id = p.log_id WHERE p.attempt_id = i.id)
    """,
)
_DELETE = over_rows(
    _INPUT,
    """
    DELETE FROM build_event WHERE id IN (
        SELECT v.id FROM {input} i JOIN build_event v ON v.attempt_id = i.id
        LEFT JOIN log_event e ON e.id = v.log_event_id
        LEFT JOIN phase p ON p.attempt_id = i.id AND p.log_id = e.log_id
        WHERE v.log_event_id IS NOT NULL
            AND (p.attempt_id IS NULL OR (CASE v.kind WHEN 'ERROR' THEN i.errors ELSE i.warnings END) = 0)
    )
    """,
)
_MOVE = over_rows(
    _INPUT,
    f"""
    UPDATE build_event SET position = d.place, is_first = d.is_root
    FROM {_DESIRED} d
    WHERE build_event.attempt_id = d.attempt_id AND build_event.log_event_id = d.id
        AND (build_event.position <> d.place OR build_event.is_first <> d.is_root)
    """,  # noqa: S608 -- of our own constants
)
# Where there are no words, an event is sought in its text, which does not say its tool.
_INSERT = over_rows(
    _INPUT,
    f"""
    INSERT INTO build_event (
        attempt_id, log_event_id, position, kind, role, tool, error_class, blame, fingerprint, rule, blanked,
        is_first, occurrences, text, {COLUMNS}, log_line, first_line, last_line, source_file, source_line,
        source_column, search_words, error_group_id
    )
    SELECT d.attempt_id, e.id, d.place, e.kind, e.role, e.tool, e.error_class, e.blame, e.fingerprint, e.rule,
        e.blanked, d.is_root, e.occurrences, COALESCE(e.text, e.message),
        {stored("COALESCE(e.text, e.message)", "e.message")}, e.line, e.first_line, e.last_line,
        e.source_file, e.source_line, e.source_column, COALESCE(NULLIF(e.search_words, ''), ' '),
        ({OF_EVENT.format(event="e", message="e.message")})
    FROM {_DESIRED} d JOIN log_event e ON e.id = d.id
    WHERE NOT EXISTS (
        SELECT 1 FROM build_event v WHERE v.attempt_id = d.attempt_id AND v.log_event_id = d.id
    )
    ORDER BY d.attempt_id, d.place
    """,  # noqa: S608 -- as above
)
_DELETE_OF = over_rows(
    "id bigint",
    """
    DELETE FROM build_event
    WHERE log_event_id IS NOT NULL AND attempt_id IN (SELECT i.id FROM {input} i)
    """,
)
_OF_LOG = Statement(
    """
    SELECT p.attempt_id AS id, min(CASE WHEN v.kind = 'ERROR' THEN 0 ELSE 1 END) AS errors,
        min(CASE WHEN v.kind = 'WARNING' THEN 0 ELSE 1 END) AS warnings
    FROM (SELECT DISTINCT attempt_id FROM phase WHERE log_id = :log_id) p
    LEFT JOIN build_event v ON v.attempt_id = p.attempt_id AND v.claim_id IS NOT NULL
    GROUP BY p.attempt_id ORDER BY p.attempt_id
    """
)
_BUILDS_OF_LOG = Statement(
    """
    SELECT DISTINCT a.build_id, b.package_id
    FROM phase p JOIN attempt a ON a.id = p.attempt_id JOIN build b ON b.id = a.build_id
    WHERE p.log_id = :log_id
    """
)
_DELETE_OF_LOG = Statement(
    """
    DELETE FROM build_event
    WHERE attempt_id IN (SELECT p.attempt_id FROM phase p WHERE p.log_id = :log_id)
        AND log_event_id IN (SELECT e.id FROM log_event e WHERE e.log_id = :log_id)
    """
)


def write_events_of_logs(connection: Connection, runs: Iterable[tuple[int, Run]]) -> set[int]:
    """Make the events in the logs of runs those of the runs; which runs have any, or had.

    Phases and reported events are written; errors are to be counted afterwards.
    """
    rows = []
    for attempt_id, run in runs:
        unreported = (int(kind not in run.events_of) for kind in (EventKind.ERROR, EventKind.WARNING))
        rows.append((attempt_id, *unreported))
    return _write(connection, rows)


def delete_events_of_logs(connection: Connection, attempt_ids: Collection[int]) -> None:
    """Delete what was derived for runs that end."""
    _DELETE_OF.run(connection, sorted((attempt_id,) for attempt_id in attempt_ids))


def release_log(connection: Connection, log_id: int) -> None:
    """Lock the runs of a log whose events are about to be replaced, and delete what they have of it."""
    lock_packages(connection, [row.package_id for row in _BUILDS_OF_LOG.run(connection, log_id=log_id)])
    _DELETE_OF_LOG.run(connection, log_id=log_id)


def renew_log(connection: Connection, log_id: int) -> None:
    """Give runs the events of a log that was read again, whose groups are there."""
    _write(connection, [tuple(row) for row in _OF_LOG.run(connection, log_id=log_id)])
    count_errors(connection, [row.build_id for row in _BUILDS_OF_LOG.run(connection, log_id=log_id)])


def _write(connection: Connection, rows: Collection[tuple[int, ...]]) -> set[int]:
    some = {row.id for row in _SOME.run(connection, sorted(rows))}
    with_events = [row for row in sorted(rows) if row[0] in some]
    for statement in (_DELETE, _MOVE, _INSERT):
        statement.run(connection, with_events)
    return some
