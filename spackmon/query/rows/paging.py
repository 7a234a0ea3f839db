"""Relay connections: pages by keyset, in any order.

A cursor is the hexadecimal of a JSON array of the row's sort values, which both databases can write. Every
order ends with the row's id and is therefore total; without another key rows come newest first.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from spackmon.errors import Code, Refused
from spackmon.models.columns import JsonText, UtcDateTime
from spackmon.query.rows.facets import Facets
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Bind, Driver, Way, Ways
from spackmon.query.sql.scope import Scope, is_never_null
from spackmon.query.sql.values import Given

DEFAULT_PAGE, MAXIMUM_PAGE = 50, 500


@dataclass(frozen=True, slots=True)
class SortKey:
    """A value that rows are sorted by. NULL is last, whatever the direction.

    Where it cannot be NULL, nothing is said of NULL: an index then serves either direction.
    """

    value: ColumnElement[Any]
    descending: bool
    may_be_null: bool = False

    def ordered(self, *, from_end: bool) -> ColumnElement[Any]:
        """The key with its direction, or with the opposite."""
        ordered = self.value.desc() if self.descending != from_end else self.value.asc()
        if not self.may_be_null:
            return ordered
        return ordered.nulls_first() if from_end else ordered.nulls_last()

    def beyond(self, end: ColumnElement[Any], *, forward: bool) -> ColumnElement[bool]:
        """A row's value stands after that of another, or before it; never true where it is the same."""
        further = self.value < end if self.descending == forward else self.value > end
        if not self.may_be_null:
            return further
        last, other = (self.value, end) if forward else (end, self.value)
        return or_(further, and_(last.is_(None), other.is_not(None)))

    def read(self, sort_value: Any) -> Any:
        """A sort value of a cursor, as it is bound; raises ValueError or TypeError if it is not ours."""
        if sort_value is None and self.may_be_null:
            return None
        kind = self.value.type
        if isinstance(kind, Integer):
            if type(sort_value) is not int or abs(sort_value) >= 2**63:
                raise TypeError(sort_value)
            return sort_value
        if isinstance(kind, Float):
            return _number(sort_value)
        if not isinstance(sort_value, str):
            raise TypeError(sort_value)
        if isinstance(kind, LargeBinary):
            return bytes.fromhex(sort_value)
        if isinstance(kind, UtcDateTime):
            return datetime.fromisoformat(sort_value)
        return without_nul("a cursor", sort_value)


def _number(sort_value: Any) -> float:
    # Infinities and NaN, which Python's JSON reads, are in no cursor of ours.
    if type(sort_value) not in (int, float) or not math.isfinite(sort_value):
        raise TypeError(sort_value)
    return float(sort_value)


def _sortable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # JSON in a key is the text that it is, not a part of the cursor's own JSON.
    return type_coerce(column, Text()) if isinstance(column.type, JsonText) else column


def sort_key(value: ColumnElement[Any], *, descending: bool) -> SortKey:
    """The key that sorts by a value."""
    return SortKey(value, descending, may_be_null=not is_never_null(value))


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


def _sort_value(keys: Sequence[SortKey], position: int) -> Callable[[str], Any]:
    """Reads one sort value out of a cursor; Refused CURSOR_INVALID for what we did not hand out."""

    def read(cursor: str) -> Any:
        try:
            values = json.loads(bytes.fromhex(cursor))
            if isinstance(values, list) and len(values) == len(keys):
                return keys[position].read(values[position])
        except (ValueError, TypeError, OverflowError, RecursionError):
            pass
        sentence = "`after` and `before` take a cursor that this server handed out for the same order"
        raise Refused(Code.CURSOR_INVALID, sentence)

    return read


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows a connection is about: a table's row, what holds of it, and what to walk to find it.

    `order` are the keys before the id. `ways` are one more condition. No id is above one of `newest`.
    `facets` finds out which facets they are, if they are all builds of some, and `total` how many, if that is
    counted.
    """

    row: Scope
    conditions: Sequence[ColumnElement[bool]]
    driver: Driver | None
    order: Sequence[SortKey]
    ways: Ways | None = None
    newest: Sequence[ColumnElement[Any]] = ()
    facets: Callable[[], Facets | None] = lambda: None
    total: Callable[[], ColumnElement[Any] | None] = lambda: None

    @property
    def keys(self) -> list[SortKey]:
        """All sort keys; the row's identity is the last, taken from where the walk finds it."""
        identity = self.row.identity if self.driver is None else [self.driver.row_id]
        return [*self.order, *(SortKey(_sortable(column), True) for column in identity)]

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
        ways = [None] if self.ways is None else self.ways.ways
        rows = self._from_end() if page.from_end else self
        pages = [rows._page(page, bind, way) for way in ways]
        if len(pages) == 1:
            return pages[0]
        # Each way has its own order and limit, which a UNION takes only from within. No row around decides
        # them, so that they stand before the statement: within its lists, SQLite's parser has no room.
        return select(union_all(*(select(found.cte()) for found in pages)).subquery())

    def _page(self, page: Page, bind: Bind, way: Way | None) -> Select[Any]:
        keys = self.keys
        order = self._ordered(from_end=page.from_end)
        sort_values = [key.value.label(f"key{number}") for number, key in enumerate(keys)]
        position = func.row_number().over(order_by=order).label("position")
        condition = None if way is None else and_(way.is_taken, way.condition)
        statement = self._between(self._select(condition, position, *sort_values), page, bind)
        if self.driver is None and not self.order and not page.from_end:
            # Where these are all old, the walk begins with them: PostgreSQL thinks that they are everywhere.
            statement = statement.where(*(self.row.row_id <= one for one in self.newest))
        # The number of rows is written into the statement: as a parameter it would make PostgreSQL
        # plan anew on every run.
        limit: ColumnElement[Any] = literal_column(str(page.size + 1))
        return statement.order_by(*order).limit(limit if way is None else _rows_if(way.is_taken, limit))

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
        found = [_beyond(self.keys, cursor, bind, forward=forward)]
        walk = None if self.driver is None else self.driver.walk
        if walk is not None and not self.order:
            # What follows from it, said so that the walk begins there.
            key, first = self.keys[0], walk.columns[0]
            end = walk.first_of(bind(cursor, key.value.type, _sort_value(self.keys, 0)))
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


def _beyond(keys: Sequence[SortKey], cursor: Given, bind: Bind, *, forward: bool) -> ColumnElement[bool]:
    """The row stands after (or before) the cursor's: it differs first in a key that says so."""
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for position, key in enumerate(keys):
        end = bind(cursor, key.value.type, _sort_value(keys, position))
        ways.append(and_(*equal, key.beyond(end, forward=forward)))
        equal.append(key.value.is_not_distinct_from(end) if key.may_be_null else key.value == end)
    if len(ways) == 1:
        return ways[0]
    first = keys[0]
    if first.may_be_null:
        return or_(*ways)
    # What follows from the rest, said so that the walk of an index begins there.
    return and_(or_(ways[0], equal[0]), or_(*ways))
