"""Counting: what `groupBy` and `matrix` are in SQL.

The rows come as a connection filters them, a build with several tags once for each where tags are a key.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    Text,
    case,
    func,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy import cast as sql_cast

from spackmon.errors import Code, Refused
from spackmon.models import Build, Package
from spackmon.query.groups.group_keys import Key, shown
from spackmon.query.groups.measures import (
    DOUBLE,
    NEEDED,
    OF_PLACES,
    all_measured,
    number_of,
    ranked,
    success_rate,
    whole_number,
)
from spackmon.query.meanings.fields import json_value, value
from spackmon.query.rows.facets import Nested
from spackmon.query.rows.lookups import without_nul
from spackmon.query.rows.paging import Rows
from spackmon.query.sql.conditions import Bind, ValueOf
from spackmon.query.sql.json_text import JsonWriter, constant
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given
from spackmon.status import BuildStatus, InstalledFrom

DEFAULT_GROUPS, MAXIMUM_GROUPS = 100, 500
MAXIMUM_GROUPS_BEFORE = 100_000
KEY_PREFIX = "key_"


def aggregate(name: str, *, description: str, compared: bool = False) -> Any:
    """A field of a group or cell: a column of the statements here. Groups are `compared` by it."""
    return value(measure(name), description=description, filters=compared, sorts=compared)


def measure(name: str) -> ValueOf:
    """A column of a group or cell."""
    return lambda row: row.source.c[name]


def key_value(name: str, *, description: str) -> Any:
    """A field of a group's keys: null as well where the rows are not grouped by it."""

    def shown(row: Scope) -> ColumnElement[Any]:
        found = row.source.c.get(KEY_PREFIX + name)
        return sql_cast(null(), Text) if found is None else found

    return value(shown, description=description)


def knows(fact: str) -> Callable[[Scope], ColumnElement[bool]]:
    """Whether any row of a group has a fact that is measured by places."""
    return lambda group: group.source.c[f"{fact}_count"] > 0


def read_offset(offset: int) -> int:
    """How many groups to pass over; Refused when it cannot be meant."""
    if not 0 <= offset <= MAXIMUM_GROUPS_BEFORE:
        sentence = f"`offset` must be from 0 to {MAXIMUM_GROUPS_BEFORE:,}, it is {offset}"
        raise Refused(Code.GROUPS_INVALID, sentence)
    return offset


def read_first(first: int) -> int:
    """How many groups; Refused when it cannot be meant."""
    if not 0 <= first <= MAXIMUM_GROUPS:
        sentence = f"`first` of groups must be from 0 to {MAXIMUM_GROUPS}, it is {first}"
        raise Refused(Code.GROUPS_INVALID, sentence)
    return first


def groups(
    rows: Rows,
    keys: Sequence[Key],
    facts: Mapping[str, ValueOf],
    measured: Sequence[str],
    nested: Nested,
    dialect_name: str,
) -> Select[Any]:
    """Every group. Columns: `place` from 1, the largest first, each key's, `count`, and what is `measured`.

    Raises Refused when a key is there twice.
    """
    check_keys(keys)
    labelled = [column for key in keys for column in _told_apart_by(key, rows.row, dialect_name)]
    names = [column.name for column in labelled]
    needed = {NEEDED[name] for name in measured}
    values = [value_of(rows.row).label(name) for name, value_of in facts.items() if name in needed]
    # SQLite has no SELECT without a column.
    source = nested(rows.each(*labelled, *values, whole_number(1).label("each")))
    placed = [NEEDED[name] for name in measured if name in OF_PLACES]
    if placed and dialect_name != "postgresql":
        source = nested(ranked(source, names, placed))
    if not any(key.reached for key in keys):
        return grouped(source, names, measured)
    by = [source.c[name] for name in names]
    counted = select(*by, *all_measured(source, measured)).select_from(source).group_by(*by)
    return _named(rows.row.beneath(nested(counted)), keys, names)


