"""What rows are sorted by, and how a cursor says where in that order one stands.

A cursor is the hexadecimal of a JSON array of the row's sort values, which both databases can write.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, Integer, LargeBinary, Text, and_, or_, type_coerce

from spackmon.errors import Code, Refused
from spackmon.models.columns import JsonText, UtcDateTime
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Bind
from spackmon.query.sql.scope import is_never_null
from spackmon.query.sql.values import Given


@dataclass(frozen=True, slots=True)
class SortKey:
    """A value that rows are sorted by. NULL is last, whatever the direction.

    Where it cannot be NULL, nothing is said of NULL: an index then serves either direction. `of_null` is a
    value that stands after all others, for a cursor of a row without one.
    """

    value: ColumnElement[Any]
    descending: bool
    may_be_null: bool = False
    of_null: Any = None

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
        if sort_value is None and (self.may_be_null or self.of_null is not None):
            return self.of_null
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


def sortable(column: ColumnElement[Any]) -> ColumnElement[Any]:
    # JSON in a key is the text that it is, not a part of the cursor's own JSON.
    return type_coerce(column, Text()) if isinstance(column.type, JsonText) else column


def sort_key(value: ColumnElement[Any], *, descending: bool) -> SortKey:
    """The key that sorts by a value."""
    return SortKey(value, descending, may_be_null=not is_never_null(value))


def sort_value(keys: Sequence[SortKey], position: int) -> Callable[[str], Any]:
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


def beyond(keys: Sequence[SortKey], cursor: Given, bind: Bind, *, forward: bool) -> ColumnElement[bool]:
    """The row stands after (or before) the cursor's: it differs first in a key that says so."""
    ways: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for position, key in enumerate(keys):
        end = bind(cursor, key.value.type, sort_value(keys, position))
        ways.append(and_(*equal, key.beyond(end, forward=forward)))
        equal.append(key.value.is_not_distinct_from(end) if key.may_be_null else key.value == end)
    if len(ways) == 1:
        return ways[0]
    first = keys[0]
    if first.may_be_null:
        return or_(*ways)
    # What follows from the rest, said so that the walk of an index begins there.
    return and_(or_(ways[0], equal[0]), or_(*ways))
