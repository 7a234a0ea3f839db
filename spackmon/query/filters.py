"""What the fields of a filter ask of a row.

Every condition is true or false, never unknown: what is not there differs from every value, so that `not`
gives exactly the other rows. An empty list, wherever it stands, matches nothing.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer, and_, false, func, not_, or_, select, true

from spackmon.errors import Refused
from spackmon.graph.versions import version_key
from spackmon.query.fields import Belongs, Condition, Filtering, Predicate
from spackmon.query.json_text import constant
from spackmon.query.lookups import without_nul
from spackmon.query.scope import Attribute, Scope
from spackmon.query.values import Given, plain

# Above every character in byte order, as UTF-8 goes.
_HIGHEST_CHARACTER = constant("\U0010ffff")

Operand = Callable[[Given], ColumnElement[Any]]


def compares(*path: Attribute, convert: Callable[[Any], Any] | None = None) -> Predicate:
    """A column, reached by foreign keys, compared by the operators that are given.

    `convert` turns an operand into what the column holds.
    """

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        column = row.along(path[:-1])[path[-1]]

        def operand(value: Given) -> ColumnElement[Any]:
            return filtering.bind(value, column.type, convert or _checked)

        return Condition(
            _all(_operator(name, column, value, operand, filtering) for name, value in _given(given))
        )

    return predicate


def compares_versions(*path: Attribute) -> Predicate:
    """A version key, compared as Spack orders versions."""
    return compares(*path, convert=_version_operand)


def _version_operand(version: Any) -> bytes:
    return version_key(without_nul("version", version))


def through(input_name: str, *path: Attribute) -> Predicate:
    """The row that foreign keys lead to, if there is one, passes a filter."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        other = row.along(path)
        return Condition(other.row_id.is_not(None) & _passes(input_name, given, other, filtering))

    return predicate


def related(input_name: str, model: Any, belongs: Belongs) -> Predicate:
    """Of the rows that belong to this one, `some`, `none` or `every` one passes a filter."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        return Condition(_all(quantified(name, value, row, filtering) for name, value in _given(given)))

    def quantified(name: str, value: Given, row: Scope, filtering: Filtering) -> ColumnElement[bool]:
        other = row.beneath(model.__table__)
        passes = _passes(input_name, value, other, filtering)
        sought = _unless(passes) if name == "every" else passes
        rows = select(constant("")).select_from(other.joined()).where(belongs(row, other), sought)
        found = rows.correlate_except(None).exists()
        return found if name == "some" else not_(found)

    return predicate


def all_hold(input_name: str) -> Predicate:
    """Every filter of a list holds."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        parts = [_passes(input_name, one, row, filtering) for one in given.elements()]
        return Condition(and_(*parts) if parts else false())

    return predicate


def one_holds(input_name: str) -> Predicate:
    """At least one filter of a list holds."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        return Condition(
            or_(false(), *(_passes(input_name, one, row, filtering) for one in given.elements()))
        )

    return predicate


def does_not_hold(input_name: str) -> Predicate:
    """A filter does not hold."""

    def predicate(row: Scope, given: Given, filtering: Filtering) -> Condition:
        return Condition(_unless(_passes(input_name, given, row, filtering)))

    return predicate


def _passes(input_name: str, given: Given, row: Scope, filtering: Filtering) -> ColumnElement[bool]:
    if given.value is None:
        raise Refused("FILTER_NULL", 400, f"a {input_name} in a list or a relation must not be null")
    return _all(condition.holds for condition in filtering.all_of(input_name, given, row))


def _all(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    # A filter with nothing in it asks nothing.
    return and_(true(), *conditions)


def _unless(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return not_(func.coalesce(condition, false()))


def _given(given: Given) -> list[tuple[str, Given]]:
    members = list(given.members().items())
    for name, value in members:
        if value.value is None:
            raise Refused("FILTER_NULL", 400, f"`{name}` must not be null: leave it out, or use `isNull`")
    return members


def _checked(value: Any) -> Any:
    value = plain(value)
    return without_nul("a filter's value", value) if isinstance(value, str) else value


_COMPARISONS: dict[str, Callable[[ColumnElement[Any], ColumnElement[Any]], ColumnElement[bool]]] = {
    "eq": operator.eq,
    "ne": lambda column, value: column.is_distinct_from(value),
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "startsWith": lambda column, value: and_(column >= value, column < value.concat(_HIGHEST_CHARACTER)),
}


def _operator(
    name: str, column: ColumnElement[Any], given: Given, operand: Operand, filtering: Filtering
) -> ColumnElement[bool]:
    if name == "in":
        return or_(false(), *(column == operand(one) for one in given.elements()))
    if name == "isNull":
        return column.is_(None) == filtering.bind(given, Boolean())
    if name == "contains":
        position = func.instr if filtering.dialect_name == "sqlite" else func.strpos
        return position(column, operand(given), type_=Integer()) > 0
    return _COMPARISONS[name](column, operand(given))
