"""Whole logs are searched as they are read, the latest first, as far as one answer goes.

No database looks into compressed chunks: the statement gives as many as an answer has room for, and Python
finds the lines. What was looked through is in the answer, and where to go on.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import zstandard
from sqlalchemy import BigInteger, FromClause, Text, and_, func, literal_column, or_, select
from sqlalchemy import cast as sql_cast

from spackmon.errors import Code, Refused
from spackmon.logs.chunks import CHUNK_BYTES
from spackmon.logs.search import FoundLine, LineSearch
from spackmon.logs.words import snippet
from spackmon.models import LogChunk, Phase
from spackmon.query.meanings.computing import objects_by, shape_of
from spackmon.query.meanings.meaning import At, Meaning, scalar
from spackmon.query.rows.logs import chunks_from
from spackmon.query.rows.searches import search_terms
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.json_text import COMPUTED, COMPUTED_END, Json, braced, joined
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement

MOST_CHUNKS, MOST_BYTES = 500, 16_000_000
"""What one answer looks through: more would keep others waiting for the interpreter and the memory."""
_MOST_CHUNKS_OF_ONE = MOST_BYTES // CHUNK_BYTES
# As much as twenty in one operation, each of which may be a tenth of a second.
_COST = 50_000
_ROWS = 50
_BOUNDS = {"first": (1, 100), "lines": (1, 20), "context": (0, 10)}


@dataclass(frozen=True, slots=True)
class SearchedLogs(Meaning):
    """The phases whose logs have lines with what is sought, and those lines."""

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def length(self, selected: Selected, measure: "Measure") -> int:
        """See Meaning."""
        return _ROWS

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        shape = shape_of(at, statement, "BuildPhase")
        number = len(statement.computations)
        statement.computations.append(Computation(_found, arguments, shape, reads_logs=True))
        chunks = _chunks(at, arguments, statement)
        pieces: list[str | Json] = [f'{COMPUTED}{number}:{{"facts":', _contents(chunks, statement)]
        if shape.rows:
            ids = select(chunks.c["id"]).distinct()
            objects = (
                (".".join(path), _phases(ids, At(at.parent, phase, at.row, at.depth), statement))
                for path, phase in shape.rows.items()
            )
            pieces += [',"rows":', braced(objects)]
        return scalar(select(joined([*pieces, "}" + COMPUTED_END])).add_cte(chunks, nest_here=True))


@dataclass(frozen=True, slots=True)
class SearchedLog(Meaning):
    """The lines of one log with what is sought."""

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        number = len(statement.computations)
        shape = shape_of(at, statement)
        statement.computations.append(Computation(_found_lines, arguments, shape, reads_logs=True))
        line = statement.bind(arguments["fromLine"], BigInteger(), _line_number)
        chunk, holds = chunks_from(line, at.row)
        text = joined(['"', statement.json.hexadecimal(chunk.c["content"]), '"'])
        numbers = (("first_line", chunk.c["first_line"]), ("size_bytes", chunk.c["size_bytes"]))
        members = [(name, sql_cast(value, Text)) for name, value in numbers]
        body = braced([*members, ("content", text)]).label("body")
        some = select(body).select_from(chunk).where(*holds).order_by(chunk.c["number"])
        listed = statement.listed(some.limit(literal_column(str(_MOST_CHUNKS_OF_ONE + 1))))
        return joined([f'{COMPUTED}{number}:{{"facts":', listed, "}" + COMPUTED_END])


def _line_number(line: int) -> int:
    if line < 1:
        raise Refused(Code.ARGUMENT_INVALID, f"`fromLine` must be a line from 1 on here, it is {line}")
    return line


def _found_lines(chunks: list[dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The lines of one log with what is sought, how much was looked through, and where to go on."""
    first, context = _bounded("first", arguments["first"]), _bounded("context", arguments["context"])
    terms = search_terms(arguments["text"])
    search = LineSearch(terms, context)
    lines: list[dict[str, Any]] = []
    size_bytes, next_line = 0, None
    for place, chunk in enumerate(chunks):
        if place == _MOST_CHUNKS_OF_ONE:
            next_line = chunk["first_line"]
            break
        size_bytes += chunk["size_bytes"]
        for line in search.found(_unpacked(chunk), chunk["first_line"]):
            if line.number < arguments["fromLine"]:
                continue
            if len(lines) == first:
                next_line = line.number
                break
            lines.append(_line(line, terms))
        if next_line is not None:
            break
    return {"lines": lines, "sizeBytes": size_bytes, "nextLine": next_line}


def _unpacked(chunk: Mapping[str, Any]) -> bytes:
    return zstandard.decompress(chunk["content"])


