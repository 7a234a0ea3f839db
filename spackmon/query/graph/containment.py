"""Filters by what stands elsewhere in a graph, as conditions and, where an index can be walked, drivers.

What is asked for is found first, then what is connected with it: by the closure, which knows the ways, or
where each edge must be of some deptypes by a walk over the edges, which comes to each spec once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Text, cast, false, or_, select

from spackmon.errors import Code, Refused
from spackmon.graph.spec import Deptype
from spackmon.models import Build, Closure, ClosureAbove, Dependency, Package, PackageVersion, Spec
from spackmon.query.graph.contents import Contents, builds_containing, specs_containing
from spackmon.query.graph.gathering import build_is_among, each_once, spec_is_among
from spackmon.query.rows.filters import deptype_bit, specs_passing
from spackmon.query.rows.lookups import without_nul
from spackmon.query.speclang.satisfying import read_spec, specs_satisfying
from spackmon.query.speclang.spec_dependencies import Found, is_found
from spackmon.query.sql.among import among, gathered
from spackmon.query.sql.conditions import Bind, Condition, Filtering
from spackmon.query.sql.scope import Attribute, Scope
from spackmon.query.sql.values import Given

ANY, LINK_RUN, BUILD, DIRECT = "ANY", "LINK_RUN", "BUILD", "DIRECT"
_BY_WAY = {LINK_RUN: Closure.by_link_run.key, BUILD: Closure.by_build.key}
_LINK_RUN, _BUILD = int(Deptype.LINK | Deptype.RUN), int(Deptype.BUILD)


def build_contains_dependency(build: Scope, dependency: Given, filtering: Filtering) -> Condition:
    """The build's graph contains what is asked for anywhere below its root.

    A package or a version of it, by any path, is one range of an index, newest build first
    (docs/decisions/0002-dependency-filter.md).
    """
    sought = _sought("dependency", dependency, build, filtering)
    if not sought.is_of_packages:
        spec_id = build[Build.spec_id]
        return build_is_among(spec_id, sought.above(), sought.is_above(spec_id))
    members, bind = sought.members, filtering.bind
    if "version" not in members:
        return builds_containing(build, _package_id(members, bind), filtering.dialect_name)
    contents = Contents(filtering.dialect_name, version_id=_package_version_id(members, bind))
    holds = contents.holds(build.row_id)
    return Condition(holds, contents.driver(holds))


def spec_contains_dependency(spec: Scope, dependency: Given, filtering: Filtering) -> Condition:
    """The spec's graph contains what is asked for anywhere below it."""
    sought = _sought("dependency", dependency, spec, filtering)
    if not sought.is_of_packages or "version" in sought.members:
        return spec_is_among(spec.row_id, sought.above())
    package_id = _package_id(sought.members, filtering.bind)
    return specs_containing(spec, package_id, gathered(spec.row_id, sought.above()))


def build_has_dependent(build: Scope, dependent: Given, filtering: Filtering) -> Condition:
    """The build's spec is anywhere below what is asked for."""
    return Condition(build[Build.spec_id].in_(_sought("dependent", dependent, build, filtering).below()))


