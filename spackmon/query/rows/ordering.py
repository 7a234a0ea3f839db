"""Orders that no index has as a whole: each part of the rows is walked in an order that one has.

A part gives no more rows than a page has and one; only these are sorted.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    and_,
    case,
    literal_column,
    or_,
    select,
)

from spackmon.models.columns import UtcDateTime
from spackmon.query.rows.sort_keys import SortKey, beyond, sort_key, sort_value
from spackmon.query.sql.among import among
from spackmon.query.sql.conditions import Bind, Path
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import (
    Attribute,
    Scope,
    has_index,
    has_index_of_nulls,
    is_never_null,
    referred_table,
)
from spackmon.query.sql.values import Given

_ABOVE_ALL, _BELOW_ALL = (literal_column(one, BigInteger()) for one in (str(2**63 - 1), "-1"))
_EXTREMES: Sequence[tuple[Any, Any, Any]] = (
    (UtcDateTime, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    (Float, -sys.float_info.max, sys.float_info.max),
    (Integer, -(2**63), 2**63 - 1),
)


class Placed(Protocol):
    """Which rows a page shows, as paging.Page says it."""

    @property
    def size(self) -> int:
        """How many."""

    @property
    def from_end(self) -> bool:
        """Whether they are walked from the end."""

    @property
    def after(self) -> Given | None:
        """The cursor that they stand after."""

    @property
    def before(self) -> Given | None:
        """The cursor that they stand before."""


def parts_of(row: Scope, path: Path, keys: Sequence[SortKey], page: Placed, bind: Bind) -> list[Select[Any]]:
    """What a page has of each part of all rows of a table; none where there is no index for it.

    `path` leads to the column of the first of the two `keys`; the other is the id. Columns: `key0`, `key1`.
    """
    if len(keys) != 2:
        return []
    parts = _Parts(row, path[0], keys, page, bind)
    columns = [one.property.columns[0] for one in path]
    if [one.name for one in row.identity] != ["id"] or any("seen_by" in one.info for one in columns):
        return []
    column, id_ = columns[-1], path[0].class_.id
    if len(path) == 1 and "values" in column.info:
        return parts.of_values(column.info["values"], column.info["usual"])
    if len(path) == 1 and keys[0].may_be_null and has_index_of_nulls(path[0]):
        return parts.with_value_and_without(nulls_by_id=True)
    if len(path) == 1 and keys[0].may_be_null and has_index(path[0], id_):
        return parts.with_value_and_without(nulls_by_id=False)
    if len(path) == 2 and has_index(path[0], id_):
        return parts.of_references(path[1])
    return []


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of all rows, by the column that orders them or leads to what does."""

    row: Scope
    attribute: Attribute
    keys: Sequence[SortKey]
    page: Placed
    bind: Bind

    def of_values(self, values: Sequence[str], usual: str) -> list[Select[Any]]:
        """The rows of each value that the column may have: an index of a value's rows is one of their ids.

        Those of the `usual` one are in none.
        """
        value, number = self.keys
        by_id = [number.ordered(from_end=self.page.from_end)]
        # SQLite takes an index of some rows where its condition is written, and draws no conclusions.
        is_unusual = value.value != constant(usual)
        return [
            self._part(
                self.keys, by_id, value.value == constant(one) if one == usual
                else and_(value.value == constant(one), is_unusual),
            )
            for one in values
        ]  # fmt: skip

    def with_value_and_without(self, *, nulls_by_id: bool) -> list[Select[Any]]:
        """The rows that have a value, and those that have none, which stand last.

        `nulls_by_id` says that an index has the ids of these alone.
        """
        key, number = self.keys
        extreme = _extreme(key)
        if extreme is None:
            return []
        known = replace(key, may_be_null=False, of_null=extreme)
        is_backward = key.descending == self.page.from_end
        value = key.value.asc().nulls_first() if is_backward else key.value.desc().nulls_last()
        by_id = number.ordered(from_end=self.page.from_end)
        without = key.value.asc().nulls_first() if self.page.from_end else key.value.desc().nulls_last()
        return [
            self._part([known, number], [value, by_id], key.value.is_not(None)),
            self._part(self.keys, [by_id] if nulls_by_id else [without, by_id], key.value.is_(None)),
        ]

    def of_references(self, attribute: Attribute) -> list[Select[Any]]:
        """The rows of each row that the column leads to, in the order of these; and those of none."""
        key, number = self.keys
        referred = self.row.beneath(referred_table(self.attribute))
        own = self.row.beneath(self.row.table)
        name = sort_key(referred[attribute], descending=key.descending)
        keys = [name, SortKey(own.row_id, descending=True)]
        order = [one.ordered(from_end=self.page.from_end) for one in keys]
        columns = (one.value.label(f"key{position}") for position, one in enumerate(keys))
        source = referred.source.join(own.source, among(own.row_id, self._of(referred, name), leads=True))
        found = select(*columns).select_from(source).order_by(*order).limit(self._limit)
        for cursor, forward in self._ends():
            end = self.bind(cursor, name.value.type, sort_value(self.keys, 0))
            found = found.where(or_(name.beyond(end, forward=forward), _is(name, end)))
        nowhere = self.row[self.attribute]
        if is_never_null(nowhere):
            return [found]
        without = nowhere.asc() if self.page.from_end else nowhere.desc()
        by_id = number.ordered(from_end=self.page.from_end)
        return [found, self._part(self.keys, [without, by_id], nowhere.is_(None))]

    def _of(self, referred: Scope, name: SortKey) -> Select[Any]:
        """The ids of a page's rows that lead to one."""
        one = self.row.beneath(self.row.table)
        ids = select(one.row_id).where(one[self.attribute] == referred.row_id)
        for cursor, forward in self._ends():
            end = self.bind(cursor, name.value.type, sort_value(self.keys, 0))
            last = self.bind(cursor, self.keys[1].value.type, sort_value(self.keys, 1))
            bound = case((_is(name, end), last), else_=_ABOVE_ALL if forward else _BELOW_ALL)
            ids = ids.where(one.row_id < bound if forward else one.row_id > bound)
        by_id = SortKey(one.row_id, descending=True).ordered(from_end=self.page.from_end)
        return ids.order_by(by_id).limit(self._limit).correlate(referred.source)

    def _part(
        self, keys: Sequence[SortKey], order: Sequence[ColumnElement[Any]], is_of_it: ColumnElement[bool]
    ) -> Select[Any]:
        columns = (key.value.label(f"key{position}") for position, key in enumerate(keys))
        found = select(*columns).select_from(self.row.joined()).where(is_of_it)
        for cursor, forward in self._ends():
            found = found.where(beyond(keys, cursor, self.bind, forward=forward))
        return found.order_by(*order).limit(self._limit)

    def _ends(self) -> list[tuple[Given, bool]]:
        ends = ((self.page.after, True), (self.page.before, False))
        return [(cursor, forward) for cursor, forward in ends if cursor is not None]

    @property
    def _limit(self) -> ColumnElement[Any]:
        return literal_column(str(self.page.size + 1))


def _is(key: SortKey, end: ColumnElement[Any]) -> ColumnElement[bool]:
    return key.value.is_not_distinct_from(end) if key.may_be_null else key.value == end


def _extreme(key: SortKey) -> Any:
    """What stands after all values, as what has none does."""
    for type_, least, greatest in _EXTREMES:
        if isinstance(key.value.type, type_):
            return least if key.descending else greatest
    return None