def _chunks(at: At, arguments: Mapping[str, Given], statement: "Statement") -> Any:
    """The chunks that are looked through; `id` is their phase's, `every` how many might have been."""
    phase, chunk = at.row.beneath(Phase.__table__), LogChunk.__table__.alias(statement.new_name())
    holds = [*phase.is_counted(), *statement.holds_by(at, "where", phase)]
    if "after" in arguments:
        last, number = (statement.bind(arguments["after"], BigInteger(), _part(place)) for place in (0, 1))
        is_same = and_(phase.has_id(last), chunk.c.number > number)
        holds.append(or_(phase.is_below(last), is_same))
    columns = chunk.c.log_id, chunk.c.number, chunk.c.first_line, chunk.c.size_bytes
    source = phase.joined().join(chunk, chunk.c.log_id == phase[Phase.log_id])
    latest = select(phase.row_id.label("id"), *columns).select_from(source).where(*holds)
    order = *(one.desc() for one in phase.identity), chunk.c.number
    rows = statement.rows(latest.order_by(*order).limit(literal_column(str(MOST_CHUNKS))))
    sizes = func.sum(rows.c["size_bytes"]).over(order_by=(rows.c["id"].desc(), rows.c["number"]))
    counted = statement.rows(
        select(*rows.c, (sizes - rows.c["size_bytes"]).label("before"), func.count().over().label("every"))
    )
    few = select(*counted.c).where(counted.c["before"] < literal_column(str(MOST_BYTES)))
    return few.correlate_except(None).cte(statement.new_name(), nesting=True)


def _contents(chunks: FromClause, statement: "Statement") -> Json:
    """The chunks in order, as JSON."""
    content = LogChunk.__table__.alias(statement.new_name())
    is_same = and_(content.c.log_id == chunks.c["log_id"], content.c.number == chunks.c["number"])
    numbers = ("id", "number", "first_line", "size_bytes", "every")
    members = [(name, sql_cast(chunks.c[name], Text)) for name in numbers]
    text = joined(['"', statement.json.hexadecimal(content.c.content), '"'])
    body = braced([*members, ("content", text)]).label("body")
    ordered = select(body).select_from(chunks.join(content, is_same))
    return statement.listed(ordered.order_by(chunks.c["id"].desc(), chunks.c["number"]))


def _phases(ids: Any, at: At, statement: "Statement") -> Json:
    phase = at.row.beneath(Phase.__table__)
    return objects_by(phase, sql_cast(phase.row_id, Text), "BuildPhase", ids, at, statement)


def _part(place: int) -> Callable[[str], int]:
    def read(cursor: str) -> int:
        try:
            values = json.loads(bytes.fromhex(cursor))
            if len(values) == 2 and all(type(one) is int and 0 <= one < 2**63 for one in values):
                return int(values[place])
        except (ValueError, TypeError, RecursionError):
            pass
        raise Refused(Code.CURSOR_INVALID, "`after` takes an `endCursor` that this server handed out")

    return read


def _cursor(chunk: Mapping[str, Any]) -> str:
    return json.dumps([chunk["id"], chunk["number"]], separators=(",", ":")).encode().hex()


def _found(chunks: list[dict[str, Any]], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The phases with lines that are sought, by the chunks' order, and what was looked through."""
    first, lines, context = (_bounded(name, arguments[name]) for name in ("first", "lines", "context"))
    terms = search_terms(arguments["search"])
    search = LineSearch(terms, context)
    found: dict[int, list[dict[str, Any]]] = {}
    size_bytes, last = 0, None
    for chunk in chunks:
        for line in search.found(_unpacked(chunk), chunk["first_line"]):
            of_phase = found.setdefault(chunk["id"], [])
            if len(of_phase) >= lines or len(found) > first:
                break
            of_phase.append(_line(line, terms))
        if len(found) > first:
            del found[chunk["id"]]
            break
        size_bytes, last = size_bytes + chunk["size_bytes"], chunk
    is_end = not chunks or (last is chunks[-1] and len(chunks) == last["every"] < MOST_CHUNKS)
    looked = {chunk["id"] for chunk in chunks[: chunks.index(last) + 1]} if last else set()
    return {
        "found": [{"phase": str(phase), "lines": found_lines} for phase, found_lines in found.items()],
        "logCount": len(looked),
        "sizeBytes": size_bytes,
        "endCursor": None if is_end or last is None else _cursor(last),
    }


def _line(line: FoundLine, terms: Any) -> dict[str, Any]:
    parts = [{"text": text, "isMatch": is_match} for text, is_match in snippet(line.text, terms)]
    return {"line": line.number, "text": line.text, "snippet": parts,
            "before": list(line.before), "after": list(line.after)}  # fmt: skip


def _bounded(name: str, value: int) -> int:
    least, most = _BOUNDS[name]
    if not least <= value <= most:
        raise Refused(Code.ARGUMENT_INVALID, f"`{name}` must be from {least} to {most}, it is {value}")
    return value
