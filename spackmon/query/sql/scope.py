"""A row source inside a statement, and the rows reached from it by foreign keys."""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    TableClause,
    UniqueConstraint,
    and_,
    case,
    column,
    or_,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler

from spackmon.models import Build, PackageVersion, Spec
from spackmon.models.places import number_column, part_columns

Attribute = InstrumentedAttribute[Any]

# Foreign keys that say once more what a path of them leads to, of rows that have the first of the path.
_REPEATED: Mapping[tuple[Attribute, ...], Attribute] = {
    (Build.spec_id, Spec.package_version_id, PackageVersion.package_id): Build.package_id
}


def referred_table(foreign_key: Attribute) -> FromClause:
    """The table whose rows' ids `foreign_key` holds, which may be none of the database's own (`refers`)."""
    holder = foreign_key.property.columns[0]
    tables = {key.column.table for key in holder.foreign_keys} or {holder.info["refers"]}
    table: FromClause = tables.pop()
    return table


class RowSource(TableClause):
    """An alias of a table, with the columns that were asked for.

    SQLAlchemy's own copies all columns, with their foreign keys and places for events: most of what a
    compilation makes, and leaves to the garbage collector, while no request goes on.
    """

    inherit_cache = False

    def __init__(self, table: Table, alias: str, *, is_certain: bool = True) -> None:
        """`is_certain` says that every row of the statement has a row of it."""
        super().__init__(alias)
        self.aliased = table
        self.is_certain = is_certain

    def column(self, name: str) -> ColumnElement[Any]:
        """A column of the table. Raises KeyError."""
        if name not in self.c:
            self.append_column(column(name, self.aliased.c[name].type))
        return self.c[name]


def is_unique(attribute: Attribute) -> bool:
    """Whether no two rows have the same value in a column."""
    return bool(attribute.property.columns[0].unique)


def is_seen_by_all(attribute: Attribute) -> bool:
    """Whether every viewer sees a column, and all rows of its table."""
    column_: Column[Any] = attribute.property.columns[0]
    return "seen_by" not in column_.info and "seen_by" not in column_.table.info


@cache
def _leads_an_index(column_: Column[Any]) -> bool:
    table: Any = column_.table
    uniques = (one for one in table.constraints if isinstance(one, UniqueConstraint))
    return any(next(iter(one.columns), None) is column_ for one in (*table.indexes, *uniques))


@cache
def has_index(*attributes: Attribute) -> bool:
    """Whether an index of all rows of their table has these columns before all others."""
    names = [one.property.columns[0].name for one in attributes]
    table: Any = attributes[0].property.columns[0].table
    return any(
        [one.name for one in index.columns][: len(names)] == names
        for index in table.indexes
        if index.dialect_options["postgresql"]["where"] is None
    )


@cache
def has_index_of_nulls(attribute: Attribute) -> bool:
    """Whether an index has the ids of the rows without this value: one of its values needs no ids then."""
    column_: Column[Any] = attribute.property.columns[0]
    table: Any = column_.table
    wheres = (index.dialect_options["postgresql"]["where"] for index in table.indexes)
    return any(str(where) == f"{column_.name} IS NULL" for where in wheres)