def spec_has_dependent(spec: Scope, dependent: Given, filtering: Filtering) -> Condition:
    """The spec is anywhere below what is asked for."""
    return Condition(spec.row_id.in_(_sought("dependent", dependent, spec, filtering).below()))


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is asked for: the members that were given, and the deptypes as bits, each a parameter.

    `row` is the one that is filtered.
    """

    members: dict[str, Given]
    row: Scope
    filtering: Filtering
    way: str
    bits: tuple[ColumnElement[Any], ...] | None

    @property
    def is_of_packages(self) -> bool:
        """Whether it is a package or a version of it, by any path."""
        return self.way == ANY and self.bits is None and not self.members.keys() & {"satisfying", "where"}

    @property
    def _is_of_one_package(self) -> bool:
        if "name" in self.members or "satisfying" not in self.members:
            return "name" in self.members
        text = self.filtering.decided(self.members["satisfying"])
        return read_spec(text, self.filtering.rules(self.members)).name is not None

    def above(self) -> Found:
        """The specs that depend on it."""
        found = self._connected(ClosureAbove.descendant_id, ClosureAbove.ancestor_id, _upwards)
        return each_once(found, is_of_one=self._is_of_one_package)

    def is_above(self, spec_id: ColumnElement[Any]) -> ColumnElement[bool] | None:
        """A spec depends on it, by what is below the spec; None where each edge of the way matters."""
        if self.bits is not None or self.way == DIRECT:
            return None
        closure = Closure.__table__.alias()
        found = select(closure.c.ancestor_id).where(among(closure.c.descendant_id, self._specs()))
        found = found if self.way == ANY else found.where(closure.c[_BY_WAY[self.way]])
        return is_found(found.correlate_except(closure), spec_id)

    def below(self) -> Found:
        """The specs that it depends on."""
        return self._connected(Closure.ancestor_id, Closure.descendant_id, _downwards)

    def _connected(self, near: Attribute, far: Attribute, ends: "_Ends") -> Found:
        if self.bits is None and self.way != DIRECT:
            closure = near.class_.__table__.alias()
            found = select(closure.c[far.key]).where(closure.c[near.key].in_(self._specs()))
            return found if self.way == ANY else found.where(closure.c[_BY_WAY[self.way]])
        edge = Dependency.__table__.alias()
        here, there = ends(edge)
        first: Found = select(there.label("id")).where(here.in_(self._specs()), *self._follows(edge))
        if self.way == DIRECT:
            return first
        if self.way == BUILD:
            is_build = cast(edge.c.deptypes.bitwise_and(_BUILD), Integer())
            first = first.add_columns(is_build.label("build"))
        return self._walk(first, ends)

    def _walk(self, first: Found, ends: "_Ends") -> Found:
        """From edge to edge; by way of building also whether an edge of the path is of that deptype."""
        reached = first.cte(recursive=True)
        edge = Dependency.__table__.alias()
        here, there = ends(edge)
        step: Found = select(there)
        if self.way == BUILD:
            is_build = reached.c["build"].bitwise_or(edge.c.deptypes.bitwise_and(_BUILD))
            step = step.add_columns(cast(is_build, Integer()))
        # UNION drops what was reached before, so that it ends.
        walked = reached.union(step.where(here == reached.c.id, *self._follows(edge)))
        found = select(walked.c.id)
        return found.where(walked.c["build"] != 0) if self.way == BUILD else found

    def _follows(self, edge: FromClause) -> list[ColumnElement[bool]]:
        """What must hold of each edge of a path."""
        deptypes = edge.c.deptypes
        conditions: list[ColumnElement[bool]] = []
        if self.way == LINK_RUN:
            conditions.append(deptypes.bitwise_and(_LINK_RUN) != 0)
        if self.bits is not None:
            conditions.append(or_(false(), *(deptypes.bitwise_and(bit) != 0 for bit in self.bits)))
        return conditions

    def _specs(self) -> Found:
        """The specs that are asked for themselves."""
        members, bind, spec = self.members, self.filtering.bind, Spec.__table__.alias()
        found = select(spec.c.id)
        if "name" in members:
            version = PackageVersion.__table__.alias()
            versions = select(version.c.id).where(version.c.package_id == _package_id(members, bind))
            if "version" in members:
                versions = versions.where(version.c.version == _text("version", members, bind))
            found = found.where(spec.c.package_version_id.in_(versions))
        if "satisfying" in members:
            text = self.filtering.decided(members["satisfying"])
            found = found.where(spec.c.id.in_(specs_satisfying(text, self.filtering.rules(members))))
        if "where" in members:
            # Beside the statement: SQLite parses only so many levels, and a filter has any number of its own.
            passing = specs_passing(members["where"], self.row, self.filtering).cte()
            found = found.where(spec.c.id.in_(select(passing.c.id)))
        return found


_Ends = Callable[[FromClause], tuple[ColumnElement[Any], ColumnElement[Any]]]


def _upwards(edge: FromClause) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return edge.c.child_id, edge.c.parent_id


def _downwards(edge: FromClause) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return edge.c.parent_id, edge.c.child_id


def _sought(field: str, given: Given, row: Scope, filtering: Filtering) -> _Sought:
    """What a filter's `field` asks for. Raises ARGUMENT_INVALID where nothing is named."""
    members = {key: value for key, value in given.members().items() if value.value is not None}
    if not members.keys() & {"name", "satisfying", "where"}:
        sentence = f"`{field}` needs the `name` of a package, `satisfying` or `where`"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    if "version" in members and "name" not in members:
        raise Refused(Code.ARGUMENT_INVALID, f"the `version` in `{field}` needs the `name` of its package")
    way = filtering.decided(members.pop("way", None)) or ANY
    bits = None
    if "deptypes" in members:
        bits = tuple(
            filtering.bind(one, Integer(), deptype_bit) for one in filtering.each(members["deptypes"])
        )
    return _Sought(members, row, filtering, way, bits)


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
