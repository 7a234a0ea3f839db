"""A whole connection as rows of one statement, in constant memory: one JSON text for each node or edge."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

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
from spackmon.query.aggregates import Grouped, read_first
from spackmon.query.compilation import Plan
from spackmon.query.compile import Compiler
from spackmon.query.computed import ResponsePath
from spackmon.query.fields import Connected
from spackmon.query.json_text import constant
from spackmon.query.paging import Page
from spackmon.query.selection import Selected
from spackmon.query.unpack import unpacked

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


class ExportCompiler(Compiler):
    """Compiles an operation with one connection at its root; used once."""

    def compile_export(self, query: GraphQLObjectType, fields: Mapping[str, Selected]) -> ExportPlan:
        """The plan of all rows. Raises Refused EXPORT_INVALID where the operation is no such thing."""
        if len(fields) != 1:
            raise _invalid(f"it has {len(fields)} fields at its root")
        ((name, asked),) = fields.items()
        meaning = self._registry.meanings[query.name].get(asked.name)
        if not isinstance(meaning, Connected):
            raise _invalid(f"`{asked.name}` is no connection")
        type_ = cast(GraphQLObjectType, get_named_type(query.fields[asked.name].type))
        parts = self._selector.fields(type_, asked.selections, 2)
        if [part.name for part in parts.values()] == ["groupBy"]:
            ((_, grouped),) = parts.items()
            return self._groups_export(name, meaning, query, asked, grouped)
        rows, page_info = _parts(parts)
        arguments = self._arguments(query, asked.node)
        if "last" in arguments:
            raise Refused(Code.EXPORT_INVALID, "an export goes forward: give `first`, not `last`")
        size = self.decided(arguments.get("first"))
        if size is not None and size < 0:
            raise Refused(Code.PAGE_INVALID, f"`first` must not be negative, it is {size}")
        filtered = self._filtered(meaning, query, asked, arguments, self._no_row())
        sort_values = [key.value for key in filtered.keys]
        row_type = cast(GraphQLObjectType, get_named_type(type_.fields[rows.name].type))
        if rows.name == "nodes":
            body = self._object(row_type, rows, filtered.row, 3)
        else:
            body = self._edge(row_type, rows, filtered.row, self._cursor(sort_values), 3)
        place = self._place(sort_values) if page_info else constant("")
        page = Page(0, False, arguments.get("after"), arguments.get("before"))
        statement = filtered.every([body.label("line"), place.label("place")], page, self.bind)
        if size is not None:
            statement = statement.limit(literal_column(str(size + 1)))
        info_fields: dict[str, str] = {}
        if page_info:
            info = cast(GraphQLObjectType, get_named_type(type_.fields["pageInfo"].type))
            selected = self._selector.fields(info, parts[page_info].selections, 3)
            info_fields = {key: part.name for key, part in selected.items()}
        columns = tuple(self._columns(row_type, rows, (), 3))
        return ExportPlan(
            name, self._plan(statement), size, "after" in arguments, columns, page_info, info_fields
        )

    def _groups_export(
        self,
        name: str,
        meaning: Connected,
        query: GraphQLObjectType,
        asked: Selected,
        grouped: Selected,
    ) -> ExportPlan:
        """All groups of a connection, or the first of them if the operation says how many."""
        type_ = cast(GraphQLObjectType, get_named_type(query.fields[asked.name].type))
        arguments = self._arguments(query, asked.node)
        filtered = self._filtered(meaning, query, asked, arguments, self._no_row())
        by: Grouped = self._registry.meanings[type_.name][grouped.name]
        written = {argument.name.value for argument in grouped.node.arguments or ()}
        given = self._arguments(type_, grouped.node).get("first") if "first" in written else None
        first = None if given is None else read_first(self.decided(given))
        listed = self._group_rows(by, filtered, type_, grouped, first, 3).subquery(f"t{next(self._names)}")
        statement = select(listed.c["body"].label("line"), constant("").label("place"))
        columns = tuple(self._columns(type_.fields[grouped.name].type.of_type.of_type, grouped, (), 3))
        plan = self._plan(statement)
        return ExportPlan(
            name, plan, None, is_continued=False, columns=columns, page_info_key=None, page_info={}
        )

    def _columns(
        self, type_: GraphQLOutputType, asked: Selected, path: ResponsePath, depth: int
    ) -> Iterator[ResponsePath]:
        named = get_named_type(type_)
        if is_list_type(get_nullable_type(type_)) or not isinstance(named, GraphQLObjectType):
            yield path
            return
        for key, part in self._selector.fields(named, asked.selections, depth).items():
            if part.name == "__typename":
                yield (*path, key)
            else:
                yield from self._columns(named.fields[part.name].type, part, (*path, key), depth + 1)


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
    ) -> None:
        self._planned = planned
        self._variables = variables
        self._parameters = parameters
        self._reader = reader
        self._running = running

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
                yield unpacked(lines, plan.computations, self._variables)
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
        told = {key: values[name] for key, name in self._planned.page_info.items()}
        return json.dumps({self._planned.page_info_key: told}).encode() + b"\n"
