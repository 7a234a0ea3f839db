"""The edges of graphs."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import by, chosen, column, json_value, relation, sorted_by
from spackmon.query.rows.filters import has_deptype
from spackmon.query.rows.relations import ancestor_id, descendant_id
from spackmon.query.speclang import expressions
from spackmon.schema.noun import noun

if TYPE_CHECKING:
    from spackmon.schema.spec import Spec

_Spec = Annotated["Spec", strawberry.lazy("spackmon.schema.spec")]


_NAME = models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name
_VERSION = models.Spec.package_version_id, models.PackageVersion.version_key


@strawberry.enum(description="How a spec needs another.")
class Deptype(Enum):
    """How a spec needs another."""

    BUILD = strawberry.enum_value("BUILD", description="To be built.")
    LINK = strawberry.enum_value("LINK", description="Linked into it.")
    RUN = strawberry.enum_value("RUN", description="At run time.")
    TEST = strawberry.enum_value("TEST", description="For its tests.")


@strawberry.enum(description="By which paths of a graph one spec is connected with another.")
class DependencyWay(Enum):
    """By which paths of a graph one spec is connected with another."""

    ANY = strawberry.enum_value("ANY", description="Any path: it is in the graph.")
    LINK_RUN = strawberry.enum_value(
        "LINK_RUN",
        description="A path on which each edge is of deptype link or run: it is there when the other runs.",
    )
    BUILD = strawberry.enum_value(
        "BUILD",
        description="A path on which at least one edge is of deptype build: it was needed to build the "
        "other, or something in between. What is linked is a build dependency, too, where Spack says so.",
    )
    DIRECT = strawberry.enum_value("DIRECT", description="One edge.")


@strawberry.input(description="A condition on a set of deptypes; all that are given must hold.")
class DeptypesFilter:
    """A condition on a set of deptypes; all that are given must hold."""

    contains: Deptype | None = strawberry.field(default=strawberry.UNSET, description="Has this one.")
    eq: list[Deptype] | None = strawberry.field(
        default=strawberry.UNSET, description="Has exactly these; an empty list matches nothing."
    )


@noun("direct dependencies")
class Dependency:
    """An edge of a spec's graph."""

    parent: _Spec = relation(
        models.Dependency.parent_id, filters=True, description="The spec that needs the other."
    )
    child: _Spec = relation(models.Dependency.child_id, filters=True, description="The spec that is needed.")
    deptypes: list[Deptype] = json_value(
        expressions.deptypes,
        filters=by(DeptypesFilter, has_deptype(models.Dependency.deptypes)),
        description="How it is needed.",
    )
    virtuals: list[str] = column(
        models.Dependency.virtuals, filters=True, description="The virtuals it provides here, as `mpi`."
    )

    class Order:
        """What is no field."""

        parent_name = sorted_by(
            models.Dependency.parent_id, *_NAME, description="The name of the spec that needs the other."
        )
        parent_version = sorted_by(models.Dependency.parent_id, *_VERSION, description="Its version.")
        child_name = sorted_by(
            models.Dependency.child_id, *_NAME, description="The name of the spec that is needed."
        )
        child_version = sorted_by(models.Dependency.child_id, *_VERSION, description="Its version.")


@noun("dependencies at any depth")
class TransitiveDependency:
    """Two specs, one of which depends on the other by a path of dependencies of any number."""

    parent: _Spec = chosen(
        models.Spec, ancestor_id, filters=True, description="The spec that needs the other."
    )
    child: _Spec = chosen(models.Spec, descendant_id, filters=True, description="The spec that is needed.")
    depth: int = column(
        models.Closure.depth,
        filters=True,
        sorts=True,
        description="How many edges the shortest path from the one to the other has, 1 for a direct "
        "dependency.",
    )
    by_link_run: bool = column(
        models.Closure.by_link_run,
        filters=True,
        description="Whether they are connected by the way `LINK_RUN`: a path on which each edge is of "
        "deptype link or run.",
    )
    by_build: bool = column(
        models.Closure.by_build,
        filters=True,
        description="Whether they are connected by the way `BUILD`: a path on which at least one edge is of "
        "deptype build.",
    )
