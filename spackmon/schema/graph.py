"""What becomes of graphs when they are walked, searched and compared."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from spackmon.schema.dependency import Deptype

if TYPE_CHECKING:
    from spackmon.schema.spec import Spec

_Spec = Annotated["Spec", strawberry.lazy("spackmon.schema.spec")]

value = strawberry.enum_value


@strawberry.enum(description="When a walk visits a spec.")
class TraversalOrder(Enum):
    """When a walk visits a spec."""

    PRE = value("pre", description="Before what is below it.")
    POST = value("post", description="After what is below it.")
    BREADTH = value("breadth", description="The nearest to the root first.")
    TOPOLOGICAL = value("topo", description="After all that depends on it.")


@strawberry.enum(description="Where a walk leads.")
class TraversalDirection(Enum):
    """Where a walk leads."""

    DEPENDENCIES = value("DEPENDENCIES", description="Down, to what a spec depends on.")
    DEPENDENTS = value(
        "DEPENDENTS",
        description="Up, to what depends on it: what an order says of a spec and what is below it, holds of "
        "what is above it.",
    )


@strawberry.enum(description="How a spec changed between two graphs.")
class DifferenceStatus(Enum):
    """How a spec changed between two graphs."""

    ADDED = value("ADDED", description="Only in the second graph.")
    REMOVED = value("REMOVED", description="Only in the first graph.")
    CHANGED = value("CHANGED", description="In both, and itself different.")
    HASH_ONLY = value("HASH_ONLY", description="In both; only something below it is different.")
    UNCHANGED = value("UNCHANGED", description="The same spec in both.")


@strawberry.enum(description="What differs between two specs.")
class ChangeKind(Enum):
    """What differs between two specs."""

    NAMESPACE = value("NAMESPACE", description="The namespace of the recipe.")
    VERSION = value("VERSION", description="The version.")
    VARIANTS = value("VARIANTS", description="A variant.")
    FLAGS = value("FLAGS", description="Compiler flags.")
    COMPILER = value("COMPILER", description="The compiler.")
    ARCHITECTURE = value("ARCHITECTURE", description="Platform, operating system or target.")
    DEPENDENCIES = value("DEPENDENCIES", description="A direct dependency, or its deptypes.")
    EXTERNAL = value("EXTERNAL", description="Where an external comes from.")
    RECIPE = value("RECIPE", description="The hash of its recipe.")


@strawberry.type(description="A visit of a walk through a graph.")
class SpecVisit:
    """A visit of a walk through a graph."""

    spec: _Spec = strawberry.field(description="The spec that is visited.")
    depth: int = strawberry.field(description="How many edges lie between the root and the spec.")
    parent: _Spec | None = strawberry.field(
        description="The spec from which it was reached; null for the root."
    )
    deptypes: list[Deptype] = strawberry.field(
        description="How the parent needs it; in a walk up, how it needs the parent."
    )


@strawberry.type(description="A path from a spec to one that it depends on.")
class SpecPath:
    """A path from a spec to one that it depends on."""

    specs: list[_Spec] = strawberry.field(description="The specs on the path, both ends included.")
    length: int = strawberry.field(description="How many edges it has.")


@strawberry.type(description="One difference between two specs.")
class SpecChange:
    """One difference between two specs."""

    kind: ChangeKind = strawberry.field(description="What differs.")
    name: str = strawberry.field(description="The variant, the kind of flags, the dependency or the part.")
    before: str | None = strawberry.field(description="In the first, as Spack writes it; null if absent.")
    after: str | None = strawberry.field(description="In the second.")


@strawberry.type(description="A spec of the first graph and the one that it became in the second.")
class SpecDifference:
    """A spec of the first graph and the one that it became in the second."""

    name: str = strawberry.field(description="The package's name.")
    status: DifferenceStatus = strawberry.field(description="How it changed.")
    before: _Spec | None = strawberry.field(description="The spec in the first graph.")
    after: _Spec | None = strawberry.field(description="The spec in the second graph.")
    changes: list[SpecChange] = strawberry.field(description="What differs between the two.")


@strawberry.type(description="Two graphs compared.")
class GraphDifference:
    """Two graphs compared."""

    a: _Spec = strawberry.field(description="The root of the first graph.")
    b: _Spec = strawberry.field(description="The root of the second graph.")
    nodes: list[SpecDifference] = strawberry.field(description="Every spec of either, by name.")
    facts: JSON = strawberry.field(
        description="What `spack diff --json` prints: `a_name`, `b_name`, `a_not_b`, `b_not_a`, `intersect`."
    )


@strawberry.type(description="A package that is in the graphs of all given specs.")
class CommonDependency:
    """A package that is in the graphs of all given specs."""

    name: str = strawberry.field(description="The package's name.")
    specs: list[_Spec] = strawberry.field(description="All specs of it in any of the graphs.")
    shared_specs: list[_Spec] = strawberry.field(description="Those that are in every graph.")
    shared_versions: list[str] = strawberry.field(description="The versions that are in every graph.")
