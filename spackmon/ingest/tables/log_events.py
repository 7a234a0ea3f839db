"""What a log says went wrong: a pure function of its bytes, written with them and never when it is read.

Equal logs are one row, and so are their events: a phase that is reported again with another log has that
log's. `log.rules_version` says which rules read it; null is a log that nobody read.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.fingerprints import group_of, put_groups, written_out
from spackmon.ingest.tables.run_events import release_log, renew_log
from spackmon.log_bucket import Contents, in_database
from spackmon.logs.chunks import unpacked
from spackmon.logs.event import Event, Report
from spackmon.logs.groups import blanked, normal_form
from spackmon.logs.packed import report_of
from spackmon.logs.scanner import RULES_VERSION
from spackmon.logs.words import searchable

_INSERT = over_rows(
    "log_id bigint, position integer, kind text, role text, tool text, error_class text, blame text, "
    "fingerprint text, is_first integer, occurrences integer, message text, line integer, "
    "first_line integer, last_line integer, source_file text, source_line integer, source_column integer, "
    "rule text, form_class text, normal_form text, blanked text, text text, search_words text",
    """
    INSERT INTO log_event (
        log_id, position, kind, role, tool, error_class, blame, fingerprint, is_first, occurrences, message,
        line, first_line, last_line, source_file, source_line, source_column, rule, form_class, normal_form,
        blanked, text, search_words
    )
    SELECT i.log_id, i.position, i.kind, i.role, i.tool, i.error_class, i.blame, i.fingerprint,
        i.is_first = 1, i.occurrences, i.message, i.line, i.first_line, i.last_line, i.source_file,
        i.source_line, i.source_column, i.rule, i.form_class, i.normal_form, i.blanked,
        i.text, i.search_words
    FROM {input} i
    WHERE true
    ORDER BY i.log_id, i.position
    """,
)
# Whoever replaces the last phase with a log deletes that too.
_LOCK = Statement("SELECT id FROM log WHERE id = :log_id AND removed_at IS NULL {lock}", lock="FOR UPDATE")
_DELETE = Statement("DELETE FROM log_event WHERE log_id = :log_id")
_READ = Statement(
    "UPDATE log SET rules_version = :rules_version, unlisted_events = :unlisted_events WHERE id = :log_id"
)
_UNREAD = Statement(
    """
    SELECT id FROM log
    WHERE id > :after AND removed_at IS NULL AND (rules_version IS NULL OR rules_version <> :rules_version)
    ORDER BY id LIMIT :most
    """
)
_COUNT_UNREAD = Statement(
    "SELECT count(*) AS logs FROM log"
    " WHERE removed_at IS NULL AND (rules_version IS NULL OR rules_version <> :rules_version)"
)
_ALL_CHUNKS = Statement("SELECT content FROM log_chunk WHERE log_id = :log_id")
_CHUNKS = Statement("SELECT content FROM log_chunk WHERE log_id = :log_id AND number = :number")


def stored_chunks(connection: Connection, log_id: int) -> list[bytes]:
    """What is stored of each chunk of a log."""
    return [bytes(row.content) for row in _ALL_CHUNKS.run(connection, log_id=log_id)]


def add_events(connection: Connection, reports: Mapping[int, Report]) -> None:
    """Add what new logs say, by their ids, whose rows say already that these rules read them and list all."""
    rows = [
        (log_id, *_row(*placed))
        for log_id, report in reports.items()
        for placed in enumerate(report.events, 1)
    ]
    _INSERT.run(connection, rows)
    for log_id, report in reports.items():
        if report.unlisted:
            _note(connection, log_id, report)


def count_unread(connection: Connection) -> int:
    """How many logs these rules have not read."""
    return int(_COUNT_UNREAD.run(connection, rules_version=RULES_VERSION)[0].logs)


def unread(connection: Connection, after: int, most: int) -> list[int]:
    """Of these logs the next ones, whose ids are greater than `after`."""
    return [row.id for row in _UNREAD.run(connection, after=after, most=most, rules_version=RULES_VERSION)]


def read_again(connection: Connection, log_id: int, contents: Contents = in_database) -> None:
    """Read a stored log with the rules of today, instead of what it said to older ones.

    `contents` gives a chunk's content, wherever that is. Raises what it raises.
    """
    if not _LOCK.run(connection, log_id=log_id):
        return
    report = report_of(_pieces(connection, log_id, contents))
    put_groups(
        connection,
        (group_of(event, _text(event.text or event.message) or "") for event in report.events if event.group),
    )
    release_log(connection, log_id)
    _DELETE.run(connection, log_id=log_id)
    add_events(connection, {log_id: report})
    _note(connection, log_id, report)
    renew_log(connection, log_id)


def _note(connection: Connection, log_id: int, report: Report) -> None:
    values = {"rules_version": RULES_VERSION, "unlisted_events": report.unlisted}
    _READ.run(connection, log_id=log_id, **values)


def _pieces(connection: Connection, log_id: int, contents: Contents) -> Iterator[bytes]:
    number = 0
    while rows := _CHUNKS.run(connection, log_id=log_id, number=number):
        yield unpacked(contents(rows[0].content))
        number += 1


def _row(position: int, event: Event) -> tuple[object, ...]:
    return (
        position, event.kind.upper(), event.role.upper(), _text(event.tool), event.class_name or None,
        event.blame.upper() or None, event.group or None, int(event.is_first), event.count,
        _text(event.message) or "", event.line, event.first_line, event.last_line, _text(event.source_file),
        event.source_line, event.column, event.rule or None, event.form_class or None,
        _text(normal_form(event)) if event.group else None,
        written_out(blanked(event)) if event.group else None,
        None if event.text == event.message else _text(event.text),
        searchable(event.text or event.message, event.source_file, event.tool),
    )  # fmt: skip


def _text(text: str) -> str | None:
    # PostgreSQL's text holds no NUL, and a log may hold any byte.
    return text.replace("\0", "\ufffd") or None
