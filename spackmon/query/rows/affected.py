"""What a known defect means for a site: specs that have it, and all that contains one of these.

Asked of the versions of packages that an advisory names, by the index of versions: what was reported since
it was loaded is judged, too.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, not_, or_, select

from spackmon.models import (
    AdvisoryRange,
    AdvisoryVariant,
    Build,
    Closure,
    ClosureAbove,
    Dependency,
    Package,
    PackageVersion,
    Parameter,
    Spec,
)
from spackmon.query.sql.scope import Scope


class _Matches:
    """The specs that have a defect, each beside the range of the advisory that says so."""

    def __init__(self) -> None:
        self.range, self.package, self.version, self.spec = (
            one.__table__.alias() for one in (AdvisoryRange, Package, PackageVersion, Spec)
        )
        variant, parameter = AdvisoryVariant.__table__.alias(), Parameter.__table__.alias()
        has_it = exists().where(
            parameter.c.name == variant.c.name,
            parameter.c.value == variant.c.value,
            parameter.c.parameter_set_id == self.spec.c.parameter_set_id,
        )
        lacks_it = not_(has_it.correlate_except(parameter))
        lacks_one = exists().where(variant.c.advisory_range_id == self.range.c.id, lacks_it)
        self.holds = (
            self.package.c.name == self.range.c.package_name,
            self.version.c.package_id == self.package.c.id,
            self.version.c.version_key >= self.range.c.low,
            self.version.c.version_key < self.range.c.high,
            self.spec.c.package_version_id == self.version.c.id,
            not_(lacks_one.correlate_except(variant)),
        )

    def select(
        self, column: ColumnElement[Any], *conditions: ColumnElement[bool], also: Any = ()
    ) -> Select[Any]:
        """A column of those of which more holds; `also` are the tables that this is about."""
        found = select(column).where(*self.holds, *conditions)
        return found.correlate_except(self.range, self.package, self.version, self.spec, *also)


def _specs_with(advisory: Scope) -> Select[Any]:
    matches = _Matches()
    return matches.select(matches.spec.c.id, matches.range.c.advisory_id == advisory.row_id)


def _is_concerned(advisory: Scope, spec_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """A spec has the defect, or contains one that has."""
    above = ClosureAbove.__table__.alias()
    containing = select(above.c.ancestor_id).where(above.c.descendant_id.in_(_specs_with(advisory)))
    return or_(spec_id.in_(_specs_with(advisory)), spec_id.in_(containing.correlate_except(above)))


def _is_root(spec_id: ColumnElement[Any]) -> ColumnElement[bool]:
    edge = Dependency.__table__.alias()
    return not_(exists().where(edge.c.child_id == spec_id).correlate_except(edge))


def specs_affected(advisory: Scope, spec: Scope) -> ColumnElement[bool]:
    """The specs that have the defect themselves."""
    return spec.row_id.in_(_specs_with(advisory))


def builds_affected(advisory: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds whose graphs have a spec with the defect."""
    return _is_concerned(advisory, build[Build.spec_id])


def roots_affected(advisory: Scope, spec: Scope) -> ColumnElement[bool]:
    """The specs whose graphs have the defect, and on which nothing depends."""
    return and_(_is_root(spec.row_id), _is_concerned(advisory, spec.row_id))


def edges_to_change(advisory: Scope, edge: Scope) -> ColumnElement[bool]:
    """The edges from roots to what has the defect or contains it."""
    return and_(_is_root(edge[Dependency.parent_id]), _is_concerned(advisory, edge[Dependency.child_id]))


def _of_graph(spec_id: ColumnElement[Any], advisory: Scope) -> ColumnElement[bool]:
    own, below, closure = _Matches(), _Matches(), Closure.__table__.alias()
    itself = own.select(own.range.c.advisory_id, own.spec.c.id == spec_id)
    contained = below.select(
        below.range.c.advisory_id,
        closure.c.ancestor_id == spec_id,
        closure.c.descendant_id == below.spec.c.id,
        also=(closure,),
    )
    return or_(advisory.row_id.in_(itself), advisory.row_id.in_(contained))


def advisories_of_spec(spec: Scope, advisory: Scope) -> ColumnElement[bool]:
    """The advisories about a spec and about what it contains."""
    return _of_graph(spec.row_id, advisory)


def advisories_of_build(build: Scope, advisory: Scope) -> ColumnElement[bool]:
    """Those of a build's spec."""
    return _of_graph(build[Build.spec_id], advisory)
