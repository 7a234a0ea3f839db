"""The edges of graphs."""

from enum import Enum

import strawberry

from spackmon import models
from spackmon.query import expressions
from spackmon.query.fields import column, expression, predicate, relation, sorted_by
from spackmon.query.filters import has_deptype, has_element, through
from spackmon.schema import later
from spackmon.schema.filters import Direction, StringListFilter
from spackmon.schema.inputs import filter_input, order_input

_NAME = models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name
_VERSION = models.Spec.package_version_id, models.PackageVersion.version_key


@strawberry.enum(description="How a spec needs another.")
class Deptype(Enum):
    """How a spec needs another, in Spack's words."""

    build = strawberry.enum_value("build", description="To be built.")
    link = strawberry.enum_value("link", description="Linked into it.")
    run = strawberry.enum_value("run", description="At run time.")
    test = strawberry.enum_value("test", description="For its tests.")


@strawberry.input(description="What a set of deptypes must be; all that is given must hold.")
class DeptypesFilter:
    """What a set of deptypes must be; all that is given must hold."""

    contains: Deptype | None = strawberry.field(default=strawberry.UNSET, description="Has this one.")
    eq: list[Deptype] | None = strawberry.field(
        default=strawberry.UNSET, description="Has exactly these; an empty list matches nothing."
    )


@filter_input
class DependencyFilter:
    """Which direct dependencies."""

    parent: later.SpecFilter | None = predicate(
        through("SpecFilter", models.Dependency.parent_id), description="The spec that needs the other."
    )
    child: later.SpecFilter | None = predicate(
        through("SpecFilter", models.Dependency.child_id), description="The spec that is needed."
    )
    deptypes: DeptypesFilter | None = predicate(
        has_deptype(models.Dependency.deptypes), description="How it is needed."
    )
    virtuals: StringListFilter | None = predicate(
        has_element(models.Dependency.virtuals), description="The virtuals it provides here, as `mpi`."
    )


@order_input
class DependencyOrder:
    """What direct dependencies are sorted by."""

    parent_name: Direction | None = sorted_by(
        models.Dependency.parent_id, *_NAME, description="The name of the spec that needs the other."
    )
    parent_version: Direction | None = sorted_by(
        models.Dependency.parent_id, *_VERSION, description="Its version."
    )
    child_name: Direction | None = sorted_by(
        models.Dependency.child_id, *_NAME, description="The name of the spec that is needed."
    )
    child_version: Direction | None = sorted_by(
        models.Dependency.child_id, *_VERSION, description="Its version."
    )


@strawberry.type(description="An edge of a spec's graph.")
class Dependency:
    """An edge of a spec's graph."""

    parent: later.Spec = relation(models.Dependency.parent_id, description="The spec that needs the other.")
    child: later.Spec = relation(models.Dependency.child_id, description="The spec that is needed.")
    deptypes: list[Deptype] = expression(expressions.deptypes, is_json=True, description="How it is needed.")
    virtuals: list[str] = column(
        models.Dependency.virtuals, description="The virtuals it provides here, as `mpi`."
    )
