"""Which rows belong to a row: conditions that connections, lists and filters share."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from spackmon.models import Build, attempt_tag
from spackmon.query.fields import Belongs
from spackmon.query.scope import Attribute, Scope


def refer_by(*path: Attribute) -> Belongs:
    """The rows whose foreign key, or the last of several that are followed, refers to the row."""

    def belongs(row: Scope, other: Scope) -> ColumnElement[bool]:
        return other.along(path[:-1])[path[-1]] == row.row_id

    return belongs


def share(ours: Attribute, theirs: Attribute) -> Belongs:
    """The rows that have the same value in a column."""

    def belongs(row: Scope, other: Scope) -> ColumnElement[bool]:
        return other[theirs] == row[ours]

    return belongs


def paired(ours: Attribute, theirs: Attribute) -> Belongs:
    """The rows that stand with the row in a table of pairs; `ours` and `theirs` are its columns."""
    pairs = ours.class_.__table__

    def belongs(row: Scope, other: Scope) -> ColumnElement[bool]:
        pair = pairs.alias()
        mine = select(pair.c[theirs.key]).where(pair.c[ours.key] == row.row_id)
        return other.row_id.in_(mine.correlate_except(pair))

    return belongs


def of_newest_attempt(foreign_key: Attribute) -> Belongs:
    """The rows that belong to a build's newest attempt."""
    return share(Build.newest_attempt_id, foreign_key)


def newest_attempt_id(build: Scope) -> ColumnElement[Any]:
    """The id of a build's newest attempt."""
    return build[Build.newest_attempt_id]


def has_tag(attempt_id: Callable[[Scope], ColumnElement[Any]]) -> Belongs:
    """The tags of the attempt that `attempt_id` finds."""

    def belongs(row: Scope, tag: Scope) -> ColumnElement[bool]:
        given = attempt_tag.alias()
        tags = select(given.c.tag_id).where(given.c.attempt_id == attempt_id(row))
        return tag.row_id.in_(tags.correlate_except(given))

    return belongs


tags_of_build = has_tag(newest_attempt_id)
tags_of_attempt = has_tag(lambda attempt: attempt.row_id)


def builds_tagged(tag: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds whose newest attempt has a tag."""
    return newest_attempt_id(build).in_(_tagged(tag))


def attempts_tagged(tag: Scope, attempt: Scope) -> ColumnElement[bool]:
    """The attempts that have a tag."""
    return attempt.row_id.in_(_tagged(tag))


def _tagged(tag: Scope) -> Select[Any]:
    given = attempt_tag.alias()
    return select(given.c.attempt_id).where(given.c.tag_id == tag.row_id).correlate_except(given)
