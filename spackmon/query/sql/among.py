"""A column that has one of the values of a selection, so that it is planned alike on both databases."""

from collections.abc import Mapping
from typing import Any, Self

from sqlalchemy import Boolean, ColumnElement, Select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class _Membership(FunctionElement[bool]):
    """The column has one of the values that a selection gives."""

    type = Boolean()
    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], found: Select[Any]) -> None:
        super().__init__(column, found.scalar_subquery())

    def self_group(self, against: Any = None) -> Self:
        """As it is: what has no boolean type would be compared with 1, and no index be used."""
        return self

    def sides(self, compiler: SQLCompiler, options: Mapping[str, Any]) -> list[str]:
        """The column and the selection as SQL."""
        return [compiler.process(clause, **options) for clause in self.clauses]


class among(_Membership):  # noqa: N801 -- a function of SQL
    """The column has one of the values that a selection gives, for rows that are looked at one by one.

    PostgreSQL joins what stands behind IN, and so reads all rows before it shows the newest, and it begins
    with the first index that it finds, as SQLite does, though half of a site may have the same parameters.
    So both are asked in a form that they only test: PostgreSQL looks the value up in a hash of all, SQLite
    in an index of its own. If the selection `leads`, the rows are found by its values.
    """

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], found: Select[Any], *, leads: bool = False) -> None:
        super().__init__(column, found)
        self.leads = leads


class gathered(_Membership):  # noqa: N801 -- a function of SQL
    """The column has one of the values of a selection, however many PostgreSQL expects these to be.

    What is above specs that nearly everything contains it takes for a tenth of what it is, sorts, and tells
    apart before it joins. So all values are gathered first, and each row's is looked up in a hash of them.
    """

    inherit_cache = False


@compiles(gathered)
def _gathered(element: gathered, compiler: SQLCompiler, **options: Any) -> str:
    column, found = element.sides(compiler, options)
    return f"{column} IN {found}"


@compiles(gathered, "postgresql")
def _gathered_postgresql(element: gathered, compiler: SQLCompiler, **options: Any) -> str:
    column, found = element.sides(compiler, options)
    # A selection that it expects to be too large for its memory PostgreSQL would run again for each row.
    return f"({column} IN (SELECT unnest(ARRAY{found}))) IS TRUE"


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, found = element.sides(compiler, options)
    return f"{'' if element.leads else '+'}{column} IN {found}"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **options: Any) -> str:
    column, found = element.sides(compiler, options)
    # An array is guessed to have ten elements, and its elements are compared one after the other.
    return f"{column} = ANY (ARRAY{found})" if element.leads else f"({column} IN {found}) IS TRUE"
