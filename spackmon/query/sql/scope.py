"""A row source inside a statement, and the rows reached from it by foreign keys."""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, TableClause, and_, case, column, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler

Attribute = InstrumentedAttribute[Any]


def referred_table(foreign_key: Attribute) -> FromClause:
    """The table whose rows' ids `foreign_key` holds."""
    (key,) = foreign_key.property.columns[0].foreign_keys
    table: FromClause = key.column.table
    return table


class RowSource(TableClause):
    """An alias of a table, with the columns that were asked for.

    SQLAlchemy's own copies all columns, with their foreign keys and places for events: most of what a
    compilation makes, and leaves to the garbage collector, while no request goes on.
    """

    inherit_cache = False

    def __init__(self, table: Table, alias: str) -> None:
        super().__init__(alias)
        self.aliased = table

    def column(self, name: str) -> ColumnElement[Any]:
        """A column of the table. Raises KeyError."""
        if name not in self.c:
            self.append_column(column(name, self.aliased.c[name].type))
        return self.c[name]


@compiles(RowSource)
def _row_source(source: RowSource, compiler: SQLCompiler, *, asfrom: bool = False, **_: Any) -> str:
    alias = compiler.preparer.quote(source.name)
    return f"{compiler.preparer.format_table(source.aliased)} AS {alias}" if asfrom else alias


class Names(Iterator[int]):
    """What all scopes of one statement share: the numbers of their names, and the viewer's facts."""

    def __init__(self, fact: Callable[[str], ColumnElement[bool]]) -> None:
        """`fact` gives the parameter with a fact of the viewer."""
        self._numbers = count(1)
        self.fact = fact

    def __next__(self) -> int:
        return next(self._numbers)

    def sees(self, what: Mapping[Any, Any]) -> list[ColumnElement[bool]]:
        """What must hold of the viewer for what has this `info` to be seen."""
        fact = what.get("seen_by")
        return [] if fact is None else [self.fact(fact)]


class Scope:
    """One aliased table of a SELECT, and the joins that its fields ask for as they are compiled.

    Following the same foreign key twice joins once.
    """

    def __init__(self, table: FromClause, names: Names, trunk: "Scope | None" = None) -> None:
        self.table = table
        alias = f"t{next(names)}"
        self.source = RowSource(table, alias) if isinstance(table, Table) else table.alias(alias)
        self._names = names
        self._trunk = trunk or self
        self._followed: dict[str, Scope] = {}
        self._joins: list[tuple[FromClause, ColumnElement[bool]]] = []
        self._needed: list[tuple[FromClause, ColumnElement[bool]]] = []
        self.limits: Mapping[str, Any] = {}
        self.collected: FromClause | None = None

    def limited(self, limits: Mapping[str, Any]) -> "Scope":
        """The same row for the fields of an embedded object, whose arguments are its `limits`."""
        same = copy(self)
        same.limits = limits
        return same

    def collecting(self, rows: FromClause) -> "Scope":
        """The same row for the fields of an embedded object, whose lists share these `rows`."""
        same = copy(self)
        same.collected = rows
        return same

    def __getitem__(self, attribute: Attribute) -> ColumnElement[Any]:
        """A column; null where the viewer may not see it."""
        found = self.column(attribute.key)
        hidden = self._names.sees(attribute.property.columns[0].info)
        return case((hidden[0], found)) if hidden else found

    def column(self, name: str) -> ColumnElement[Any]:
        """A column, whoever asks. Raises KeyError."""
        return self.source.column(name) if isinstance(self.source, RowSource) else self.source.c[name]

    def whole(self) -> FromClause:
        """Its source, with all columns of its table."""
        if isinstance(self.source, RowSource):
            for one in self.source.aliased.columns:
                self.source.column(one.name)
        return self.source

    @property
    def row_id(self) -> ColumnElement[Any]:
        """The row's own id."""
        return self.column("id")

    @property
    def identity(self) -> list[ColumnElement[Any]]:
        """The columns that together identify the row: its id, in most tables."""
        return [self.column(one.key) for one in self.table.primary_key]

    def follow(self, foreign_key: Attribute) -> "Scope":
        """The row that `foreign_key` refers to; joined from the left, so that no row is dropped."""
        known = self._followed.get(foreign_key.key)
        if known is None:
            known = Scope(referred_table(foreign_key), self._names, self._trunk)
            seen = and_(known.row_id == self[foreign_key], *known._sees())
            self._trunk._joins.append((known.source, seen))
            self._followed[foreign_key.key] = known
        return known

    def follow_into(self, foreign_key: Attribute, rows: FromClause) -> None:
        """What `foreign_key` refers to is one of `rows`; a row for which it is not, is left out."""
        found = Scope(rows, self._names, self._trunk)
        self._trunk._needed.append((found.source, found.row_id == self[foreign_key]))
        self._followed[foreign_key.key] = found

    def attach(self, table: FromClause, condition: "Callable[[Scope], ColumnElement[bool]]") -> "Scope":
        """The rows of a table that fulfil a condition, joined from the left: this row stands beside each."""
        other = Scope(table, self._names, self._trunk)
        self._trunk._joins.append((other.source, and_(condition(other), *other._sees())))
        return other

    def attach_each(self, rows: FromClause) -> FromClause:
        """Rows that are made of this one, joined from the left: this row stands beside each."""
        self._trunk._joins.append((rows, true()))
        return rows

    def new_name(self) -> str:
        """A name that nothing else in the statement has."""
        return f"t{next(self._names)}"

    def along(self, steps: tuple[Attribute, ...]) -> "Scope":
        """The row at the end of several foreign keys."""
        scope = self
        for step in steps:
            scope = scope.follow(step)
        return scope

    def is_counted(self) -> list[ColumnElement[bool]]:
        """What must hold of a row of this table to be seen at all."""
        counted = self.table.info.get("counted") if isinstance(self.table, Table) else None
        return [*([] if counted is None else [self.column(counted).is_not(None)]), *self._sees()]

    def _sees(self) -> list[ColumnElement[bool]]:
        return self._names.sees(self.table.info) if isinstance(self.table, Table) else []

    def beneath(self, table: FromClause) -> "Scope":
        """A row source for a subquery of this one's statement."""
        return Scope(table, self._names)

    def joined(self, base: FromClause | None = None) -> FromClause:
        """The FROM of this scope's statement, once every field has been compiled; `base` holds `source`."""
        whole = self.source if base is None else base
        for other, condition in self._needed:
            whole = whole.join(other, condition)
        for other, condition in self._joins:
            whole = whole.outerjoin(other, condition)
        return whole
