"""What rows are grouped by.

A key's columns are what groups are sorted by; the last of them is what a group shows, and no two groups
have equal columns. NULL is a group too: of builds without a tag, of specs without a compiler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    literal_column,
    type_coerce,
)

from spackmon.models import (
    BuildEvent,
    Compiler,
    Dependency,
    ErrorGroup,
    Package,
    PackageVersion,
    Parameter,
    Phase,
    PhaseKind,
    ProvidedVirtual,
    Spec,
    Tag,
    TagSetMember,
)
from spackmon.query.rows.events import first_error_group_id, is_first_failed, is_root
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Attribute, Scope, is_seen_by_all, is_unique, referred_table


class Period(DateTime):
    """A day, week or month (`unit`) of UTC, as PostgreSQL groups by it; its beginning stands for it.

    It is `written` as a text for each group alone: for each row, that took longer than all else.
    """

    def __init__(self, unit: str, written: str) -> None:
        super().__init__()
        self.unit, self.written = unit, written

    def of(self, moment: ColumnElement[Any]) -> ColumnElement[Any]:
        """The one that a moment is in."""
        return self.of_local(func.timezone(constant("UTC"), moment))

    def of_local(self, time: ColumnElement[Any]) -> ColumnElement[Any]:
        """The one that a time of UTC without its zone is in."""
        return func.date_trunc(constant(self.unit), time, type_=self)


def shown(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column of a key as a group shows it, under its own name."""
    if not isinstance(column.type, Period):
        return column
    return func.to_char(column, constant(column.type.written), type_=Text()).label(column.name)


ValueOf = Callable[[Scope], ColumnElement[Any]]
KeyColumns = Callable[[Scope, str], Sequence[ColumnElement[Any]]]


@dataclass(frozen=True, slots=True)
class Key:
    """One thing to group by; `columns(row, dialect_name)` are joined to the row as they are made."""

    name: str
    columns: KeyColumns

    def labelled(self, row: Scope, dialect_name: str, prefix: str) -> list[ColumnElement[Any]]:
        """The columns under names of their own; the last one is called as the prefix."""
        *sorting, shown = self.columns(row, dialect_name)
        named = [column.label(f"{prefix}_{number}") for number, column in enumerate(sorting)]
        return [*named, shown.label(prefix)]

    @property
    def reached(self) -> "Reached | None":
        """What it is read off, if rows may be grouped by a foreign key instead."""
        return self.columns if isinstance(self.columns, Reached) and self.columns.is_of_one else None


