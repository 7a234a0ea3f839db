"""Connections: the rows that arguments leave, their page, and what is counted of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)
from sqlalchemy import (
    ColumnElement,
    FromClause,
    and_,
    case,
    func,
    select,
)

from spackmon.errors import Code, Refused
from spackmon.models import Build
from spackmon.query import aggregates
from spackmon.query.aggregates import Grouped
from spackmon.query.compilation import Compilation, Fields, Json, braced, object_type, scalar
from spackmon.query.fields import (
    Column,
    Condition,
    Connected,
    Listing,
)
from spackmon.query.json_text import NULL, constant, joined
from spackmon.query.limits import largest_page
from spackmon.query.paging import Page, Rows, SortKey, read_page, sort_keys
from spackmon.query.scope import Scope
from spackmon.query.selection import Selected
from spackmon.query.values import Given

# Each level may be a join or a subquery.
MAXIMUM_FILTER_DEPTH = 15

_PAGED = frozenset({"nodes", "edges", "pageInfo"})


class ConnectionCompilation(Compilation):
    """The part of a compilation that is about many rows."""

    def _listing(
        self, meaning: Listing, type_: GraphQLOutputType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        collected = row.collected if meaning.is_collected else None
        table = meaning.model.__table__
        child = row.beneath(table if collected is None or meaning.ends else collected)
        if collected is not None:
            # An edge that begins in a whole graph ends there; SQLite, which has no hash join, would compare
            # each edge with each spec to find that out.
            are_closed = self.dialect_name == "sqlite" and not row.limits
            for end in meaning.ends[:1] if are_closed else meaning.ends:
                child.follow_into(end, collected)
        body = self._object(type_, asked, child, depth + 1)
        order = [child.along(path[:-1])[path[-1]] for path in meaning.order]
        holds = child.is_counted()
        if meaning.belongs is not None:
            holds.append(meaning.belongs(row, child))
        statement = select(body.label("body")).select_from(child.joined()).where(*holds)
        rows = self._rows(statement.order_by(*order))
        return scalar(select(self._json.array(rows.c["body"])).select_from(rows))

    def _connection(
        self, meaning: Connected, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        first, last = self.decided(arguments.get("first")), self.decided(arguments.get("last"))
        type_ = object_type(parent.fields[asked.name].type)
        fields = self._selector.fields(type_, asked.selections, depth + 1)
        page = read_page(arguments, first, last, largest_page(self._registry, self._selector, type_, fields))
        filtered = self._filtered(meaning, parent, asked, arguments, row)
        own = self._registry.meanings[type_.name]
        paged = {key: part for key, part in fields.items() if part.name in _PAGED}
        rows = self._page_rows(filtered, page, type_, paged, row, depth) if paged else None

        def value(key: str, part: Selected) -> Json | str:
            if part.name == "__typename":
                return f'"{type_.name}"'
            if part.name in own:
                # Rows of their own: keys join to them, and a build stands there once for every tag.
                grouped = self._filtered(meaning, parent, asked, arguments, row)
                return self._groups(own[part.name], grouped, type_, part, depth + 2)
            if rows is None or part.name == "totalCount":
                return self._json.value(scalar(filtered.count()), nullable=False)
            if part.name == "pageInfo":
                return self._page_info(object_type(type_.fields["pageInfo"].type), part, page, rows, depth)
            return self._json.array(rows.c[f"list_{key}"], rows.c["position"] <= page.size)

        body = braced((key, value(key, part)) for key, part in fields.items())
        if rows is None:
            return body
        # Counting makes it one row even where nothing else looks at the page's rows: pageInfo { __typename }.
        return scalar(select(case((func.count() >= 0, body))).select_from(rows))

    def _groups(
        self, meaning: Grouped, rows: Rows, parent: GraphQLObjectType, asked: Selected, depth: int
    ) -> Json:
        arguments = self._arguments(parent, asked.node)
        keys = [self.decided(key) for key in self.each(arguments["keys"])]
        first = aggregates.read_first(self.decided(arguments.get("first")))
        type_ = object_type(parent.fields[asked.name].type)
        fields = self._selector.fields(type_, asked.selections, depth)
        names = {part.name for part in fields.values()}
        measured = sorted(names & aggregates.MEASURES) if meaning.is_of_builds else []
        if meaning.is_of_builds and not self.decided(arguments["includeInstalled"]):
            rows = aggregates.built(rows)
        found = aggregates.groups(rows, keys, first, measured, self._rows, self.dialect_name)
        group = Scope(self._rows(found), self._names)
        return self._all_objects(type_, fields, group, [group.source.c["place"]], depth)

    def _table(self, parent: GraphQLObjectType, asked: Selected, row: Scope, depth: int) -> Json:
        arguments = self._arguments(parent, asked.node)
        first = aggregates.read_first(self.decided(arguments.get("first")))
        row_key, column_key = (self.decided(arguments[name]) for name in ("rows", "columns"))
        builds = self._filtered(Connected(Build, None), parent, asked, arguments, row)
        if not self.decided(arguments["includeInstalled"]):
            builds = aggregates.built(builds)
        if "package" in arguments:
            builds = aggregates.of_package(builds, arguments["package"], self.bind)
        found = aggregates.table(builds, row_key, column_key, first, self._rows, self.dialect_name)
        cells = Scope(found.cte(f"t{next(self._names)}"), self._names)
        return self._object(parent.fields[asked.name].type, asked, cells, depth + 1)

    def _all_objects(
        self,
        type_: GraphQLObjectType,
        fields: Fields,
        row: Scope,
        order: Sequence[ColumnElement[Any]],
        depth: int,
    ) -> Json:
        body = self._object_of(type_, fields, row, depth).label("body")
        rows = self._rows(select(body).select_from(row.joined()).order_by(*order))
        return scalar(select(self._json.array(rows.c["body"])).select_from(rows))

    def _filtered(
        self,
        meaning: Connected,
        parent: GraphQLObjectType,
        asked: Selected,
        arguments: Mapping[str, Given],
        row: Scope,
    ) -> Rows:
        child = row.beneath(meaning.model.__table__)
        holds = child.is_counted()
        if meaning.belongs is not None:
            holds.append(meaning.belongs(row, child))
        types = parent.fields[asked.name].args
        driver = None
        if "where" in arguments:
            for condition in self.all_of(get_named_type(types["where"].type).name, arguments["where"], child):
                if driver is None and condition.driver is not None and meaning.belongs is None:
                    driver = condition.driver
                else:
                    holds.append(condition.holds)
        ways = None
        if meaning.satisfying is not None and "satisfying" in arguments:
            ways = meaning.satisfying(child, self.decided(arguments["satisfying"]))
        order: list[SortKey] = []
        if "orderBy" in arguments:
            for one in self.each(arguments["orderBy"]):
                order += self._sort_keys(get_named_type(types["orderBy"].type).name, one, child)
        return Rows(child, holds, driver, order, ways)

    def all_of(self, input_name: str, given: Given, row: Scope) -> list[Condition]:
        """What every field that is given of a filter input asks of `row`."""
        if self._filter_depth == MAXIMUM_FILTER_DEPTH:
            raise Refused(
                Code.FILTER_TOO_DEEP, f"`where` nests more than {MAXIMUM_FILTER_DEPTH} levels of filters"
            )
        predicates = self._registry.meanings[input_name]
        asked = {name: value for name, value in given.members().items() if value.value is not None}
        self._filter_depth += 1
        conditions = [predicates[name](row, value, self) for name, value in asked.items()]
        self._filter_depth -= 1
        return conditions

    def _sort_keys(self, input_name: str, given: Given, row: Scope) -> list[SortKey]:
        """The keys of one element of `orderBy`, which names one column and its direction."""
        named = [(name, self.decided(value)) for name, value in given.members().items()]
        if len(named) != 1 or named[0][1] is None:
            raise Refused(Code.ORDER_INVALID, f"each {input_name} in `orderBy` must have exactly one field")
        ((name, direction),) = named
        column: Column = self._registry.meanings[input_name][name]
        return sort_keys(row.along(column.steps)[column.attribute], descending=direction == "DESC")

    def _page_rows(
        self, filtered: Rows, page: Page, type_: GraphQLObjectType, fields: Fields, row: Scope, depth: int
    ) -> FromClause:
        """A subquery with the page's rows and one more.

        Columns: `position`, `cursor`, `is_last` (of the page), and one for each list under its key.
        """
        ids = self._rows(filtered.page(page, self.bind))
        cursor = self._cursor([ids.c[f"key{number}"] for number in range(len(filtered.keys))])
        child = row.beneath(filtered.row.table)
        shown = func.count().over()
        is_last = ids.c["position"] == case((shown > page.size, page.size), else_=shown)
        columns = [ids.c["position"], cursor.label("cursor"), is_last.label("is_last")]
        for key, part in fields.items():
            if part.name == "nodes":
                nodes = self._object(type_.fields["nodes"].type, part, child, depth + 2)
                columns.append(nodes.label(f"list_{key}"))
            elif part.name == "edges":
                edge = object_type(type_.fields["edges"].type)
                columns.append(self._edge(edge, part, child, cursor, depth + 2).label(f"list_{key}"))
        source = child.joined(ids.join(child.source, filtered.identified(ids, child)))
        order = ids.c["position"].desc() if page.from_end else ids.c["position"]
        return self._rows(select(*columns).select_from(source).order_by(order))

    def _edge(self, edge: GraphQLObjectType, asked: Selected, child: Scope, cursor: Json, depth: int) -> Json:
        def value(part: Selected) -> Json | str:
            if part.name == "node":
                return self._object(edge.fields["node"].type, part, child, depth + 1)
            return cursor if part.name == "cursor" else f'"{edge.name}"'

        fields = self._selector.fields(edge, asked.selections, depth)
        return braced((key, value(part)) for key, part in fields.items())

    def _cursor(self, sort_values: Sequence[Json]) -> Json:
        """The cursor of a row with these sort values, as a JSON string."""
        return joined(['"', self._json.text_as_hexadecimal(self._place(sort_values)), '"'])

    def _place(self, sort_values: Sequence[Json]) -> Json:
        pieces: list[str | Json] = []
        for value in sort_values:
            pieces += ["," if pieces else "[", self._json.value(value, nullable=True)]
        return joined([*pieces, "]"])

    def _page_info(
        self, info: GraphQLObjectType, asked: Selected, page: Page, rows: FromClause, depth: int
    ) -> Json:
        more = case((func.count() > page.size, constant("true")), else_=constant("false"))
        is_first = rows.c["position"] == 1
        start, end = (rows.c["is_last"], is_first) if page.from_end else (is_first, rows.c["is_last"])
        within = rows.c["position"] <= page.size
        ends = {"startCursor": and_(start, within), "endCursor": and_(end, within)}

        def value(name: str) -> Json | str:
            match name:
                case "hasNextPage":
                    return _boolean(page.before is not None) if page.from_end else more
                case "hasPreviousPage":
                    return more if page.from_end else _boolean(page.after is not None)
                case "__typename":
                    return f'"{info.name}"'
                case _:
                    return func.coalesce(func.max(rows.c["cursor"]).filter(ends[name]), constant(NULL))

        fields = self._selector.fields(info, asked.selections, depth + 2)
        return braced((key, value(part.name)) for key, part in fields.items())


def _boolean(value: bool) -> str:
    return "true" if value else "false"