def _told_apart_by(key: Key, row: Scope, dialect_name: str) -> list[ColumnElement[Any]]:
    """A key's columns, or the foreign key that stands for them.

    Numbers are compared faster than names, and names looked up for each group alone: of a month of 55,000
    builds by package, with durations, that was a fifth of all.
    """
    name = KEY_PREFIX + key.name
    return [key.reached.reference(row).label(name)] if key.reached else key.labelled(row, dialect_name, name)


def _named(group: Scope, keys: Sequence[Key], names: Sequence[str]) -> Select[Any]:
    """The groups of `groups`, of which some have foreign keys for what is shown."""
    reached = {KEY_PREFIX + key.name: key.reached for key in keys}
    by = {
        name: group.column(name) if (known := reached.get(name)) is None else known.of(group, name)
        for name in names
    }
    measures = [column for column in group.source.c if column.name not in by]
    place = _place(group.column("count"), list(by.values()))
    keys_shown = [shown(column).label(name) for name, column in by.items()]
    return select(place, *keys_shown, *measures).select_from(group.joined())


def check_keys(keys: Sequence[Key]) -> None:
    """Raises Refused when a key is there twice."""
    if len({key.name for key in keys}) < len(keys):
        raise Refused(Code.GROUPS_INVALID, "each key of a `groupBy` may be there only once")


def grouped(source: FromClause, names: Sequence[str], measured: Sequence[str]) -> Select[Any]:
    """The groups of `groups`, of rows with the keys' columns of these names; each stands for its `weight`."""
    by = [source.c[name] for name in names]
    place = _place(number_of(source), by)
    measures = all_measured(source, measured)
    return select(place, *map(shown, by), *measures).select_from(source).group_by(*by)


def _place(count: ColumnElement[int], by: Sequence[ColumnElement[Any]]) -> ColumnElement[int]:
    return func.row_number().over(order_by=[count.desc(), *_ascending(by)]).label("place")


def axes(row: Scope, row_key: Key, column_key: Key, dialect_name: str) -> list[ColumnElement[Any]]:
    """The columns `row` and `column` of a build, or of what cells count else, and what they are sorted by."""
    return [
        *row_key.labelled(row, dialect_name, "row"),
        *column_key.labelled(row, dialect_name, "column"),
    ]


def table(
    rows: Rows,
    row_key: Key,
    column_key: Key,
    first: int,
    nested: Nested,
    dialect_name: str,
    failures: FromClause | None = None,
) -> Select[Any]:
    """The cells of the largest rows and columns. Columns: those of `axes`, `count`, `succeeded`, `failed`,
    `success_rate`, `latest_status` and `failed_to_concretize`.
    """
    labelled = axes(rows.row, row_key, column_key, dialect_name)
    facts = [rows.row[fact].label(fact.key) for fact in (Build.id, Build.status, Build.started_at)]
    source = nested(rows.whole(*labelled, *facts))
    return cells(source, [column.name for column in labelled], first, nested, failures)


def cells(
    source: FromClause,
    names: Sequence[str],
    first: int,
    nested: Nested,
    failures: FromClause | None = None,
) -> Select[Any]:
    """The cells of `table`, of rows with its keys' columns of these names, `id`, `status` and `started_at`.

    Where each stands for its `weight`, they are those of the newest build. `failures` are rows with the
    same keys' columns, of what could not be concretized; None where they are not counted.
    """
    cell = [source.c["row"], source.c["column"]]
    newest_first = [source.c["started_at"].desc().nulls_last(), source.c["id"].desc()]
    age = func.row_number().over(partition_by=cell, order_by=newest_first).label("age")
    aged = nested(select(source, age))
    by = [aged.c[name] for name in names]
    status = aged.c["status"]
    counted = nested(
        select(
            *(shown(column) for column in by),
            number_of(aged).label("count"),
            number_of(aged, status == constant(BuildStatus.SUCCESS)).label("succeeded"),
            number_of(aged, status == constant(BuildStatus.FAILED)).label("failed"),
            *success_rate(aged),
            func.max(case((aged.c["age"] == 1, status)), type_=Text()).label("latest_status"),
            sql_cast(null(), BigInteger).label("failed_to_concretize"),
        ).group_by(*by)
    )
    if failures is not None:
        counted = nested(_with_failures(counted, names, failures, nested))
    return _largest(counted, names, first, nested)


