"""Rows that are counted several times over: read once, with the columns that any of the counts asks for."""

from typing import Any

from sqlalchemy import ColumnElement, Select, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from spackmon.query.rows.paging import Rows
from spackmon.query.sql.scope import Names, RowSource, Scope


class ReadOnce:
    """The rows of a connection, by a name within its value: a WITH clause of that has them.

    Of 67,900 builds with an error PostgreSQL took 65 to 75 ms for each of four groups, nearly all of it to
    find the builds.
    """

    def __init__(self, rows: Rows, names: Names) -> None:
        self._rows, self._names = rows, names
        self.name = f"t{next(names)}"
        self._read: list[_Again] = []

    def again(self) -> Rows:
        """The same rows, as if they were a table."""
        row = Scope(self._rows.row.table, self._names)
        source = _Again(self._rows.row.table, row.source.name, self.name)
        row.source = source
        self._read.append(source)
        # A table of which nothing is asked is not said to be all of it.
        return Rows(row, [true()], None, [], facets=self._rows.facets)

    def before(self, value: Select[Any]) -> Select[Any]:
        """The statement of the value, once all that reads the rows has been compiled."""
        wanted = sorted({column.name for source in self._read for column in source.c})
        if not self._read:
            return value
        columns: list[ColumnElement[Any]] = [self._rows.row.column(name).label(name) for name in wanted]
        found = self._rows.whole(*columns).correlate_except(None)
        return value.add_cte(found.cte(self.name, nesting=True), nest_here=True)


class _Again(RowSource):
    """An alias of the rows, which have the table's columns."""

    inherit_cache = False

    def __init__(self, table: Any, alias: str, rows_name: str) -> None:
        super().__init__(table, alias)
        self.rows_name = rows_name


@compiles(_Again)
def _again(source: _Again, compiler: SQLCompiler, *, asfrom: bool = False, **_: Any) -> str:
    return f"{source.rows_name} AS {source.name}" if asfrom else source.name
