"""Connections: the rows that arguments leave, their page, and what is counted of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
)
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    func,
    literal_column,
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
    Expression,
    Listing,
)
from spackmon.query.json_text import NULL, constant, joined
from spackmon.query.paging import Page, Rows, SortKey, read_page, sort_keys
from spackmon.query.scope import Scope
from spackmon.query.selection import Selected
from spackmon.query.values import Given

# Each level may be a join or a subquery.
MAXIMUM_FILTER_DEPTH = 15

_PAGED = frozenset({"nodes", "edges", "pageInfo"})
_PLACED = frozenset({"after", "before", "last", "orderBy"})


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
        page = read_page(arguments, first, last)
        filtered = self._filtered(meaning, parent, asked, arguments, row)
        own = self._registry.meanings[type_.name]
        is_plain = _is_plain(meaning, arguments, fields)
        paged = {} if is_plain else {key: part for key, part in fields.items() if part.name in _PAGED}
        rows = self._page_rows(filtered, page, type_, paged, row, depth) if paged else None

        def value(key: str, part: Selected) -> Json | str:
            if part.name == "__typename":
                return f'"{type_.name}"'
            if part.name in own:
                # Rows of their own: keys join to them, and a build stands there once for every tag.
                grouped = self._filtered(meaning, parent, asked, arguments, row)
                return self._groups(own[part.name], grouped, type_, part, depth + 2)
            if is_plain and part.name == "nodes":
                listed = self._filtered(meaning, parent, asked, arguments, row)
                return self._first(listed, type_.fields["nodes"].type, part, page.size, depth + 2)
            if rows is None or part.name == "totalCount":
                return self._json.value(scalar(filtered.count()), nullable=False)
            if part.name == "pageInfo":
                return self._page_info(object_type(type_.fields["pageInfo"].type), part, page, rows, depth)
            return self._json.array(rows.c[f"list_{key}"], rows.c["position"] <= page.size)

        body = braced((key, value(key, part)) for key, part in fields.items())
        if rows is None:
            return body
        # The always-true count forces exactly one row, even if only `pageInfo { __typename }` is selected.
        return scalar(select(case((func.count() >= 0, body))).select_from(rows))

    def _first(self, rows: Rows, type_: GraphQLOutputType, asked: Selected, size: int, depth: int) -> Json:
        """The first rows of a short list in its own order, without the places that cursors need."""
        body = self._object(type_, asked, rows.row, depth)
        first = self._rows(rows.first(body.label("body"), size))
        return scalar(select(self._json.array(first.c["body"])).select_from(first))

    def _groups(
        self, meaning: Grouped, rows: Rows, parent: GraphQLObjectType, asked: Selected, depth: int
    ) -> Json:
        first = aggregates.read_first(self.decided(self._arguments(parent, asked.node).get("first")))
        listed = self._group_rows(meaning, rows, parent, asked, first, depth)
        found = self._rows(listed)
        return scalar(select(self._json.array(found.c["body"])).select_from(found))

    def _group_rows(
        self,
        meaning: Grouped,
        rows: Rows,
        parent: GraphQLObjectType,
        asked: Selected,
        first: int | None,
        depth: int,
    ) -> Select[Any]:
        """The groups' objects, in a column `body`; `first` of them or all."""
        arguments = self._arguments(parent, asked.node)
        keys = [self.decided(key) for key in self.each(arguments["keys"])]
        offset = aggregates.read_offset(self.decided(arguments["offset"]))
        definition = parent.fields[asked.name]
        type_ = object_type(definition.type)
        fields = self._selector.fields(type_, asked.selections, depth)
        known = aggregates.measures_of(meaning.facts)
        names = {part.name for part in fields.values()}
        is_compared = arguments.keys() & {"having", "orderBy"}
        measured = known if is_compared else [name for name in known if name in names]
        if meaning.installed_from is not None and not self.decided(arguments["includeInstalled"]):
            rows = aggregates.built(rows, meaning.installed_from)
        found = aggregates.groups(rows, keys, meaning.facts, measured, self._rows, self.dialect_name)
        group = Scope(self._rows(found), self._names)
        holds: list[ColumnElement[bool]] = []
        if "having" in arguments:
            having = get_named_type(definition.args["having"].type).name
            holds = [one.holds for one in self.all_of(having, arguments["having"], group)]
        order = self._ordered(definition, arguments, group)
        body = self._object_of(type_, fields, group, depth).label("body")
        listed = select(body).select_from(group.joined()).where(*holds)
        listed = listed.order_by(*(key.ordered for key in order), group.source.c["place"])
        if first is not None:
            listed = listed.limit(literal_column(str(first)))
        elif offset:
            # SQLite has no OFFSET without a LIMIT.
            listed = listed.limit(literal_column(str(2**62)))
        return listed.offset(literal_column(str(offset))) if offset else listed

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
        order = self._ordered(parent.fields[asked.name], arguments, child)
        if "orderBy" not in arguments:
            for path in meaning.order:
                order += sort_keys(child.along(path[:-1])[path[-1]], descending=False)
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

    def _ordered(self, definition: GraphQLField, arguments: Mapping[str, Given], row: Scope) -> list[SortKey]:
        """The keys of the argument `orderBy`."""
        if "orderBy" not in arguments:
            return []
        input_name = get_named_type(definition.args["orderBy"].type).name
        return [
            key for one in self.each(arguments["orderBy"]) for key in self._sort_keys(input_name, one, row)
        ]

    def _sort_keys(self, input_name: str, given: Given, row: Scope) -> list[SortKey]:
        """The keys of one element of `orderBy`, which names one column and its direction."""
        named = [(name, self.decided(value)) for name, value in given.members().items()]
        if len(named) != 1 or named[0][1] is None:
            raise Refused(Code.ORDER_INVALID, f"each {input_name} in `orderBy` must have exactly one field")
        ((name, direction),) = named
        by: Column | Expression = self._registry.meanings[input_name][name]
        value = by.value_of(row) if isinstance(by, Expression) else row.along(by.steps)[by.attribute]
        return sort_keys(value, descending=direction == "DESC")

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


def _is_plain(meaning: Connected, arguments: Mapping[str, Given], fields: Fields) -> bool:
    """Whether it is but the first rows of a list that has an order of its own."""
    names = {part.name for part in fields.values()}
    return bool(meaning.order) and not (names & (_PAGED - {"nodes"}) or arguments.keys() & _PLACED)


def _boolean(value: bool) -> str:
    return "true" if value else "false"
