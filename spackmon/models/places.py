"""Numbers of rows that store none: each is a place in another row, and its number is made of both.

Whoever has the number has the other row's, which an index finds. `info["places"]` of their table are the
names of the two columns.
"""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, cast, literal_column

_PLACES = 1 << 20
# Above all numbers of when such rows had one of their own: what was linked to then is not another row now.
_FIRST = 1 << 11


def number_of(holder_id: int, place: int) -> int:
    """The number of what is in a place of a row; below 2^53, which JSON's readers have exactly."""
    return (holder_id + _FIRST) * _PLACES + place


def is_earlier(number: int) -> bool:
    """Whether it is a number of when such rows had one of their own."""
    return number < _FIRST * _PLACES


def holder_of(number: int) -> int:
    """The number of the row that this is a place in."""
    return number // _PLACES - _FIRST


def number_in_sql(holder_id: str, place: str) -> str:
    """The same as `number_of`, as a part of a statement."""
    return f"((CAST({holder_id} AS bigint) + {_FIRST}) * {_PLACES} + {place})"


def number_column(holder_id: Any, place: Any) -> ColumnElement[int]:
    """The same of two columns."""
    first, places = (literal_column(str(one), BigInteger()) for one in (_FIRST, _PLACES))
    number: ColumnElement[int] = (cast(holder_id, BigInteger()) + first) * places + place
    return number


def parts_in_sql(number: str) -> tuple[str, str]:
    """The number of the row and the place in it, as parts of a statement."""
    return f"({number} / {_PLACES} - {_FIRST})", f"({number} & {_PLACES - 1})"


def part_columns(number: Any) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The same of a number that a statement has."""
    first, places, last = (literal_column(str(one), Integer()) for one in (_FIRST, _PLACES, _PLACES - 1))
    return number // places - first, number.bitwise_and(last)
