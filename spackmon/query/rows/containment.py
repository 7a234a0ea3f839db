"""Filters by what a graph contains, as conditions and, where an index can be walked, drivers."""

from typing import Any

from sqlalchemy import ColumnElement, Text, select

from spackmon.errors import Code, Refused
from spackmon.models import BuildPackageVersion, Closure, Package, PackageVersion, Spec
from spackmon.query.rows.lookups import without_nul
from spackmon.query.sql.conditions import Bind, Condition, Driver, Filtering
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given


def build_contains_dependency(build: Scope, dependency: Given, filtering: Filtering) -> Condition:
    """The build's graph contains the package version anywhere below its root.

    Walks one range of an index, newest build first (docs/decisions/0002-dependency-filter.md).
    """
    members, bind = _named(dependency), filtering.bind
    contained = BuildPackageVersion.__table__.alias()
    if "version" in members:
        which = contained.c.package_version_id == _package_version_id(members, bind)
        driver = Driver(contained, contained.c.build_id, (which,))
    else:
        which = contained.c.package_id == _package_id(members, bind)
        # A graph may contain several versions of a package.
        distinct = select(contained.c.build_id).distinct().where(which).order_by(contained.c.build_id.desc())
        walked = distinct.subquery()
        driver = Driver(walked, walked.c.build_id)
    holds = select(contained.c.build_id).where(which, contained.c.build_id == build.row_id).exists()
    return Condition(holds, driver)


def spec_contains_dependency(spec: Scope, dependency: Given, filtering: Filtering) -> Condition:
    """The spec's graph contains the package version anywhere below it."""
    members, bind = _named(dependency), filtering.bind
    below = Spec.__table__.alias()
    closure = Closure.__table__.alias()
    version = PackageVersion.__table__.alias()
    versions = select(version.c.id).where(version.c.package_id == _package_id(members, bind))
    if "version" in members:
        versions = versions.where(version.c.version == _text("version", members, bind))
    ancestors = (
        select(closure.c.ancestor_id)
        .join(below, below.c.id == closure.c.descendant_id)
        .where(below.c.package_version_id.in_(versions))
    )
    return Condition(spec.row_id.in_(ancestors))


def _named(dependency: Given) -> dict[str, Given]:
    """The members that were given; `name` must be."""
    members = {key: value for key, value in dependency.members().items() if value.value is not None}
    if "name" not in members:
        raise Refused(Code.ARGUMENT_INVALID, "`dependency` needs the `name` of a package")
    return members


def _text(name: str, members: dict[str, Given], bind: Bind) -> ColumnElement[Any]:
    return bind(members[name], Text, lambda text: without_nul(name, text))


def _package_id(members: dict[str, Given], bind: Bind) -> ColumnElement[Any]:
    return select(Package.id).where(Package.name == _text("name", members, bind)).scalar_subquery()


def _package_version_id(members: dict[str, Given], bind: Bind) -> ColumnElement[Any]:
    return (
        select(PackageVersion.id)
        .where(
            PackageVersion.package_id == _package_id(members, bind),
            PackageVersion.version == _text("version", members, bind),
        )
        .scalar_subquery()
    )
