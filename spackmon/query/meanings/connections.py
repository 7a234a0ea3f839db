"""Connections: the rows that arguments leave, their page, and what is counted of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from graphql import GraphQLObjectType
from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, select

from spackmon.models import Build
from spackmon.query.meanings.meaning import At, Meaning, object_type, scalar
from spackmon.query.meanings.order_by import ordered, sole_column
from spackmon.query.rows.facets import Facets, facets
from spackmon.query.rows.paging import DEFAULT_PAGE, Page, Rows, read_page
from spackmon.query.rows.read_once import FacetsOnce, ReadOnce
from spackmon.query.rows.searches import has_words, rank_of
from spackmon.query.rows.sort_keys import SortKey, sort_key
from spackmon.query.rows.tags import builds_tagged
from spackmon.query.rows.totals import Counted, parts_of
from spackmon.query.sql.conditions import (
    Among,
    Belongs,
    Condition,
    Driver,
    Leads,
    Satisfying,
    ValueOf,
    Ways,
    leading,
)
from spackmon.query.sql.json_text import NULL, Json, braced, constant, joined
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.selection import Selected
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.limits import Measure
    from spackmon.query.meanings.statement import Statement

_PAGED = frozenset({"nodes", "edges", "pageInfo"})
_NUMBER = "totalCount"
MOST_RANKED = 200
_PLACED = frozenset({"after", "before", "last", "orderBy"})
_FEWEST_SHARED = 2
# What neither places nor cuts a list narrows it.
_WHOLE = _PLACED | {"first"}


def _in_ways(conditions: list[Condition]) -> tuple[Ways | None, list[Condition]]:
    """The forms of the first condition that has several, or of all that lead together, and the others."""
    leads = leading(conditions)
    if leads is not None:
        return Ways.led(and_(*(one.holds for one in conditions)), leads), []
    found = next((one for one in conditions if one.ways is not None), None)
    return None if found is None else found.ways, [one for one in conditions if one is not found]


@dataclass(frozen=True, slots=True)
class Connected(Meaning):
    """A Relay connection over a table; `belongs` as in Listing.

    `satisfying(row, text, rules)` is the condition that the argument of this name makes of its text; the rows
    then belong to no row around. Unless a client orders them, rows come in the `order` of these columns,
    newest first among equals. `rows` is how many there may well be on a page whose size nobody gives. What
    belongs to a row may be found by a `walk` too, and its number be `counted` beforehand. `words` is the
    column that the argument `search` looks at. `among` may know a walk of the rows of which some of what
    belongs to them passes a filter. `led` is in place of `belongs` where rows are found in several ways.
    None of what belongs to a row has an id above its `newest`, at which PostgreSQL begins.
    """

    model: Any
    belongs: Belongs | None
    satisfying: Satisfying | None = None
    order: tuple[tuple[Attribute, ...], ...] = ()
    rows: int | None = None
    walk: Callable[[Scope, Scope], Driver] | None = None
    counted: ValueOf | None = None
    words: Attribute | None = None
    among: Among | None = None
    led: Leads | None = None
    newest: Callable[[Scope, Scope], ColumnElement[Any]] | None = None

    def page(self, selected: Selected, measure: "Measure") -> int:
        """See Meaning."""
        return measure.first(selected, self.rows or DEFAULT_PAGE)

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        arguments = statement.arguments(at)
        first, last = (statement.decided(arguments.get(name)) for name in ("first", "last"))
        return _Connection(self, at, statement, read_page(arguments, first, last)).json()

    def filtered(self, at: At, statement: "Statement") -> Rows:
        """The rows that the field's arguments leave, each time with joins of its own."""
        arguments = statement.arguments(at)
        child = at.row.beneath(self.model.__table__)
        holds = child.is_counted()
        driver = None if self.walk is None else self.walk(at.row, child)
        if self.belongs is not None and driver is None:
            holds.append(self.belongs(at.row, child))
        conditions = [] if self.led is None else [self.led(at.row, child)]
        if self.words is not None and "search" in arguments:
            conditions.append(has_words(self.words)(child, arguments["search"], statement))
        conditions += [part for one in statement.asked_by(at, "where", child) for part in one.each()]
        ways = None
        if self.satisfying is not None and "satisfying" in arguments:
            text = statement.decided(arguments["satisfying"])
            ways = self.satisfying(child, text, statement.rules(arguments))
        if driver is None and self.belongs is None:
            found = next((one for one in conditions if one.driver is not None), None)
            driver = None if found is None else found.driver
            conditions = [one for one in conditions if one is not found]
            driver = driver or next((one.among for one in conditions if one.among is not None), None)
            if driver is None and ways is None:
                ways, conditions = _in_ways(conditions)
        if ways is not None and statement.dialect_name == "sqlite":
            # Its parser has no room for a count in two forms.
            ways = replace(ways, few=None)
        holds += [one.holds for one in conditions]
        few = next((one.few for one in conditions if one.few is not None), None)
        if few is not None and driver is None and ways is None and self.belongs is None:
            ways = Ways.few_or_many(few)
        order = ordered(at, child, statement, are_all=not holds and driver is None and ways is None)
        if "orderBy" not in arguments:
            for path in self.order:
                order.append(sort_key(child.along(path[:-1])[path[-1]], descending=False))
        newest = self._newest_of(child, conditions, at, statement)
        known, number = partial(self._facets, at, statement), partial(self._total, at, statement)
        sole = sole_column(at, statement) if len(order) == 1 else None
        return Rows(child, holds, driver, order, ways, newest, known, number, sole)

    def _newest_of(
        self, child: Scope, conditions: Sequence[Condition], at: At, statement: "Statement"
    ) -> list[ColumnElement[Any]]:
        """Ids that no row is above."""
        if self.belongs is None:
            return [one.newest for one in conditions if one.newest is not None]
        if self.newest is None or statement.dialect_name == "sqlite":
            return []
        return [self.newest(at.row, child)]

    @property
    def _may_be_counted(self) -> bool:
        """Whether facets or totals may know how many there are."""
        return self.model is Build and self.walk is None

    def _facets(self, at: At, statement: "Statement") -> Facets | None:
        """Those whose builds the field's arguments leave, or with how many it does, if facets know."""
        if not self._may_be_counted or "satisfying" in statement.arguments(at):
            return None

        def asked(build: Scope) -> list[ColumnElement[bool]]:
            belonging = [] if self.belongs is None else [self.belongs(at.row, build)]
            if self.led is not None:
                belonging.append(self.led(at.row, build).holds)
            return [*belonging, *statement.holds_by(at, "where", build)]

        found = facets(statement.names, asked)
        counted = self._counted(at, statement) if found is None else None
        return found if counted is None else counted.facets(statement.names, statement.rows)

    def _total(self, at: At, statement: "Statement") -> ColumnElement[Any] | None:
        """How many builds the field's arguments leave, if totals know."""
        counted = self._counted(at, statement)
        return None if counted is None else counted.number(statement.names)

    def _counted(self, at: At, statement: "Statement") -> Counted | None:
        """The builds that the field's arguments leave, as totals may know them."""
        arguments = statement.arguments(at)
        if not self._may_be_counted or self.led is not None or "satisfying" in arguments:
            return None
        is_of_tag = self.belongs is builds_tagged
        belonging = None if self.belongs is None or is_of_tag else partial(self.belongs, at.row)
        where = arguments.get("where")

        def asked(build: Scope, part: Given) -> list[ColumnElement[bool]]:
            return [one.holds for one in statement.all_of("BuildFilter", part, build)]

        parts = [] if where is None else list(parts_of(where, statement))
        tag_id = at.row.row_id if is_of_tag else None
        return Counted.by(parts, asked, statement, belonging, tag_id)

    def ranked(self, at: At, statement: "Statement") -> Rows:
        """The same; of those in which words are sought the latest ones, the best of them first.

        To rank all that a common word finds would take as long as to read them.
        """
        rows, arguments = self.filtered(at, statement), statement.arguments(at)
        if self.words is None or "search" not in arguments or "orderBy" in arguments:
            return rows
        latest = statement.rows(rows.first(rows.row.row_id.label("id"), MOST_RANKED))
        child = at.row.beneath(self.model.__table__)
        rank = rank_of(self.words, child, arguments["search"], statement)
        is_latest = child.row_id.in_(select(latest.c["id"]))
        return Rows(child, [is_latest], None, [SortKey(rank, descending=True)])


