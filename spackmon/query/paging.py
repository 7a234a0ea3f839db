"""Relay connections: pages by keyset, newest row first.

A cursor is the hexadecimal of a JSON array of the row's sort values, which both databases can write;
rows sort by their id.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, func, literal_column, select

from spackmon.errors import Refused
from spackmon.query.fields import Bind, Driver
from spackmon.query.scope import Scope
from spackmon.query.values import Given

DEFAULT_PAGE, MAXIMUM_PAGE = 50, 100


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows a connection shows: `size` of them, from the start or the end, between two ids."""

    size: int
    from_end: bool
    after: ColumnElement[Any] | None
    before: ColumnElement[Any] | None


def read_page(arguments: Mapping[str, Given], first: int | None, last: int | None, bind: Bind) -> Page:
    """The page that a connection's arguments ask for; Refused when they cannot be meant."""
    if first is not None and last is not None:
        raise Refused("PAGE_INVALID", 400, "give either `first` or `last`, not both")
    name, size = ("last", last) if last is not None else ("first", first)
    if size is not None and size < 0:
        raise Refused("PAGE_INVALID", 400, f"`{name}` must not be negative, it is {size}")
    if size is not None and size > MAXIMUM_PAGE:
        raise Refused("PAGE_TOO_LARGE", 400, f"`{name}` may be at most {MAXIMUM_PAGE}, it is {size}")

    def cursor(side: str) -> ColumnElement[Any] | None:
        given = arguments.get(side)
        return None if given is None else bind(given, BigInteger, read_cursor)

    return Page(DEFAULT_PAGE if size is None else size, last is not None, cursor("after"), cursor("before"))


def read_cursor(cursor: str) -> int:
    """The row id in a cursor; Refused CURSOR_INVALID for anything that we did not hand out."""
    try:
        (row_id,) = json.loads(bytes.fromhex(cursor))
    except (ValueError, TypeError, RecursionError):
        row_id = None
    if type(row_id) is not int or not 0 <= row_id < 2**63:
        raise Refused("CURSOR_INVALID", 400, "`after` and `before` take a cursor that this server handed out")
    return row_id


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows a connection is about: a table's row, what holds of it, and what to walk to find it."""

    row: Scope
    conditions: Sequence[ColumnElement[bool]]
    driver: Driver | None

    @property
    def row_id(self) -> ColumnElement[Any]:
        """The rows' id, from where the walk finds it."""
        return self.row.row_id if self.driver is None else self.driver.row_id

    def _select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        if self.driver is None:
            return select(*columns).select_from(self.row.joined()).where(*self.conditions)
        source: FromClause = self.driver.source
        if self.conditions:
            source = self.row.joined(source.join(self.row.source, self.row.row_id == self.driver.row_id))
        return select(*columns).select_from(source).where(*self.driver.conditions, *self.conditions)

    def count(self) -> Select[Any]:
        """Counts them."""
        return self._select(func.count(type_=BigInteger()))

    def page(self, page: Page) -> Select[Any]:
        """The `id`s of a page and of one row more, numbered by `position` from 1 in walking order."""
        key = self.row_id
        order = key.asc() if page.from_end else key.desc()
        # The number of rows is written into the statement: as a parameter it would make PostgreSQL
        # plan anew on every run.
        statement = self._select(key.label("id"), func.row_number().over(order_by=order).label("position"))
        if page.after is not None:
            statement = statement.where(key < page.after)
        if page.before is not None:
            statement = statement.where(key > page.before)
        return statement.order_by(order).limit(literal_column(str(page.size + 1)))
