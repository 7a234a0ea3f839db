"""The builds before and after a build: those of the package, by its owner, on machines of the same name."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from spackmon.models import Build, BuildEnvironment
from spackmon.models.columns import RowId
from spackmon.query.sql.among import among
from spackmon.query.sql.json_text import constant
from spackmon.query.sql.scope import Scope
from spackmon.status import BuildStatus


def previous_build(build: Scope) -> ColumnElement[int]:
    """The id of the build that ran last before this one; times that are not known are of none."""
    return _nearest(build, earlier=True)


def next_build(build: Scope) -> ColumnElement[int]:
    """The id of the build that ran first after this one."""
    return _nearest(build, earlier=False)


def previous_success(build: Scope) -> ColumnElement[int]:
    """The id of the build that succeeded last before this one."""
    return _nearest(build, earlier=True, status=BuildStatus.SUCCESS)


def _nearest(build: Scope, *, earlier: bool, status: BuildStatus | None = None) -> ColumnElement[int]:
    other = Build.__table__.alias()
    here, there = build[Build.started_at], other.c.started_at
    if earlier:
        beyond = or_(there < here, and_(there == here, other.c.id < build.row_id))
        order = there.desc(), other.c.id.desc()
    else:
        beyond = or_(there > here, and_(there == here, other.c.id > build.row_id))
        order = there.asc(), other.c.id.asc()
    found: Select[tuple[int]] = select(other.c.id).where(
        other.c.package_id == build[Build.package_id],
        *beside(other, build),
        beyond,
    )
    if status is not None:
        found = found.where(other.c.status == constant(status))
    return found.order_by(*order).limit(1).correlate_except(other).scalar_subquery()


def beside(other: FromClause, build: Scope) -> tuple[ColumnElement[bool], ...]:
    """That a build is of the same owner as `build`, on a machine of the same name."""
    is_same_owner = _kept(other.c.owner_id) == build[Build.owner_id]
    # As one list: else PostgreSQL reads the package's builds once for each of the machines.
    return is_same_owner, among(other.c.environment_id, _namesakes(build), leads=True)


class _kept(FunctionElement[int]):  # noqa: N801 -- a function of SQL
    """A column by which SQLite is not to look for rows: it would take all builds of an owner for few."""

    type = RowId
    inherit_cache = True


@compiles(_kept)
def _kept_anywhere(element: _kept, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_kept, "sqlite")
def _kept_in_sqlite(element: _kept, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def _namesakes(build: Scope) -> Select[tuple[int]]:
    """The machines of the same name: another kernel makes another one of the same."""
    own, same = BuildEnvironment.__table__.alias(), BuildEnvironment.__table__.alias()
    name = select(own.c.hostname).where(own.c.id == build[Build.environment_id])
    hostname = name.correlate_except(own).scalar_subquery()
    return select(same.c.id).where(same.c.hostname == hostname).correlate_except(same)
