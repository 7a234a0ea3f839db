"""What the argument `orderBy` of a field means: keys that rows are sorted by, each of a column or of SQL."""

from typing import TYPE_CHECKING

from graphql import get_named_type

from spackmon.errors import Code, Refused
from spackmon.query.meanings.meaning import At
from spackmon.query.meanings.row_fields import Column, Expression
from spackmon.query.rows.sort_keys import SortKey, sort_key
from spackmon.query.sql.conditions import Path
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement


def ordered(at: At, row: Scope, statement: "Statement", *, are_all: bool = False) -> list[SortKey]:
    """The keys of the field's argument `orderBy`; `are_all` says that nothing leaves rows out."""
    arguments = statement.arguments(at)
    if "orderBy" not in arguments:
        return []
    input_name = get_named_type(at.definition.args["orderBy"].type).name
    elements = statement.each(arguments["orderBy"])
    return [_sort_key(input_name, one, row, statement, are_all) for one in elements]


def sole_column(at: At, statement: "Statement") -> Path | None:
    """Where the column is by which the only element of the field's argument `orderBy` sorts, if by one."""
    arguments = statement.arguments(at)
    elements = statement.each(arguments["orderBy"]) if "orderBy" in arguments else []
    if len(elements) != 1:
        return None
    input_name = get_named_type(at.definition.args["orderBy"].type).name
    (name,) = elements[0].members()
    meaning = statement.registry.meanings[input_name][name]
    return (*meaning.steps, meaning.attribute) if isinstance(meaning, Column) else None


def _sort_key(input_name: str, given: Given, row: Scope, statement: "Statement", are_all: bool) -> SortKey:
    """The key of one element of `orderBy`, which names one value and its direction."""
    named = [(name, statement.decided(value)) for name, value in given.members().items()]
    if len(named) != 1 or named[0][1] is None:
        raise Refused(Code.ORDER_INVALID, f"each {input_name} in `orderBy` must have exactly one field")
    ((name, direction),) = named
    meaning = statement.registry.meanings[input_name][name]
    # SQLite walks an index for each row as fast as for all.
    is_of_all = are_all and statement.dialect_name == "postgresql" and isinstance(meaning, Expression)
    value_of = (meaning.of_all if is_of_all else None) or meaning.value_of
    return sort_key(value_of(row), descending=direction == "DESC")