class _Connection:
    """One connection in a statement, and its parts."""

    def __init__(self, meaning: Connected, at: At, statement: "Statement", page: Page) -> None:
        self._meaning, self._at, self._statement, self._page = meaning, at, statement, page
        self._type = object_type(at.type_)
        self._fields = statement.fields(at)
        self._rows = meaning.ranked(at, statement)
        self._reading: set[str] = set()
        self._facets = self._facets_once()
        self._shared = self._read_once()

    def _facets_once(self) -> FacetsOnce | None:
        """The facets of its builds for the parts that count these, where several do and facets know."""
        meanings = self._statement.registry.meanings[self._type.name]
        counting = [part for part in self._fields.values() if part.name in meanings or part.name == _NUMBER]
        if len(counting) < _FEWEST_SHARED:
            return None
        found = self._meaning.filtered(self._at, self._statement).facets()
        return None if found is None else FacetsOnce(found, self._statement.names, self._statement.rows)

    def _filtered(self) -> Rows:
        """Its rows, with joins of their own."""
        rows = self._meaning.filtered(self._at, self._statement)
        return rows if self._facets is None else replace(rows, facets=self._facets.again)

    def _read_once(self) -> ReadOnce | None:
        """Its rows for the parts that look at each of them, where these are several."""
        meanings = self._statement.registry.meanings[self._type.name]
        parts = [(key, part) for key, part in self._fields.items() if part.name in meanings]
        if len(parts) < _FEWEST_SHARED:
            return None
        rows = self._filtered()
        self._reading = {
            key
            for key, part in parts
            if meanings[part.name].reads_rows(rows, self._inside(part), self._statement)
        }
        if len(self._reading) < _FEWEST_SHARED:
            return None
        return ReadOnce(rows, self._statement.names, self._statement.rows)

    def json(self) -> Json:
        """All that is selected of it."""
        paged = {} if self._is_plain else {k: part for k, part in self._fields.items() if part.name in _PAGED}
        meanings = self._statement.registry.meanings[self._type.name]
        # How the groups read the rows decides how their number is found, and where their walk begins.
        groups = {key: part for key, part in self._fields.items() if part.name in meanings}
        values: dict[str, Json | str] = {key: self._groups(key, part) for key, part in groups.items()}
        rows = self._page_rows(paged) if paged else None
        others = {key: part for key, part in self._fields.items() if key not in groups}
        values |= {key: self._value(key, part, rows) for key, part in others.items()}
        body = braced((key, values[key]) for key in self._fields)
        if rows is None:
            return self._whole(select(body)) if self._is_shared else body
        # The always-true count forces exactly one row, even if only `pageInfo { __typename }` is selected.
        whole = select(case((func.count() >= 0, body))).select_from(rows)
        return self._whole(whole)

    @property
    def _is_shared(self) -> bool:
        return self._shared is not None or self._facets is not None

    def _whole(self, value: Select[Any]) -> Json:
        """The value, behind what its parts share."""
        for shared in (self._shared, self._facets):
            value = value if shared is None else shared.before(value)
        return scalar(value)

    @property
    def _is_plain(self) -> bool:
        """Whether it is but the first rows of a list that has an order of its own."""
        names = {part.name for part in self._fields.values()}
        is_placed = self._statement.arguments(self._at).keys() & _PLACED
        return bool(self._meaning.order) and not (names & (_PAGED - {"nodes"}) or is_placed)

    def _groups(self, key: str, part: Selected) -> Json:
        # Rows of their own: keys join to them, and a build stands there once for every tag.
        shared = self._shared if key in self._reading else None
        rows = self._filtered() if shared is None else shared.again()
        meaning = self._statement.registry.meanings[self._type.name][part.name]
        listed: Json = meaning.listed(rows, self._inside(part), self._statement)
        return listed

    def _value(self, key: str, part: Selected, rows: FromClause | None) -> Json | str:
        statement = self._statement
        if part.name == "__typename":
            return f'"{self._type.name}"'
        if self._is_plain and part.name == "nodes":
            return self._first(part)
        if rows is None or part.name == _NUMBER:
            return statement.json.value(self._total(), nullable=False)
        if part.name == "pageInfo":
            return self._page_info(part, rows)
        return statement.json.array(rows.c[f"list_{key}"], rows.c["position"] <= self._page.size)

    def _total(self) -> ColumnElement[Any]:
        counted = self._meaning.counted
        if counted is not None and self._statement.arguments(self._at).keys() <= _WHOLE:
            return counted(self._at.row)
        rows = self._filtered()
        number, found = scalar(rows.count()), rows.facets()
        known = None if found is not None and found.are_whole else rows.total()
        if known is not None:
            return known
        if found is not None:
            return found.count(self._statement.rows, number)
        return number if self._shared is None else self._shared.count()

    def _inside(self, part: Selected, row: Scope | None = None) -> At:
        """Where a part of the connection stands."""
        return At(self._type, part, self._at.row if row is None else row, self._at.depth + 1)

    def _first(self, part: Selected) -> Json:
        """The first rows of a short list in its own order, without the places that cursors need."""
        rows = self._meaning.filtered(self._at, self._statement)
        body = self._statement.object(self._inside(part), rows.row).label("body")
        return self._statement.listed(rows.first(body, self._page.size))

    def _page_rows(self, fields: Mapping[str, Selected]) -> FromClause:
        """A subquery with the page's rows and one more.

        Columns: `position`, `cursor`, `is_last` (of the page), and one for each list under its key.
        """
        statement, page = self._statement, self._page
        ids = statement.rows(self._walked().page(page, statement.bind))
        cursor = cursor_of([ids.c[f"key{number}"] for number in range(len(self._rows.keys))], statement)
        child = self._at.row.beneath(self._rows.row.table)
        shown = func.count().over()
        is_last = ids.c["position"] == case((shown > page.size, page.size), else_=shown)
        columns = [ids.c["position"], cursor.label("cursor"), is_last.label("is_last")]
        for key, part in fields.items():
            if part.name == "nodes":
                columns.append(statement.object(self._inside(part), child).label(f"list_{key}"))
            elif part.name == "edges":
                columns.append(edge(self._inside(part), child, cursor, statement).label(f"list_{key}"))
        source = child.joined(ids.join(child.source, self._rows.identified(ids, child)))
        order = ids.c["position"].desc() if page.from_end else ids.c["position"]
        return statement.rows(select(*columns).select_from(source).order_by(order))

    def _walked(self) -> Rows:
        """Its rows for the page: where others have read them all, their greatest id is known."""
        rows = self._rows
        # Forms of a walk stand before the whole statement, from where nothing is seen that is read here.
        if self._shared is None or rows.ways is not None or not rows.begin_with_newest(self._page):
            return rows
        newest = self._shared.newest()
        return rows if newest is None else replace(rows, newest=[newest])

    def _page_info(self, part: Selected, rows: FromClause) -> Json:
        page, at = self._page, self._inside(part)
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
                    return f'"{object_type(at.type_).name}"'
                case _:
                    return func.coalesce(func.max(rows.c["cursor"]).filter(ends[name]), constant(NULL))

        return braced((key, value(one.name)) for key, one in self._statement.fields(at).items())


def edge(at: At, row: Scope, cursor: Json, statement: "Statement") -> Json:
    """A row with its place."""
    type_: GraphQLObjectType = object_type(at.type_)

    def value(part: Selected) -> Json | str:
        if part.name == "node":
            return statement.object(At(type_, part, row, at.depth + 1), row)
        return cursor if part.name == "cursor" else f'"{type_.name}"'

    return braced((key, value(part)) for key, part in statement.fields(at).items())


def cursor_of(sort_values: Sequence[Json], statement: "Statement") -> Json:
    """The cursor of a row with these sort values, as a JSON string."""
    return joined(['"', statement.json.text_as_hexadecimal(place_of(sort_values, statement)), '"'])


def place_of(sort_values: Sequence[Json], statement: "Statement") -> Json:
    """The sort values as a JSON array, which a cursor hides."""
    pieces: list[str | Json] = []
    for value in sort_values:
        pieces += ["," if pieces else "[", statement.json.value(value, nullable=True)]
    return joined([*pieces, "]"])


def _boolean(value: bool) -> str:
    return "true" if value else "false"