@dataclass(frozen=True, slots=True)
class Reached:
    """A column at the end of a path of foreign keys."""

    path: tuple[Attribute, ...]

    def __call__(self, row: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
        """See KeyColumns."""
        return [row.along(self.path[:-1])[self.path[-1]]]

    @property
    def is_of_one(self) -> bool:
        """Whether the last foreign key says as much: no two rows that it refers to have the same value."""
        return len(self.path) > 1 and is_unique(self.path[-1]) and is_seen_by_all(self.path[-1])

    def reference(self, row: Scope) -> ColumnElement[Any]:
        """The last foreign key."""
        return row.along(self.path[:-2])[self.path[-2]]

    def of(self, group: Scope, name: str) -> ColumnElement[Any]:
        """The value, where a group has the last foreign key as the column `name`."""
        reference = group.column(name)
        found = group.attach(referred_table(self.path[-2]), lambda row: row.row_id == reference)
        return found[self.path[-1]]


def value_of(*path: Attribute) -> KeyColumns:
    """A column, reached by foreign keys."""
    return Reached(path)


package_name = value_of(Spec.package_version_id, PackageVersion.package_id, Package.name)


def version(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The version, in Spack's order."""
    return version_columns(spec.follow(Spec.package_version_id))


def version_columns(known: Scope) -> Sequence[ColumnElement[Any]]:
    """A version of a package, in Spack's order."""
    return [known[PackageVersion.version_key], known[PackageVersion.version]]


def compiler(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The compiler as `name@version`, in Spack's order of versions."""
    return compiler_columns(spec.follow(Spec.compiler_id))


def compiler_columns(known: Scope) -> Sequence[ColumnElement[Any]]:
    """A compiler as `name@version`, in Spack's order of versions."""
    name, number = known[Compiler.name], known[Compiler.version]
    return [name, known[Compiler.version_key], name.concat(constant("@")).concat(number)]


def through(key: Attribute, columns: KeyColumns) -> KeyColumns:
    """A key of the row that a foreign key refers to."""
    return lambda row, dialect_name: columns(row.follow(key), dialect_name)


def tag(tag_set_id: Attribute) -> KeyColumns:
    """Each of the tags of a run, whose set is in a column: the row is there for every one."""

    def columns(row: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
        own = row[tag_set_id]
        given = row.attach(TagSetMember.__table__, lambda given: given[TagSetMember.tag_set_id] == own)
        word = given.attach(Tag.__table__, lambda word: word.row_id == given[TagSetMember.tag_id])
        return [word[Tag.name]]

    return columns


def error_group(run: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The group of a run's first error, as its fingerprint and its text."""
    first = first_error_group_id(run)
    group = run.attach(ErrorGroup.__table__, lambda group: group.row_id == first)
    return [group[ErrorGroup.fingerprint], group[ErrorGroup.text]]


def root_fact(attempt_id: ValueOf, fact: Attribute) -> KeyColumns:
    """A column of a run's error to read first."""

    def columns(row: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
        attempt = attempt_id(row)
        event = row.attach(BuildEvent.__table__, lambda event: is_root(attempt, event))
        return [event[fact]]

    return columns


def own_error_group(event: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The group of an event, as its fingerprint and its text."""
    group = event.follow(BuildEvent.error_group_id)
    return [group[ErrorGroup.fingerprint], group[ErrorGroup.text]]


def failed_phase(attempt_id: ValueOf) -> KeyColumns:
    """The name of the first phase of a run that failed."""

    def columns(row: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
        phase = row.attach(Phase.__table__, lambda phase: is_first_failed(attempt_id(row), phase))
        return [phase.follow(Phase.kind_id)[PhaseKind.name]]

    return columns


def parameter(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """Each element of the variants and flags, as `mpi=true`: the spec is there for every one."""
    element = spec.attach(
        Parameter.__table__,
        lambda element: element[Parameter.parameter_set_id] == spec[Spec.parameter_set_id],
    )
    written = func.trim(element[Parameter.value], constant('"'), type_=Text())
    return [element[Parameter.name].concat(constant("=")).concat(written)]


def virtual(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """Each virtual that a direct dependency provides: the spec is there for every one and its provider."""
    provided = spec.attach(
        ProvidedVirtual.__table__,
        lambda provided: and_(
            provided[ProvidedVirtual.spec_id] == spec.row_id,
            provided[ProvidedVirtual.deptypes] != literal_column("0", Integer()),
        ),
    )
    return [provided[ProvidedVirtual.virtual]]


def virtual_of_edge(edge: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """Each virtual that the child provides: the edge is there for every one."""
    virtuals = edge[Dependency.virtuals]
    each: FromClause
    if dialect_name == "sqlite":
        each = func.json_each(virtuals).table_valued("value", name=edge.new_name())
    else:
        each = (
            func.json_array_elements_text(cast(virtuals, JSON))
            .table_valued("value", name=edge.new_name())
            .render_derived()
            .lateral()
        )
    return [type_coerce(edge.attach_each(each).c.value, Text())]


def day(began: Attribute) -> KeyColumns:
    """The day in UTC on which a run began, as `2026-03-01`."""
    return lambda row, dialect_name: _date(row[began], dialect_name, 10, Period("day", "YYYY-MM-DD"))


def month(began: Attribute) -> KeyColumns:
    """The month in UTC in which a run began, as `2026-03`."""
    return lambda row, dialect_name: _date(row[began], dialect_name, 7, Period("month", "YYYY-MM"))


def _date(
    moment: ColumnElement[Any], dialect_name: str, characters: int, period: Period
) -> Sequence[ColumnElement[Any]]:
    if dialect_name == "sqlite":
        return [func.substr(moment, 1, characters, type_=Text())]
    return [period.of(moment)]


def week(began: Attribute) -> KeyColumns:
    """The ISO week in UTC in which a run began, as `2026-W09`."""
    return lambda row, dialect_name: [
        iso_week(row[began]) if dialect_name == "sqlite" else WEEK.of(row[began])
    ]


WEEK = Period("week", 'IYYY"-W"IW')


def iso_week(moment: ColumnElement[Any]) -> ColumnElement[Any]:
    """The one that a moment or a day is in, in SQLite."""
    # A week belongs to the year that its Thursday is in; SQLite knows %G and %V from 3.46 on only.
    thursday = func.date(moment, constant("-3 days"), constant("weekday 4"))
    day_of_year = cast(func.strftime(constant("%j"), thursday), Integer)
    number = (day_of_year + literal_column("6", Integer())) // literal_column("7", Integer())
    written = func.printf(constant("%s-W%02d"), func.strftime(constant("%Y"), thursday), number, type_=Text())
    return case((moment.is_not(None), written))