def is_never_null(value: ColumnElement[Any]) -> bool:
    """Whether a value is a column that is declared NOT NULL, of a row that is always there."""
    source = getattr(value, "table", None)
    if not isinstance(source, RowSource) or not source.is_certain:
        return False
    return not source.aliased.c[getattr(value, "name", "")].nullable


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

    def __init__(
        self, table: FromClause, names: Names, trunk: "Scope | None" = None, *, is_certain: bool = True
    ) -> None:
        self.table = table
        alias = f"t{next(names)}"
        self.source = (
            RowSource(table, alias, is_certain=is_certain) if isinstance(table, Table) else table.alias(alias)
        )
        self._names = names
        self._trunk = trunk or self
        self._followed: dict[str, Scope] = {}
        self._joins: list[tuple[FromClause, ColumnElement[bool]]] = []
        self._needed: list[tuple[FromClause, ColumnElement[bool]]] = []
        self.limits: Mapping[str, Any] = {}
        self.collected: FromClause | None = None
        self.reference: ColumnElement[Any] | None = None
        self._holder: tuple[Scope, Attribute] | None = None
        self._is_present = False
        self._front: FromClause | None = None
        self._is_led = False

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
        return self.column("id") if self.places is None else number_column(*self.places)

    @property
    def places(self) -> "tuple[ColumnElement[Any], ColumnElement[Any]] | None":
        """Of a row that is a place in another one the columns that its id is made of (`models.places`)."""
        names = self.table.info.get("places") if isinstance(self.table, Table) else None
        return None if names is None else (self.column(names[0]), self.column(names[1]))

    def has_id(self, row_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The row's id is this, said of the columns that an index has."""
        if self.places is None:
            return self.row_id == row_id
        return and_(*(own == part for own, part in zip(self.places, part_columns(row_id), strict=True)))

    def is_below(self, row_id: ColumnElement[Any]) -> ColumnElement[bool]:
        """The row's id is less than this, said so that the walk of an index begins there."""
        if self.places is None:
            return self.row_id < row_id
        (holder, place), (its_holder, its_place) = self.places, part_columns(row_id)
        return and_(holder <= its_holder, or_(holder < its_holder, place < its_place))

    @property
    def identity(self) -> list[ColumnElement[Any]]:
        """The columns that together identify the row: its id, in most tables."""
        return [self.column(one.key) for one in self.table.primary_key]

    def follow(self, foreign_key: Attribute) -> "Scope":
        """The row that `foreign_key` refers to; joined from the left, so that no row is dropped."""
        known = self._followed.get(foreign_key.key)
        if known is None:
            known = self._repeated(foreign_key) or self._joined_by(foreign_key)
            self._followed[foreign_key.key] = known
        return known

    def _joined_by(self, foreign_key: Attribute) -> "Scope":
        reference, table = self[foreign_key], referred_table(foreign_key)
        is_hidden = isinstance(table, Table) and "seen_by" in table.info
        is_certain = is_never_null(reference) and not is_hidden
        known = Scope(table, self._names, self._trunk, is_certain=is_certain)
        known.reference, known._holder = reference, (self, foreign_key)
        self._trunk._joins.append((known.source, and_(known.row_id == reference, *known._sees())))
        return known

    def follow_into(self, foreign_key: Attribute, rows: FromClause) -> None:
        """What `foreign_key` refers to is one of `rows`; a row for which it is not, is left out."""
        found = Scope(rows, self._names, self._trunk)
        self._trunk._needed.append((found.source, found.row_id == self[foreign_key]))
        self._followed[foreign_key.key] = found

    def is_exception(self, ids: Select[Any]) -> ColumnElement[bool]:
        """Whether it is one of a few rows."""
        return self.row_id.in_(ids)

    def is_there(self) -> ColumnElement[bool]:
        """Whether there is a row, once all that is asked of it has been compiled.

        Where nothing is read of it but what a foreign key repeats, that something refers to it is enough:
        then its table need not be read.
        """
        bypassed = {path[1].key for path in _REPEATED if self._holder and path[0] is self._holder[1]}
        is_read = not {"id", *bypassed}.issuperset(self.source.c.keys())
        if self.reference is None or is_read or self._sees():
            return self.row_id.is_not(None)
        return true() if is_never_null(self.reference) else self.reference.is_not(None)

    def is_found_by(self, attribute: Attribute) -> bool:
        """Whether an index of its table begins with a column that everybody sees."""
        column_: Column[Any] = attribute.property.columns[0]
        return not ("seen_by" in column_.info or self._sees()) and _leads_an_index(column_)

    def present(self) -> "Scope":
        """The same row for what is asked only where it is there: then foreign keys that repeat hold, too."""
        if self._holder is None or not any(self._holder[1] is path[0] for path in _REPEATED):
            return self
        same = copy(self)
        same._followed, same._is_present = {}, True
        return same

    def _repeated(self, foreign_key: Attribute) -> "Scope | None":
        """The row that `foreign_key` refers to, by a foreign key that an earlier row has of it."""
        row: Scope = self
        path: tuple[Attribute, ...] = (foreign_key,)
        while row._holder is not None:
            is_present = row._is_present
            row, followed = row._holder
            path = (followed, *path)
            if is_present and path in _REPEATED:
                return row.follow(_REPEATED[path])
        return None

    def behind(self, table: Table, reference: str) -> "Scope":
        """The rows of a table that refer to this one by a column: its statement begins with them."""
        other = Scope(table, self._names, self._trunk)
        self.reference, self._front = other.column(reference), other.source
        return other

    def attach(self, table: FromClause, condition: "Callable[[Scope], ColumnElement[bool]]") -> "Scope":
        """The rows of a table that fulfil a condition, joined from the left: this row stands beside each."""
        other = Scope(table, self._names, self._trunk, is_certain=False)
        self._trunk._joins.append((other.source, and_(condition(other), *other._sees())))
        return other

    def attach_referred(self, table: FromClause, reference: ColumnElement[Any]) -> "Scope":
        """The row of a table that has this id, which is there, joined from the left."""
        other = self.attach(table, lambda row: row.row_id == reference)
        other.reference = reference
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

    def led(self) -> "Scope":
        """The same row, which is found by what it belongs to and not by what else is asked of it."""
        self._is_led = True
        return self

    @property
    def is_led(self) -> bool:
        """Whether the rows of its statement are `led`."""
        return self._trunk._is_led

    def joined(self, base: FromClause | None = None) -> FromClause:
        """The FROM of this scope's statement, once every field has been compiled; `base` holds `source`."""
        whole = self.source if base is None else base
        if self._front is not None:
            # From the left: a database then leaves out a table of which it needs nothing.
            whole = self._front.outerjoin(whole, self.row_id == self.reference)
        for other, condition in self._needed:
            whole = whole.join(other, condition)
        for other, condition in self._joins:
            whole = whole.outerjoin(other, condition)
        return whole
