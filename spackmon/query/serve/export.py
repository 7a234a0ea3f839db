"""A whole connection as rows of one statement, in constant memory: one JSON text for each node or edge."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from sqlalchemy import literal_column, select

from spackmon.database import Reader
from spackmon.errors import Code, Refused
from spackmon.query.groups.aggregates import read_first
from spackmon.query.groups.counting import Grouped
from spackmon.query.meanings.connections import Connected, cursor_of, edge, place_of
from spackmon.query.meanings.meaning import At, object_type
from spackmon.query.meanings.statement import Plan, Statement
from spackmon.query.rows.paging import Page
from spackmon.query.serve.log_parts import LogParts
from spackmon.query.sql.computed import ResponsePath
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.unpack import unpacked

# Each holds a connection to the database for as long as its client likes.
MAXIMUM_EXPORTS = 4


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """A compiled export. `size` is its `first`, `page_info` the names of what is asked of it by key.

    `columns` are the response paths to the values of a line; objects are passed through, lists are not.
    """

    name: str
    plan: Plan
    size: int | None
    is_continued: bool
    columns: tuple[ResponsePath, ...]
    page_info_key: str | None
    page_info: Mapping[str, str]


def compile_export(
    statement: Statement, query: GraphQLObjectType, fields: Mapping[str, Selected]
) -> ExportPlan:
    """The plan of all rows. Raises Refused EXPORT_INVALID where the operation is not one connection."""
    if len(fields) != 1:
        raise _invalid(f"it has {len(fields)} fields at its root")
    ((name, selected),) = fields.items()
    meaning = statement.registry.meanings[query.name].get(selected.name)
    if not isinstance(meaning, Connected):
        raise _invalid(f"`{selected.name}` is no connection")
    at = At(query, selected, statement.no_row(), 1)
    parts = statement.fields(at)
    if [part.name for part in parts.values()] == ["groupBy"]:
        (grouped,) = parts.values()
        return _groups_export(name, meaning, at, grouped, statement)
    return _rows_export(name, meaning, at, parts, statement)


def _rows_export(
    name: str, meaning: Connected, at: At, parts: Mapping[str, Selected], statement: Statement
) -> ExportPlan:
    """All rows of a connection, or the first of them if the operation says how many."""
    type_ = object_type(at.type_)
    rows, page_info = _parts(parts)
    arguments = statement.arguments(at)
    if "last" in arguments:
        raise Refused(Code.EXPORT_INVALID, "an export goes forward: give `first`, not `last`")
    size = statement.decided(arguments.get("first"))
    if size is not None and size < 0:
        raise Refused(Code.PAGE_INVALID, f"`first` must not be negative, it is {size}")
    filtered = meaning.filtered(at, statement)
    sort_values = [key.value for key in filtered.keys]
    inside = At(type_, rows, filtered.row, 2)
    if rows.name == "nodes":
        body = statement.object(inside, filtered.row)
    else:
        body = edge(inside, filtered.row, cursor_of(sort_values, statement), statement)
    place = place_of(sort_values, statement) if page_info else constant("")
    page = Page(0, False, arguments.get("after"), arguments.get("before"))
    every = filtered.every([body.label("line"), place.label("place")], page, statement.bind)
    if size is not None:
        every = every.limit(literal_column(str(size + 1)))
    info_fields: dict[str, str] = {}
    if page_info:
        info = At(type_, parts[page_info], filtered.row, 2)
        info_fields = {key: part.name for key, part in statement.fields(info).items()}
    columns = tuple(_columns(inside.type_, rows, (), 3, statement, is_row=True))
    return ExportPlan(
        name, statement.plan(every), size, "after" in arguments, columns, page_info, info_fields
    )


def _groups_export(
    name: str, meaning: Connected, at: At, grouped: Selected, statement: Statement
) -> ExportPlan:
    """All groups of a connection, or the first of them if the operation says how many."""
    type_ = object_type(at.type_)
    filtered = meaning.filtered(at, statement)
    by: Grouped = statement.registry.meanings[type_.name][grouped.name]
    inside = At(type_, grouped, filtered.row, 2)
    given = statement.arguments(inside).get("first") if statement.is_given(inside, "first") else None
    first = None if given is None else read_first(statement.decided(given))
    listed = by.groups(filtered, inside, statement, first).subquery(statement.new_name())
    plan = statement.plan(select(listed.c["body"].label("line"), constant("").label("place")))
    columns = tuple(_columns(inside.type_, grouped, (), 3, statement, is_row=True))
    return ExportPlan(name, plan, None, is_continued=False, columns=columns, page_info_key=None, page_info={})


def _columns(
    type_: GraphQLOutputType,
    selected: Selected,
    path: ResponsePath,
    depth: int,
    statement: Statement,
    *,
    is_row: bool = False,
) -> Iterator[ResponsePath]:
    named = get_named_type(type_)
    is_list = is_list_type(get_nullable_type(type_)) and not is_row
    if is_list or not isinstance(named, GraphQLObjectType):
        yield path
        return
    for key, part in statement.selector.fields(named, selected.selections, depth).items():
        if part.name == "__typename":
            yield (*path, key)
        else:
            yield from _columns(named.fields[part.name].type, part, (*path, key), depth + 1, statement)


def _parts(parts: Mapping[str, Selected]) -> tuple[Selected, str | None]:
    """The one list that is asked of a connection, and the key of its `pageInfo`."""
    lists = [part for part in parts.values() if part.name in ("nodes", "edges")]
    infos = [key for key, part in parts.items() if part.name == "pageInfo"]
    if len(lists) != 1 or len(infos) > 1 or len(lists) + len(infos) != len(parts):
        raise _invalid("the connection selects something else")
    return lists[0], infos[0] if infos else None


def _invalid(reason: str) -> Refused:
    return Refused(
        Code.EXPORT_INVALID,
        "an export is an operation with one connection at its root that selects `nodes` or `edges`, and "
        f"`pageInfo` if need be, or else `groupBy`: {reason}",
    )  # fmt: skip


class Export:
    """One export, run once. `running` are all exports of the service."""

    def __init__(
        self,
        planned: ExportPlan,
        variables: Mapping[str, Any],
        parameters: Mapping[str, Any],
        reader: Reader,
        running: "set[Export]",
        logs: LogParts,
    ) -> None:
        self._planned = planned
        self._variables = variables
        self._parameters = parameters
        self._reader = reader
        self._running = running
        self._logs = logs

    @property
    def name(self) -> str:
        """The connection's response key."""
        return self._planned.name

    @property
    def columns(self) -> tuple[ResponsePath, ...]:
        """The response paths from a line to its values."""
        return self._planned.columns

    @property
    def has_page_info(self) -> bool:
        """Whether a last line says where the export ended."""
        return self._planned.page_info_key is not None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Lines of JSON, some at a time, each with its newline; closing the generator stops the query.

        Raises Refused, also after lines were given.
        """
        if len(self._running) >= MAXIMUM_EXPORTS:
            raise Refused(
                Code.EXPORTS_BUSY, f"{MAXIMUM_EXPORTS} exports are running already: try again later"
            )
        self._running.add(self)
        try:
            async with aclosing(self._lines()) as lines:
                async for chunk in lines:
                    yield chunk
        finally:
            self._running.discard(self)

    async def _lines(self) -> AsyncGenerator[bytes, None]:
        plan, left = self._planned.plan, self._planned.size
        start, end, is_more = b"", b"", False
        stream = self._reader.stream(plan.statement, self._parameters)
        async with aclosing(stream) as batches:
            async for batch in batches:
                # One more than was asked for is selected, to know whether there is one.
                rows = batch[:left]
                is_more = len(rows) < len(batch)
                left = left if left is None else left - len(rows)
                if not rows:
                    continue
                start, end = start or rows[0][1], rows[-1][1]
                lines = b"\n".join(line for line, _ in rows) + b"\n"
                parts = await self._logs.parts(lines, plan.computations)
                yield unpacked(lines, plan.computations, self._variables, parts)
        if self.has_page_info:
            yield self._page_info(start, end, has_next_page=is_more)

    def _page_info(self, start: bytes, end: bytes, *, has_next_page: bool) -> bytes:
        values = {
            "__typename": "PageInfo",
            "startCursor": start.hex() or None,
            "endCursor": end.hex() or None,
            "hasNextPage": has_next_page,
            "hasPreviousPage": self._planned.is_continued,
        }
        shown = {key: values[name] for key, name in self._planned.page_info.items()}
        return json.dumps({self._planned.page_info_key: shown}).encode() + b"\n"
