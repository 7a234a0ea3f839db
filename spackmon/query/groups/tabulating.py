"""Tables of builds, and of what could not be concretized, with what leads from their cells to these."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import strawberry
from sqlalchemy import ColumnElement, FromClause, Select, false, select

from spackmon.errors import Code, Refused
from spackmon.models import Build, ConcretizationFailure, Package, Person
from spackmon.query.groups import aggregates
from spackmon.query.groups.aggregates import DEFAULT_GROUPS, MAXIMUM_GROUPS
from spackmon.query.groups.counting import INCLUDE_INSTALLED
from spackmon.query.groups.group_keys import Key, KeyColumns, shown, value_of
from spackmon.query.groups.tables import Table
from spackmon.query.meanings.connections import Connected
from spackmon.query.meanings.fields import PAGING, SQL, argument
from spackmon.query.meanings.meaning import At, Meaning
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.json_text import Json
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

if TYPE_CHECKING:
    from spackmon.query.meanings.statement import Statement

# Reads every row of the list.
_COST = 1000
_TABLE = "table"
"""The limit of a cell that is where its table stands."""

_COMPILER = (
    ConcretizationFailure.compiler_name,
    ConcretizationFailure.compiler_key,
    ConcretizationFailure.compiler,
)
_VERSION = ConcretizationFailure.version_key, ConcretizationFailure.version
_NAMED: Mapping[str, KeyColumns] = {
    "package": value_of(ConcretizationFailure.package_id, Package.name),
    "version": lambda row, _: [row[column] for column in _VERSION],
    "compiler": lambda row, _: [row[column] for column in _COMPILER],
    "os": value_of(ConcretizationFailure.operating_system),
    "target": value_of(ConcretizationFailure.target),
    "owner": value_of(ConcretizationFailure.owner_id, Person.name),
}
"""The keys by which a failure to concretize is counted: by what was requested."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a table's arguments say."""

    row_key: Key
    column_key: Key
    package: Given | None
    with_installed: bool
    with_failures: bool

    @property
    def named(self) -> tuple[Key, Key]:
        """The keys of failures. Raises Refused GROUPS_INVALID where they have no such thing."""
        for key in (self.row_key, self.column_key):
            if key.name not in _NAMED:
                allowed = ", ".join(name.upper() for name in _NAMED)
                raise Refused(
                    Code.GROUPS_INVALID,
                    f"`includeFailedToConcretize` counts by {allowed}, which requests name; "
                    f"they name no {key.name.upper()}",
                )
        first, second = (Key(key.name, _NAMED[key.name]) for key in (self.row_key, self.column_key))
        return first, second


def _asked(at: At, statement: "Statement") -> _Asked:
    arguments = statement.arguments(at)
    rows, columns, with_installed, with_failures = (
        statement.decided(arguments[name])
        for name in ("rows", "columns", "includeInstalled", "includeFailedToConcretize")
    )
    return _Asked(rows, columns, arguments.get("package"), bool(with_installed), bool(with_failures))


@dataclass(frozen=True, slots=True)
class Tabulated(Meaning):
    """A root field: builds counted by two keys, as a table."""

    @property
    def own_cost(self) -> int:
        """See Meaning."""
        return _COST

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        asked = _asked(at, statement)
        first = aggregates.read_first(statement.decided(statement.arguments(at).get("first")))
        failures = _failures(asked, at, statement) if asked.with_failures else None
        table = Table(
            asked.row_key, asked.column_key, first, statement.rows, statement.dialect_name, failures
        )
        found = self._found(table, asked, Connected(Build, None).filtered(at, statement), statement)
        cells = Scope(found.cte(statement.new_name()), statement.names)
        return statement.object(at, cells.limited({_TABLE: at}))

    def _found(self, table: Table, asked: _Asked, builds: Rows, statement: "Statement") -> Select[Any]:
        """Every cell of these builds."""
        is_of_package = None
        if asked.package is not None:
            is_of_package = partial(aggregates.is_of_package, name=asked.package, bind=statement.bind)
        known = builds.facets() if table.is_by_facet else None
        if known is not None and known.are_whole and not known.exceptions:
            return table.of_facets(known, is_of_package, with_installed=asked.with_installed)
        return table.of(_counted(builds, asked, statement))


