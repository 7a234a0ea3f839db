"""Relay connections: pages by keyset, in any order.

Every order ends with the row's id and is therefore total; without another key rows come newest first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    func,
    literal_column,
    not_,
    select,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from spackmon.errors import Code, Refused
from spackmon.query.rows.facets import Facets
from spackmon.query.rows.ordering import parts_of
from spackmon.query.rows.sort_keys import SortKey, beyond, sort_value, sortable
from spackmon.query.sql.conditions import Bind, Driver, Path, Way, Ways
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

DEFAULT_PAGE, MAXIMUM_PAGE = 50, 500


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows a connection shows: `size` of them, from the start or the end, between two cursors."""

    size: int
    from_end: bool
    after: Given | None
    before: Given | None


def read_page(arguments: Mapping[str, Given], first: int | None, last: int | None) -> Page:
    """The page that a connection's arguments ask for; Refused when they cannot be meant."""
    if first is not None and last is not None:
        raise Refused(Code.PAGE_INVALID, "give either `first` or `last`, not both")
    name, size = ("last", last) if last is not None else ("first", first)
    if size is not None and size < 0:
        raise Refused(Code.PAGE_INVALID, f"`{name}` must not be negative, it is {size}")
    if size is not None and size > MAXIMUM_PAGE:
        raise Refused(Code.PAGE_TOO_LARGE, f"`{name}` may be at most {MAXIMUM_PAGE}; it is {size}")
    shown = DEFAULT_PAGE if size is None else size
    return Page(shown, last is not None, arguments.get("after"), arguments.get("before"))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows a connection is about: a table's row, what holds of it, and what to walk to find it.

    `order` are the keys before the id. `ways` are one more condition. No id is above one of `newest`.
    `facets` finds out which facets they are, if they are all builds of some or these know how many, and
    `total` how many, if that is counted. `sorted_by` leads to the column that the only key before the id is,
    if it is one.
    """

    row: Scope
    conditions: Sequence[ColumnElement[bool]]
    driver: Driver | None
    order: Sequence[SortKey]
    ways: Ways | None = None
    newest: Sequence[ColumnElement[Any]] = ()
    facets: Callable[[], Facets | None] = lambda: None
    total: Callable[[], ColumnElement[Any] | None] = lambda: None
    sorted_by: Path | None = None

    @property
    def keys(self) -> list[SortKey]:
        """All sort keys; the row's identity is the last, taken from where the walk finds it."""
        identity = self.row.identity if self.driver is None else [self.driver.row_id]
        return [*self.order, *(SortKey(sortable(column), True) for column in identity)]

    def identified(self, page: FromClause, row: Scope) -> ColumnElement[bool]:
        """`row` is the one that a row of `page` stands for."""
        return and_(
            *(
                column == page.c[f"key{len(self.order) + number}"]
                for number, column in enumerate(row.identity)
            )
        )

    def whole(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Columns of the rows and of what is joined to them, of all rows and in no order."""
        if self.driver is None or self.driver.holds is None:
            return self._select(self._every_way, *columns, of_row=True)
        rows = replace(self, driver=None, conditions=[*self.conditions, self.driver.holds])
        return rows._select(self._every_way, *columns)

    def each(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """The same, in that form which finds them faster, if there is one, or does where they are few."""
        few, form = self._forms
        if few is None:
            return self.whole(*columns) if form is None else self._select(form, *columns)
        some = self._select(few.condition, *columns).where(few.is_taken)
        return select(union_all(some, self.whole(*columns).where(not_(few.is_taken))).subquery())

    def number_of_each(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """The values of columns, which have names, and in `weight` how many of the rows have each."""
        weight = func.count(type_=BigInteger()).label("weight")
        if all(form is None for form in self._forms):
            return self.whole(*columns, weight).group_by(*columns)
        values = self.each(*columns).subquery().c
        return select(*values, weight).group_by(*values)

    @property
    def _forms(self) -> tuple[Way | None, ColumnElement[bool] | None]:
        """The form that finds them where they are few, or else the one that counts them."""
        if self.driver is not None or self.ways is None:
            return None, None
        return self.ways.few, self.ways.counting if self.ways.few is None else None

    @property
    def are_all(self) -> bool:
        """Whether they are all rows of their table."""
        return not self.conditions and self.driver is None and self.ways is None

    def narrowed(self, *conditions: ColumnElement[bool]) -> "Rows":
        """Those of which more holds."""
        conditions = (*self.conditions, *conditions)
        return replace(self, conditions=conditions, facets=lambda: None, total=lambda: None)

    @property
    def _every_way(self) -> ColumnElement[bool] | None:
        return None if self.ways is None else self.ways.whole

    def _select(
        self, way: ColumnElement[bool] | None, *columns: ColumnElement[Any], of_row: bool = False
    ) -> Select[Any]:
        conditions = [*self.conditions, *([] if way is None else [way])]
        if self.driver is None:
            return select(*columns).select_from(self.row.joined()).where(*conditions)
        source: FromClause = self.driver.source
        if of_row or conditions or self.order:
            source = self.row.joined(source.join(self.row.source, self.row.row_id == self.driver.row_id))
        return select(*columns).select_from(source).where(*self.driver.conditions, *conditions)

    def count(self) -> Select[Any]:
        """Counts them."""
        number = func.count(type_=BigInteger())
        if self.ways is not None and self.ways.counting is not None:
            return self._select(self.ways.counting, number)
        if self.ways is not None and self.ways.few is not None:
            few = self.ways.few
            found = (self._select(condition, number) for condition in (few.condition, self.ways.whole))
            some, every = (one.scalar_subquery() for one in found)
            return select(case((few.is_taken, some), else_=every))
        if self.driver is None or self.conditions or self.ways is not None:
            return self.whole(number)
        return self._select(None, number) if self.driver.number is None else self.driver.number

    def page(self, page: Page, bind: Bind) -> Select[Any]:
        """The rows of a page and one more.

        Columns: `position` from 1 in walking order, and the sort values `key0`, `key1`, …
        """
        if self.are_all and self.sorted_by is not None:
            parts = parts_of(self.row, self.sorted_by, self.keys, page, bind)
            if parts:
                return self._merged(parts, page)
        ways = [None] if self.ways is None else self.ways.ways
        rows = self._from_end() if page.from_end else self
        pages = [rows._page(page, bind, way) for way in ways]
        if len(pages) == 1:
            return pages[0]
        # Each way has its own order and limit, which a UNION takes only from within. No row around decides
        # them, so that they stand before the statement: within its lists, SQLite's parser has no room.
        return select(union_all(*(select(found.cte()) for found in pages)).subquery())

    def _merged(self, parts: Sequence[Select[Any]], page: Page) -> Select[Any]:
        """The page's rows of those that each of its parts begins with."""
        found = select(union_all(*(select(part.cte()) for part in parts)).subquery()).subquery()
        keys = [replace(key, value=found.c[f"key{number}"]) for number, key in enumerate(self.keys)]
        order = [key.ordered(from_end=page.from_end) for key in keys]
        position = func.row_number().over(order_by=order).label("position")
        limit: ColumnElement[Any] = literal_column(str(page.size + 1))
        return select(position, *found.c).order_by(*order).limit(limit)

    def _page(self, page: Page, bind: Bind, way: Way | None) -> Select[Any]:
        keys = self.keys
        order = self._ordered(from_end=page.from_end)
        sort_values = [key.value.label(f"key{number}") for number, key in enumerate(keys)]
        position = func.row_number().over(order_by=order).label("position")
        condition = None if way is None else and_(way.is_taken, self._form(way))
        statement = self._between(self._select(condition, position, *sort_values), page, bind)
        if self.begin_with_newest(page):
            # Where these are all old, the walk begins with them: PostgreSQL thinks that they are everywhere.
            statement = statement.where(*(self.row.row_id <= one for one in self.newest))
        # The number of rows is written into the statement: as a parameter it would make PostgreSQL
        # plan anew on every run.
        limit: ColumnElement[Any] = literal_column(str(page.size + 1))
        return statement.order_by(*order).limit(limit if way is None else _rows_if(way.is_taken, limit))

    def begin_with_newest(self, page: Page) -> bool:
        """Whether the walk of a page goes by the rows' ids, from the greatest."""
        return self.driver is None and not self.order and not page.from_end

    def _form(self, way: Way) -> ColumnElement[bool]:
        if way.walked is None or self.driver is not None or self.order:
            return way.condition
        return way.walked

    def first(self, column: ColumnElement[Any], size: int) -> Select[Any]:
        """One column of the first rows."""
        statement = self._select(self._every_way, column, of_row=True)
        return statement.order_by(*self._ordered(from_end=False)).limit(literal_column(str(size)))

    def every(self, columns: Sequence[ColumnElement[Any]], page: Page, bind: Bind) -> Select[Any]:
        """Every row between a page's cursors, whatever its size, with these columns of the row."""
        statement = self._between(self._select(self._every_way, *columns, of_row=True), page, bind)
        return statement.order_by(*self._ordered(from_end=False))

    def _from_end(self) -> "Rows":
        """The same rows, which are walked from the other end where there are two forms of the walk."""
        if self.driver is None or self.driver.backward is None:
            return self
        return replace(self, driver=self.driver.backward)

    def _ordered(self, *, from_end: bool) -> list[ColumnElement[Any]]:
        """The order: where no other key comes first, that of what is walked, as the id's is the same."""
        if self.driver is None or self.driver.walk is None or self.order:
            return [key.ordered(from_end=from_end) for key in self.keys]
        return [column.asc() if from_end else column.desc() for column in self.driver.walk.columns]

    def _between(self, statement: Select[Any], page: Page, bind: Bind) -> Select[Any]:
        if page.after is not None:
            statement = statement.where(*self._beyond(page.after, bind, forward=True))
        if page.before is not None:
            statement = statement.where(*self._beyond(page.before, bind, forward=False))
        return statement

    def _beyond(self, cursor: Given, bind: Bind, *, forward: bool) -> list[ColumnElement[bool]]:
        found = [beyond(self.keys, cursor, bind, forward=forward)]
        walk = None if self.driver is None else self.driver.walk
        if walk is not None and not self.order:
            # What follows from it, said so that the walk begins there.
            key, first = self.keys[0], walk.columns[0]
            end = walk.first_of(bind(cursor, key.value.type, sort_value(self.keys, 0)))
            found.append(first <= end if forward else first >= end)
        return found


class _rows_if(FunctionElement[int]):  # noqa: N801 -- a function of SQL
    """A LIMIT of that many rows, or of 0 when a condition that does not depend on rows is false.

    SQLite asks such a condition of each row that it meets, but looks at no row where none is wanted;
    PostgreSQL asks it once, and plans for the number of rows that it reads.
    """

    type = Integer()
    inherit_cache = True


@compiles(_rows_if)
def _rows_if_anywhere(element: _rows_if, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(list(element.clauses)[1], **options)


@compiles(_rows_if, "sqlite")
def _rows_if_in_sqlite(element: _rows_if, compiler: SQLCompiler, **options: Any) -> str:
    condition, rows = (compiler.process(clause, **options) for clause in element.clauses)
    return f"CASE WHEN {condition} THEN {rows} ELSE 0 END"
