"""Which rows belong to a row: conditions that connections, lists and filters share."""

from typing import Any

from sqlalchemy import ColumnElement, not_, or_, select

from spackmon.models import Attempt, Spec, SpecCompiler, build_tag
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


def is_compiled_by(compiler: Scope, spec: Scope) -> ColumnElement[bool]:
    """The specs of which a compiler compiles a language."""
    other = SpecCompiler.__table__.alias()
    mixed = select(other.c.spec_id).where(not_(other.c.is_main), other.c.compiler_id == compiler.row_id)
    return or_(spec[Spec.compiler_id] == compiler.row_id, spec.row_id.in_(mixed.correlate_except(other)))


def refer_by_newest_attempt(foreign_key: Attribute) -> Belongs:
    """The rows that belong to a build's newest attempt."""

    def belongs(build: Scope, other: Scope) -> ColumnElement[bool]:
        return other[foreign_key] == newest_attempt_id(build)

    return belongs


def newest_attempt_id(build: Scope) -> ColumnElement[Any]:
    """The id of a build's newest attempt."""
    attempts = Attempt.__table__.alias()
    newest = select(attempts.c.id).where(attempts.c.build_id == build.row_id)
    return newest.order_by(attempts.c.number.desc()).limit(1).correlate_except(attempts).scalar_subquery()


def has_tag(build: Scope, tag: Scope) -> ColumnElement[bool]:
    """The tags of a build."""
    given = build_tag.alias()
    return tag.row_id.in_(
        select(given.c.tag_id).where(given.c.build_id == build.row_id).correlate_except(given)
    )


def is_tagged(tag: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds that have a tag."""
    given = build_tag.alias()
    return build.row_id.in_(
        select(given.c.build_id).where(given.c.tag_id == tag.row_id).correlate_except(given)
    )
