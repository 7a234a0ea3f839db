"""Specs and the graphs they make."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.query import expressions
from spackmon.query.containment import spec_contains_dependency
from spackmon.query.fields import column, connection, embedded, expression, listing, predicate, relation
from spackmon.query.filters import compares
from spackmon.schema.connection import Connection
from spackmon.schema.filters import StringFilter
from spackmon.schema.platform import Architecture, Compiler

if TYPE_CHECKING:
    from spackmon.schema.build import Build


@strawberry.enum(description="How a spec needs another.")
class Deptype(Enum):
    """How a spec needs another, in Spack's words."""

    build = strawberry.enum_value("build", description="To be built.")
    link = strawberry.enum_value("link", description="Linked into it.")
    run = strawberry.enum_value("run", description="At run time.")
    test = strawberry.enum_value("test", description="For its tests.")


@strawberry.type(description="A hash under which a client showed a spec.")
class SpecHash:
    """A hash under which a client showed a spec."""

    kind: str = column(
        models.SpecHash.kind, description="Its name in the spec's JSON: `hash`, `full_hash`, `build_hash`."
    )
    value: str = column(models.SpecHash.value, description="The hash.")


@strawberry.type(description="An edge of a spec's graph.")
class Dependency:
    """An edge of a spec's graph."""

    parent: "Spec" = relation(models.Dependency.parent_id, description="The spec that needs the other.")
    child: "Spec" = relation(models.Dependency.child_id, description="The spec that is needed.")
    deptypes: list[Deptype] = expression(expressions.deptypes, is_json=True, description="How it is needed.")
    virtuals: list[str] = column(
        models.Dependency.virtuals, description="The virtuals it provides here, as `mpi`."
    )


@strawberry.type(description="Everything a spec depends on, at any depth, and the spec itself.")
class SpecGraph:
    """Everything a spec depends on, at any depth, and the spec itself."""

    nodes: list["Spec"] = listing(
        models.Spec,
        ids=expressions.itself_and_descendants,
        order=[
            (models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name),
            models.Spec.hash,
        ],
        description="The specs, by name.",
    )
    edges: list[Dependency] = listing(
        models.Dependency,
        belongs=lambda spec, edge: edge[models.Dependency.parent_id].in_(
            expressions.itself_and_descendants(spec)
        ),
        order=[
            (models.Dependency.parent_id, models.Spec.hash),
            (models.Dependency.child_id, models.Spec.hash),
        ],
        description="The dependencies among them.",
    )


@strawberry.input(description="A package, or one version of it, somewhere below a spec.")
class DependencyFilter:
    """A package, or one version of it, somewhere below a spec."""

    name: str = strawberry.field(description="The package's name.")
    version: str | None = strawberry.field(default=None, description="Exactly this version of it.")


@strawberry.input(description="Which specs; all that is given must hold.")
class SpecFilter:
    """Which specs; all that is given must hold."""

    name: StringFilter | None = predicate(
        compares(models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name),
        description="The package's name.",
    )
    dependency: DependencyFilter | None = predicate(
        spec_contains_dependency, description="That depend on this, at any depth, by any deptype."
    )


@strawberry.type(description="A concrete spec, immutable once known.")
class Spec:
    """A concrete spec, immutable once known."""

    id: strawberry.ID = expression(
        expressions.global_id("Spec"), is_json=True, description="Its id in this schema."
    )
    hash: str = column(
        models.Spec.hash,
        description="Its identity: the DAG hash from format v3 (Spack 0.18) on, before that the full hash.",
    )
    hashes: list[SpecHash] = listing(
        models.SpecHash,
        belongs=lambda spec, shown: shown[models.SpecHash.spec_id] == spec[models.Spec.id],
        order=[models.SpecHash.kind, models.SpecHash.value],
        description="Every hash that a client showed it under; each finds it again.",
    )
    document: JSON = expression(
        expressions.document, is_json=True, description="Its node in the spec JSON, as it came in."
    )
    name: str = column(
        models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name,
        description="The package's name.",
    )  # fmt: skip
    version: str = column(
        models.Spec.package_version_id, models.PackageVersion.version, description="The version."
    )
    namespace: str | None = column(
        models.Spec.namespace, description="The namespace of the package's recipe."
    )
    compiler: Compiler | None = relation(
        models.Spec.compiler_id, description="The compiler, where the format names one (before v5)."
    )
    architecture: Architecture = relation(models.Spec.architecture_id, description="What it is built for.")
    parameters: JSON = column(models.Spec.parameters, description="Variants and compiler flags.")
    external: JSON | None = column(
        models.Spec.external, description="Where it comes from, if it is an external."
    )
    package_hash: str | None = column(
        models.Spec.package_hash, description="The hash of the package's recipe."
    )
    format_version: int = column(
        models.Spec.format_version, description="The version of the spec JSON's format."
    )
    spack_version: str | None = column(
        models.Spec.spack_version, description="The Spack that first reported it."
    )
    recorded_at: datetime = column(models.Spec.recorded_at, description="When it first became known here.")
    dependencies: list[Dependency] = listing(
        models.Dependency,
        belongs=lambda spec, edge: edge[models.Dependency.parent_id] == spec[models.Spec.id],
        order=[
            (
                models.Dependency.child_id,
                models.Spec.package_version_id,
                models.PackageVersion.package_id,
                models.Package.name,
            ),
            models.Dependency.child_id,
        ],
        description="What it depends on directly, by name.",
    )
    graph: SpecGraph = embedded(description="The whole graph below it.")
    builds: Connection[Annotated["Build", strawberry.lazy("spackmon.schema.build")]] = connection(
        models.Build,
        belongs=lambda spec, build: build[models.Build.spec_id] == spec[models.Spec.id],
        description="Its builds.",
    )