def _counted(builds: Rows, asked: _Asked, statement: "Statement") -> Rows:
    if not asked.with_installed:
        builds = aggregates.built(builds)
    if asked.package is not None:
        is_of_package = partial(aggregates.is_of_package, name=asked.package, bind=statement.bind)
        builds = aggregates.of_package(builds, is_of_package)
    return builds


def _failures(asked: _Asked, at: At, statement: "Statement") -> FromClause:
    """The failures that a table counts, with the columns of its axes."""
    failure = at.row.beneath(ConcretizationFailure.__table__)
    labelled = aggregates.axes(failure, *asked.named, statement.dialect_name)
    holds = _of_package(failure, asked, statement)
    return statement.rows(select(*labelled).select_from(failure.joined()).where(*holds))


def _of_package(failure: Scope, asked: _Asked, statement: "Statement") -> list[ColumnElement[bool]]:
    if asked.package is None:
        return []
    package = failure.follow(ConcretizationFailure.package_id)
    return [aggregates.is_of_package(package, asked.package, statement.bind)]


@dataclass(frozen=True, slots=True)
class Cells(Meaning):
    """All cells of a table, row by row."""

    def json(self, at: At, statement: "Statement") -> Json:
        """See Meaning."""
        cells = at.row.beneath(at.row.table).limited(at.row.limits)
        body = statement.object(at, cells).label("body")
        order = aggregates.order_of_cells(cells)
        return statement.listed(select(body).select_from(cells.joined()).order_by(*order))


@dataclass(frozen=True, slots=True)
class Counted(Connected):
    """The builds that a cell counts, or if its `model` is that, the failures to concretize."""

    def filtered(self, at: At, statement: "Statement") -> Rows:
        """See Connected."""
        # Not super(): the class that a dataclass with slots makes is another than the one in the text.
        rows = Connected.filtered(self, at, statement)
        return rows.narrowed(self._is_in_cell(rows.row, at, statement))

    def _is_in_cell(self, row: Scope, at: At, statement: "Statement") -> ColumnElement[bool]:
        table = at.row.limits[_TABLE]
        asked = _asked(table, statement)
        if self.model is not Build and not asked.with_failures:
            return false()
        # Rows of their own: keys join to them, and a row stands there once for every tag.
        one = row.beneath(self.model.__table__)
        if self.model is Build:
            keys = asked.row_key, asked.column_key
            counted = _counted(Rows(one, statement.holds_by(table, "where", one), None, ()), asked, statement)
            holds = list(counted.conditions)
        else:
            keys, holds = asked.named, _of_package(one, asked, statement)
        for axis in aggregates.axes(one, *keys, statement.dialect_name):
            holds.append(shown(axis).element.is_not_distinct_from(at.row.column(axis.name)))
        found = select(one.row_id).select_from(one.joined()).where(*holds)
        return row.row_id.in_(found.correlate_except(None))


def tabulated(key_type: Any, where: Any, *, description: str) -> Any:
    """The root field `matrix`."""
    field = strawberry.field(metadata={SQL: Tabulated()}, description=description)
    field.arguments = [
        argument("package", str | None, "Only of this package."),
        argument("rows", key_type, "What the rows are."),
        argument("columns", key_type, "What the columns are."),
        argument("where", where | None, "Only these builds."),
        INCLUDE_INSTALLED,
        argument(
            "include_failed_to_concretize",
            bool,
            "Whether to count also what could not be concretized, by what was requested; whatever `where`.",
            False,
        ),
        argument(
            "first",
            int,
            f"How many rows and columns, those with the most builds; at most {MAXIMUM_GROUPS}.",
            DEFAULT_GROUPS,
        ),
    ]
    return field


def cells(*, description: str) -> Any:
    """The field of a table that lists its cells."""
    return strawberry.field(metadata={SQL: Cells()}, description=description)


def counted_in_cell(model: Any, *, description: str) -> Any:
    """A connection of a cell: the rows of a model that it counts."""
    field = strawberry.field(metadata={SQL: Counted(model, None)}, description=description)
    field.arguments = list(PAGING)
    return field