def _with_failures(
    counted: FromClause, names: Sequence[str], failures: FromClause, nested: Nested
) -> Select[Any]:
    """The cells, and those of what could not be concretized: a cell may have either alone."""
    number = func.count(type_=BigInteger())
    by = [failures.c[name] for name in names]
    failed = select(
        *by,
        *(sql_cast(whole_number(0), BigInteger).label(name) for name in ("count", "succeeded", "failed")),
        sql_cast(null(), DOUBLE).label("success_rate"),
        sql_cast(null(), Text).label("latest_status"),
        number.label("failed_to_concretize"),
    )
    own: list[Any] = [counted]
    every = union_all(select(*own), failed.group_by(*by)).subquery()
    both = nested(select(*every.c))
    summed = [
        sql_cast(func.coalesce(func.sum(both.c[name]), whole_number(0)), BigInteger).label(name)
        for name in ("count", "succeeded", "failed", "failed_to_concretize")
    ]
    facts = [func.max(both.c[name]).label(name) for name in ("success_rate", "latest_status")]
    shared = [both.c[name] for name in names]
    return select(*shared, *summed, *facts).group_by(*shared)


def built(builds: Rows, installed_from: ValueOf = lambda build: build[Build.installed_from]) -> Rows:
    """Of builds or runs those that were built here, as far as that is known."""
    return builds.narrowed(is_built(installed_from(builds.row)))


def is_built(installed_from: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether what has this source was built here, as far as that is known."""
    return or_(installed_from.is_(None), installed_from == constant(InstalledFrom.SOURCE))


def of_package(builds: Rows, is_of_package: Callable[[Scope], ColumnElement[bool]]) -> Rows:
    """Of the builds those of one package."""
    return builds.narrowed(is_of_package(builds.row.follow(Build.package_id)))


def is_of_package(package: Scope, name: Given, bind: Bind) -> ColumnElement[bool]:
    """Whether a package is the one of this name."""
    return package[Package.name] == bind(name, Text(), lambda text: without_nul("package", text))


def _largest(cells: FromClause, names: Sequence[str], first: int, nested: Nested) -> Select[Any]:
    """The cells in the rows and in the columns that have most builds."""
    by_axis = [[name for name in names if name.startswith(axis)] for axis in ("row", "column")]
    size = cells.c["count"] + func.coalesce(cells.c["failed_to_concretize"], whole_number(0))
    totals = [
        func.sum(size).over(partition_by=[cells.c[name] for name in axis]).label(f"total{number}")
        for number, axis in enumerate(by_axis)
    ]
    summed = nested(select(cells, *totals))
    ranks = [
        func.dense_rank()
        .over(order_by=[summed.c[f"total{number}"].desc(), *_ascending([summed.c[name] for name in axis])])
        .label(f"rank{number}")
        for number, axis in enumerate(by_axis)
    ]
    ranked = nested(select(summed, *ranks))
    return select(ranked).where(
        ranked.c["rank0"] <= whole_number(first), ranked.c["rank1"] <= whole_number(first)
    )


def labels(axis: str, *, description: str) -> Any:
    """A field of a table: what its rows, or columns, are, in their order."""

    def build(cells: Scope, json: JsonWriter) -> ColumnElement[Any]:
        distinct = select(*_axis(cells, axis)).select_from(cells.source).distinct().subquery()
        ordered = select(distinct.c[axis]).order_by(*_ascending(list(distinct.c)))
        rows = ordered.subquery()
        listed = select(json.array(json.value(rows.c[axis], nullable=True))).select_from(rows)
        return listed.correlate(None).scalar_subquery()

    return json_value(build, description=description)


def order_of_cells(cells: Scope) -> list[ColumnElement[Any]]:
    """Row by row."""
    return _ascending([*_axis(cells, "row"), *_axis(cells, "column")])


def _axis(cells: Scope, axis: str) -> list[ColumnElement[Any]]:
    return [column for column in cells.source.c if column.key.startswith(axis)]


def _ascending(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """The order of these columns, NULL last on both databases."""
    return [part for column in columns for part in (column.is_(None), column)]
