"""Logs and their lines: which chunks a field needs, marked for `unpack`, as no database decompresses them.

A chunk knows the number of its first line, so that some lines cost the chunks that they stand in, however
long the log is.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Text,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)

from spackmon.errors import Code, Refused
from spackmon.models import Log, LogChunk, Phase
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.json_text import MARK, NULL, Json, JsonWriter, constant, joined
from spackmon.query.sql.log_pieces import BASE64, HEADER_END, LINE_COUNT, PLAIN, TAIL, TEXT
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

_FROM, _TO = "fromLine", "toLine"
_FIRST, _NO_NUMBER = literal_column("1", Integer()), literal_column(str(2**31 - 1), Integer())


def has_log(phase: Scope) -> ColumnElement[bool]:
    """Whether the phase came with output."""
    return phase[Phase.log_id].is_not(None)


def line_limits(arguments: Mapping[str, Given], filtering: Filtering) -> dict[str, ColumnElement[Any]]:
    """The lines that a log is limited to; one that is counted from the end is negative."""
    given = [name for name in (_FROM, _TO) if name in arguments]
    return {name: filtering.bind(arguments[name], BigInteger(), _line_of(name)) for name in given}


def _line_of(name: str) -> Callable[[int], int]:
    def line(number: int) -> int:
        if number == 0:
            sentence = f"`{name}` must be a line from 1 on, or one counted from the end as -1; it is 0"
            raise Refused(Code.ARGUMENT_INVALID, sentence)
        return number

    return line


def log_text(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The log's lines."""
    return _lines(TEXT, phase, json)


