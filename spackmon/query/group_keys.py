"""What builds and specs are grouped by.

A key's columns are what groups are sorted by; the last of them is what a group shows, and no two groups
have equal columns. NULL is a group too: of builds without a tag, of specs without a compiler.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry
from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    case,
    cast,
    func,
    literal_column,
)

from spackmon.models import (
    Build,
    BuildEvent,
    Compiler,
    ErrorGroup,
    Package,
    PackageVersion,
    Spec,
    Tag,
    attempt_tag,
)
from spackmon.query.events import is_first_error
from spackmon.query.json_text import constant
from spackmon.query.scope import Attribute, Scope

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


def group_key(name: str, columns: KeyColumns, *, description: str) -> Any:
    """A value of an enum of keys."""
    return strawberry.enum_value(Key(name, columns), description=description)


def value_of(*path: Attribute) -> KeyColumns:
    """A column, reached by foreign keys."""

    def columns(row: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
        return [row.along(path[:-1])[path[-1]]]

    return columns


def of_spec(columns: KeyColumns) -> KeyColumns:
    """A key of a build that is one of its spec."""
    return lambda build, dialect_name: columns(build.follow(Build.spec_id), dialect_name)


package_name = value_of(Spec.package_version_id, PackageVersion.package_id, Package.name)


def version(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The version, in Spack's order."""
    known = spec.follow(Spec.package_version_id)
    return [known[PackageVersion.version_key], known[PackageVersion.version]]


def compiler(spec: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The compiler as `name@version`, in Spack's order of versions."""
    known = spec.follow(Spec.compiler_id)
    name, number = known[Compiler.name], known[Compiler.version]
    return [name, known[Compiler.version_key], name.concat(constant("@")).concat(number)]


def tag(build: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """Each of the tags: a build has a row for every one."""
    newest = build[Build.newest_attempt_id]
    given = build.attach(attempt_tag, lambda given: given.source.c.attempt_id == newest)
    word = given.attach(Tag.__table__, lambda word: word.row_id == given.source.c.tag_id)
    return [word[Tag.name]]


def error_group(build: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The group of the newest attempt's first error, as its fingerprint and its text."""
    newest = build[Build.newest_attempt_id]
    event = build.attach(BuildEvent.__table__, lambda event: is_first_error(newest, event))
    group = event.follow(BuildEvent.error_group_id)
    return [group[ErrorGroup.fingerprint], group[ErrorGroup.text]]


def day(build: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The day in UTC on which the newest run began, as `2026-03-01`."""
    return _date(build, dialect_name, 10, "YYYY-MM-DD")


def month(build: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The month in UTC in which the newest run began, as `2026-03`."""
    return _date(build, dialect_name, 7, "YYYY-MM")


def _date(build: Scope, dialect_name: str, characters: int, format_: str) -> Sequence[ColumnElement[Any]]:
    moment = build[Build.started_at]
    if dialect_name == "sqlite":
        return [func.substr(moment, 1, characters, type_=Text())]
    return [func.to_char(func.timezone(constant("UTC"), moment), constant(format_), type_=Text())]


def week(build: Scope, dialect_name: str) -> Sequence[ColumnElement[Any]]:
    """The ISO week in UTC in which the newest run began, as `2026-W09`."""
    moment = build[Build.started_at]
    if dialect_name != "sqlite":
        return [func.to_char(func.timezone(constant("UTC"), moment), constant('IYYY"-W"IW'), type_=Text())]
    # A week belongs to the year that its Thursday is in; SQLite knows %G and %V from 3.46 on only.
    thursday = func.date(moment, constant("-3 days"), constant("weekday 4"))
    day_of_year = cast(func.strftime(constant("%j"), thursday), Integer)
    number = (day_of_year + literal_column("6", Integer())) // literal_column("7", Integer())
    written = func.printf(constant("%s-W%02d"), func.strftime(constant("%Y"), thursday), number, type_=Text())
    return [case((moment.is_not(None), written))]
