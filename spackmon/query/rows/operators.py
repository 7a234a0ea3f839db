"""What the operators of a filter ask of a column, such as `eq`, `in` or `startsWith`.

Every condition is true or false, never unknown (`filters`).
"""

import operator
from collections.abc import Callable, Iterable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, and_, false, func, literal_column, not_, true

from spackmon.errors import Code, Refused
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Filtering
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.values import Given, plain

# Above every character in byte order, as UTF-8 goes.
_HIGHEST_CHARACTER = constant("\U0010ffff")
_ONE = literal_column("1", Integer())


def unless(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """A condition that may be unknown does not hold."""
    return not_(func.coalesce(condition, false()))


def contains(text: ColumnElement[Any], part: ColumnElement[Any], filtering: Filtering) -> ColumnElement[bool]:
    """A text has a part somewhere."""
    position = func.instr if filtering.dialect_name == "sqlite" else func.strpos
    return position(text, part, type_=Integer()) > 0


def checked(value: Any) -> Any:
    """An operand as its column holds it. Raises Refused where it is a text with a NUL."""
    value = plain(value)
    return without_nul("a filter's value", value) if isinstance(value, str) else value


def _ends_with(text: ColumnElement[Any], end: ColumnElement[Any]) -> ColumnElement[bool]:
    start = func.length(text, type_=Integer()) - func.length(end, type_=Integer()) + _ONE
    return and_(start >= _ONE, func.substr(text, start) == end)


_COMPARISONS: dict[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "startsWith": lambda column, value: and_(column >= value, column < value.concat(_HIGHEST_CHARACTER)),
    "endsWith": _ends_with,
}
_INSENSITIVE = "Insensitive"
_LOWER_ASCII = str.maketrans(ascii_uppercase, ascii_lowercase)


def compared(
    name: str,
    column: ColumnElement[Any],
    given: Given,
    convert: Callable[[Any], Any],
    filtering: Filtering,
) -> ColumnElement[bool]:
    """What the operator of this name asks of a column; `convert` turns an operand into what that holds."""
    if name == "isNull":
        return column.is_(None) == filtering.bind(given, Boolean())
    if name == "in":
        return filtering.is_among(column, given, convert)
    if name == "notIn":
        return unless(filtering.is_among(column, given, convert))
    if name.endswith(_INSENSITIVE):
        # SQLite lowers ASCII letters alone; so does PostgreSQL where texts are in the order of bytes.
        lowered = func.lower(column, type_=column.type)
        sensitive = name.removesuffix(_INSENSITIVE)
        return compared(
            sensitive, lowered, given, lambda value: convert(value).translate(_LOWER_ASCII), filtering
        )
    operand = filtering.bind(given, column.type, convert)
    if name == "contains":
        return contains(column, operand, filtering)
    return _COMPARISONS[name](column, operand)


def all_of(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Every condition holds: a filter with nothing in it asks nothing."""
    return and_(true(), *conditions)


def operands(given: Given) -> list[tuple[str, Given]]:
    """What a filter names, such as its operators, each with what is given for it.

    Raises Refused FILTER_NULL for null.
    """
    members = list(given.members().items())
    for name, value in members:
        if value.value is None:
            raise Refused(Code.FILTER_NULL, f"`{name}` must not be null: leave it out, or use `isNull`")
    return members