def log_plain_text(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The log's lines, without what steers a terminal."""
    return _lines(PLAIN, phase, json)


def log_base64(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The bytes of the log's lines."""
    return _lines(BASE64, phase, json)


def log_tail(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The log's last two chunks: a line that had no room in one began the other, so that together they hold
    more than CHUNK_BYTES, or the whole log.
    """
    chunk = _chunk()
    return _marked(TAIL, "", phase, json, chunk, [chunk.c.number >= _last_number(phase) - _FIRST])


def log_line_count(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The log's last chunk, and the number of its first line."""
    chunk = _chunk()
    header = cast(_first_line_of_last(phase), Text)
    return _marked(LINE_COUNT, header, phase, json, chunk, [chunk.c.number == _last_number(phase)])


def log_size(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """The log's size in bytes."""
    log = Log.__table__.alias()
    size = select(log.c.size_bytes).where(log.c.id == phase[Phase.log_id])
    return cast(size.correlate_except(log).scalar_subquery(), Text)


def log_unlisted(phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    """How many events of the log are in no row; null where no rules have read it."""
    log = Log.__table__.alias()
    count = select(cast(log.c.unlisted_events, Text)).where(
        log.c.id == phase[Phase.log_id], log.c.rules_version.is_not(None)
    )
    return func.coalesce(count.correlate_except(log).scalar_subquery(), constant(NULL))


def log_digest(phase: Scope) -> ColumnElement[Any]:
    """The SHA-256 of the log's bytes."""
    log = Log.__table__.alias()
    digest = select(log.c.digest).where(log.c.id == phase[Phase.log_id])
    return digest.correlate_except(log).scalar_subquery()


def log_removed_at(phase: Scope) -> ColumnElement[Any]:
    """When the log's text was removed; null where it is there."""
    log = Log.__table__.alias()
    removed_at = select(log.c.removed_at).where(log.c.id == phase[Phase.log_id])
    return removed_at.correlate_except(log).scalar_subquery()


def chunks_from(line: ColumnElement[Any], phase: Scope) -> tuple[FromClause, list[ColumnElement[bool]]]:
    """The chunks of a phase's log from that on in which a line begins: the table, and what must hold."""
    chunk = _chunk()
    begins = chunk.c.number >= _number_of(_first_line_of(line, phase), phase)
    return chunk, [_is_of(chunk, phase), begins]


def _lines(kind: str, phase: Scope, json: JsonWriter) -> ColumnElement[Any]:
    chunk = _chunk()
    first_line: ColumnElement[Any] = _FIRST
    start, stop = phase.limits.get(_FROM), phase.limits.get(_TO)
    conditions = []
    if start is not None:
        line = case((start > 0, start), else_=_first_line_of_last(phase) + start + _FIRST)
        first_line = _first_line_of(line, phase)
        conditions.append(chunk.c.number >= _number_of(first_line, phase))
    if stop is not None:
        # How many lines there are is seen at the end alone.
        is_from_end = stop < 0 if start is None else or_(stop < 0, start < 0)
        following = func.coalesce(_number_after(stop, phase), _NO_NUMBER)
        conditions.append(chunk.c.number < case((is_from_end, _NO_NUMBER), else_=following))
    ends = [_FIRST if start is None else start, -_FIRST if stop is None else stop]
    header = joined([cast(first_line, Text), ",", cast(ends[0], Text), ",", cast(ends[1], Text)])
    return _marked(kind, header, phase, json, chunk, conditions)


def _marked(
    kind: str, header: Json | str, phase: Scope, json: JsonWriter, chunk: FromClause, conditions: list[Any]
) -> ColumnElement[Any]:
    content = json.hexadecimal(chunk.c.content).label("content")
    ordered = select(content).where(_is_of(chunk, phase), *conditions).order_by(chunk.c.number)
    rows = ordered.correlate_except(chunk).subquery()
    contents = select(json.aggregated(rows.c.content)).select_from(rows).correlate_except(rows)
    whole = func.coalesce(contents.scalar_subquery(), constant(""))
    return joined([f"{MARK}{kind}", header, HEADER_END, whole, MARK])


def _chunk() -> FromClause:
    return LogChunk.__table__.alias()


def _is_of(chunk: FromClause, phase: Scope) -> ColumnElement[bool]:
    return chunk.c.log_id == phase[Phase.log_id]


def _last_number(phase: Scope) -> ColumnElement[Any]:
    chunk = _chunk()
    last = select(func.max(chunk.c.number)).where(_is_of(chunk, phase))
    return last.correlate_except(chunk).scalar_subquery()


# A chunk after the first one begins with line 1 only within that line; only the others have an index.


def _first_line_of_last(phase: Scope) -> ColumnElement[Any]:
    chunk = _chunk()
    last = select(func.max(chunk.c.first_line)).where(_is_of(chunk, phase), chunk.c.first_line > _FIRST)
    return func.coalesce(last.correlate_except(chunk).scalar_subquery(), _FIRST)


def _first_line_of(line: ColumnElement[Any], phase: Scope) -> ColumnElement[Any]:
    """The first line of the chunk in which a line begins."""
    chunk = _chunk()
    found = select(func.max(chunk.c.first_line)).where(
        _is_of(chunk, phase), chunk.c.first_line > _FIRST, chunk.c.first_line <= line
    )
    return func.coalesce(found.correlate_except(chunk).scalar_subquery(), _FIRST)


def _number_of(first_line: ColumnElement[Any], phase: Scope) -> ColumnElement[Any]:
    """The number of the chunk that begins with a line: of several that a long line is in, the first."""
    chunk = _chunk()
    found = select(func.min(chunk.c.number)).where(
        _is_of(chunk, phase), chunk.c.first_line > _FIRST, chunk.c.first_line == first_line
    )
    return func.coalesce(found.correlate_except(chunk).scalar_subquery(), literal_column("0", Integer()))


def _number_after(line: ColumnElement[Any], phase: Scope) -> ColumnElement[Any]:
    """The number of the chunk that begins after a line has ended."""
    chunk = _chunk()
    after = select(chunk.c.number).where(
        _is_of(chunk, phase), chunk.c.first_line > _FIRST, chunk.c.first_line > line
    )
    first = after.order_by(chunk.c.first_line, chunk.c.number).limit(_FIRST)
    return first.correlate_except(chunk).scalar_subquery()
