"""Specs and the graphs they make."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from spackmon import models
from spackmon.graph.format import DEFAULT_FORMAT
from spackmon.query.graph import graph_questions as questions
from spackmon.query.graph import printing, walks
from spackmon.query.graph.containment import spec_contains_dependency, spec_has_dependent
from spackmon.query.meanings.fields import (
    JudgingSpack,
    argument,
    by,
    chosen,
    column,
    computed,
    condition,
    connection,
    embedded,
    identity,
    json_value,
    listing,
    relation,
    value,
)
from spackmon.query.rows.affected import advisories_of_spec
from spackmon.query.rows.filters import (
    compares_parameter_names,
    compares_parameter_values,
    compares_versions,
    compiler_passes,
    related,
)
from spackmon.query.rows.relations import (
    build_spec_id,
    depends_on,
    is_available_in,
    is_built_as,
    refer_by,
    share,
)
from spackmon.query.speclang import expressions
from spackmon.schema.advisory import Advisory
from spackmon.schema.analysis import AnalysisResult
from spackmon.schema.architecture import Architecture
from spackmon.schema.buildcache import BuildcacheEntry
from spackmon.schema.compiler import Compiler, SpecCompiler
from spackmon.schema.connection import Connection
from spackmon.schema.dependency import Dependency, DependencyWay, Deptype, TransitiveDependency
from spackmon.schema.filters import ParameterValueFilter, StringFilter, VersionFilter
from spackmon.schema.graph import SpecVisit, TraversalDirection, TraversalOrder
from spackmon.schema.groups import BuildConnection, DependencyConnection, SpecConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import input_of, noun, object_type, only_filtered, quantified
from spackmon.schema.package import Package, PackageVersion

_PACKAGE = models.Spec.package_version_id, models.PackageVersion.package_id
_VERSION_KEY = models.Spec.package_version_id, models.PackageVersion.version_key
_PARAMETERS = share(models.Spec.parameter_set_id, models.Parameter.parameter_set_id)
_HASHES = refer_by(models.SpecHash.spec_id)
_COMPILERS = refer_by(models.SpecCompiler.spec_id)
_DEPENDENCIES = refer_by(models.Dependency.parent_id)
_DEPENDENTS = refer_by(models.Dependency.child_id)
_BELOW = refer_by(models.Closure.ancestor_id)
_ABOVE = refer_by(models.ClosureAbove.descendant_id)
_BUILDS = refer_by(models.Build.spec_id)
_RESULTS = refer_by(models.Attribute.attempt_id, models.Attempt.build_id, models.Build.spec_id)


@noun("hashes of specs")
class SpecHash:
    """A hash by which a client named a spec."""

    kind: str = column(
        models.SpecHash.kind,
        filters=True,
        description="Its name in the spec's JSON: `hash`, `full_hash`, `build_hash`.",
    )
    value: str = column(models.SpecHash.value, filters=True, description="The hash.")


@object_type
class SpecGraph:
    """Everything a spec depends on, at any depth, and the spec itself."""

    node_count: int = value(expressions.node_count, cost=10, description="How many specs there are.")
    edge_count: int = value(
        expressions.edge_count, cost=10, description="How many dependencies there are among them."
    )
    nodes: list["Spec"] = listing(
        models.Spec,
        is_collected=True,
        rows=100,
        order=[
            (models.Spec.package_version_id, models.PackageVersion.package_id, models.Package.name),
            models.Spec.hash,
        ],
        description="The specs, by name.",
    )
    edges: list[Dependency] = listing(
        models.Dependency,
        is_collected=True,
        ends=[models.Dependency.parent_id, models.Dependency.child_id],
        belongs=expressions.is_followed,
        rows=300,
        order=[
            (models.Dependency.parent_id, models.Spec.hash),
            (models.Dependency.child_id, models.Spec.hash),
            models.Dependency.virtuals,
        ],
        description="The dependencies among them.",
    )


@strawberry.input(
    description="A spec that a path of dependencies connects with another one. `name`, `satisfying` and "
    "`where` say which, at least one of them; all that is given must hold of one spec and of one path to it."
)
class ContainedFilter:
    """A spec that a path of dependencies connects with another one."""

    name: str | None = strawberry.field(default=None, description="The package's name.")
    version: str | None = strawberry.field(
        default=None, description="Exactly this version of it; only with `name`."
    )
    satisfying: str | None = strawberry.field(
        default=None,
        description="It satisfies this, in Spack's spec language: `zlib@1.2:1.3 +pic`, or `@1.2:1.3` beside "
        "a `name`.",
    )
    as_: JudgingSpack | None = strawberry.field(
        default=None, name="as", description="By the rules of this Spack; else of the site's."
    )
    where: input_of("SpecFilter") | None = strawberry.field(  # type: ignore[valid-type]
        default=None, description="It passes this filter: `{buildSpec: {}}` is any spliced spec."
    )
    deptypes: list[Deptype] | None = strawberry.field(
        default=None,
        description="Each edge of the path is of one of these deptypes; an empty list matches nothing.",
    )
    way: DependencyWay = strawberry.field(default=DependencyWay.ANY, description="By which paths.")


@only_filtered("elements of variants and flags; a multi-valued variant has several")
class Parameter:
    """An element of a spec's parameters."""

    name = condition(
        StringFilter,
        compares_parameter_names(models.Parameter.name),
        description="The variant's name, or `cflags`.",
    )
    value = condition(
        ParameterValueFilter,
        compares_parameter_values(models.Parameter.value),
        description="The value, or one of several.",
    )


_TEMPLATE = argument(
    "template", str, "A format string of Spack's, as `{name}{@version}{/hash:7}`.", DEFAULT_FORMAT
)
_DEPTYPES = argument(
    "deptypes", list[Deptype] | None, "Only along edges of these deptypes; by default of any."
)


@noun("specs")
class Spec(Node):
    """A concrete spec, as all its documents state it together."""

    id: strawberry.ID = identity(models.Spec)
    hash: str = column(
        models.Spec.hash,
        filters=True,
        sorts=True,
        description="Its identity: the DAG hash from format v3 (Spack 0.18) on, before that the full hash "
        "(where no document states it the build hash, else the DAG hash).",
    )
    hashes: list[SpecHash] = listing(
        models.SpecHash,
        belongs=_HASHES,
        order=[models.SpecHash.kind, models.SpecHash.value],
        filters=True,
        description="Every hash by which a client named it; `spec` accepts any of them.",
    )
    document: JSON = json_value(expressions.document, description="Its node in the spec JSON, as it came in.")
    name: str = column(
        *_PACKAGE, models.Package.name, filters=True, sorts=True, description="The package's name."
    )
    version: str = column(
        models.Spec.package_version_id,
        models.PackageVersion.version,
        filters=by(VersionFilter, compares_versions(*_VERSION_KEY)),
        sorts=_VERSION_KEY,
        description="The version.",
    )
    package: Package = relation(*_PACKAGE, filters=True, description="The package.")
    package_version: PackageVersion = relation(
        models.Spec.package_version_id, filters=True, description="The package's version."
    )
    namespace: str | None = column(
        models.Spec.namespace, filters=True, description="The namespace of the package's recipe."
    )
    compiler: Compiler | None = relation(
        models.Spec.compiler_id,
        sorts=models.Compiler.name,
        description="The compiler that a document names (before format v5), otherwise the one that it "
        "depends on for C, without one that for C++, else that for Fortran.",
    )
    names_compiler: bool = column(
        models.Spec.names_compiler,
        filters=True,
        description="Whether a document names the compiler, as before format v5; it is no dependency then.",
    )
    compilers: list[SpecCompiler] = listing(
        models.SpecCompiler,
        belongs=_COMPILERS,
        order=[
            models.SpecCompiler.language,
            (models.SpecCompiler.compiler_id, models.Compiler.name),
            (models.SpecCompiler.compiler_id, models.Compiler.version_key),
        ],
        description="Its compilers by language; a document of before format v5 names one for all three.",
    )
    architecture: Architecture = relation(
        models.Spec.architecture_id, filters=True, description="What it is built for."
    )
    parameters: JSON = column(
        models.Spec.parameter_set_id, models.ParameterSet.document, description="Variants and compiler flags."
    )
    external: JSON | None = column(
        models.Spec.external, filters=True, description="Where it comes from, if it is an external."
    )
    external_path: str | None = column(
        models.Spec.external_path, filters=True, description="The path in `external`, as `/usr`."
    )
    build_spec_hash: str | None = column(
        models.Spec.built_as,
        filters=True,
        description="The hash of the spec that it was built as, if it was spliced: its dependencies were "
        "replaced by others after it was built.",
    )
    build_spec: "Spec | None" = chosen(
        models.Spec,
        build_spec_id,
        filters=True,
        description="The spec that it was built as; null if it was not spliced, or if no document of that "
        "spec came in.",
    )
    spliced_specs: SpecConnection = connection(
        models.Spec, belongs=is_built_as, filters=True, description="The spliced specs that were built as it."
    )
    package_hash: str | None = column(
        models.Spec.package_hash_id,
        models.PackageHash.value,
        filters=True,
        description="The hash of the package's recipe.",
    )
    format_version: int = column(
        models.Spec.format_version, filters=True, description="The version of the spec JSON's format."
    )
    spack_version: str | None = column(
        models.Spec.spack_version, filters=True, description="The Spack that first reported it."
    )
    recorded_at: datetime = column(
        models.Spec.recorded_at, filters=True, sorts=True, description="When it was first reported."
    )
    dependencies: DependencyConnection = connection(
        models.Dependency,
        belongs=_DEPENDENCIES,
        rows=10,
        order=[
            (
                models.Dependency.child_id,
                models.Spec.package_version_id,
                models.PackageVersion.package_id,
                models.Package.name,
            )
        ],
        filters=True,
        description="What it depends on directly, by name.",
    )
    dependents: DependencyConnection = connection(
        models.Dependency, belongs=_DEPENDENTS, filters=True, description="What depends on it directly."
    )
    all_dependents: SpecConnection = connection(
        models.Spec,
        belongs=depends_on,
        filters=True,
        description="What depends on it, at any depth, by any deptype; the filter `dependency` of specs asks "
        "for the way, too.",
    )
    transitive_dependencies: Connection[TransitiveDependency] = connection(
        models.Closure,
        belongs=_BELOW,
        order=[models.Closure.depth],
        filters=True,
        description="What it depends on, at any depth, the nearest first.",
    )
    transitive_dependents: Connection[TransitiveDependency] = connection(
        models.ClosureAbove,
        belongs=_ABOVE,
        order=[models.ClosureAbove.depth],
        filters=True,
        description="What depends on it, at any depth, the nearest first.",
    )
    dependent_count: int = value(
        expressions.dependent_count,
        cost=10,
        filters=True,
        sorts=expressions.dependent_count_of_all,
        description="How many specs depend on it, at any depth.",
    )
    graph: SpecGraph = embedded(
        arguments=[argument("depth", int | None, "At most this many edges below it."), _DEPTYPES],
        limits=expressions.graph_limits,
        collects=(models.Spec, expressions.itself_and_descendants),
        description="The graph below it; all of it by default.",
    )
    walk: list[SpecVisit] = computed(
        walks.facts_for_walk,
        walks.spec_walk,
        arguments=[
            argument("order", TraversalOrder, "When a spec is visited.", TraversalOrder.PRE),
            argument("direction", TraversalDirection, "Where it leads.", TraversalDirection.DEPENDENCIES),
            _DEPTYPES,
            argument("maximum_depth", int | None, "At most this many edges below the root."),
        ],
        decides=["direction", "maximumDepth"],
        specs=walks.walked,
        description="The graph in the order of a walk that visits each spec once, as Spack traverses it; or "
        f"what depends on it, where that is at most {walks.MAXIMUM_DEPENDENTS} specs.",
    )
    format: str = computed(
        printing.facts_for_format,
        questions.spec_format,
        arguments=[_TEMPLATE],
        decides=["template"],
        description="The spec as Spack prints it by a format string.",
    )
    tree: str = computed(
        printing.facts_for_tree,
        questions.spec_tree,
        arguments=[
            argument("hashes", bool, "Begin each line with the spec's short hash.", False),
            argument("types", bool, "Show by which deptypes each spec is needed.", False),
            _DEPTYPES,
            _TEMPLATE,
        ],
        decides=["template"],
        description="The graph as `spack spec` prints it, a line for each spec.",
    )
    builds: BuildConnection = connection(
        models.Build, belongs=_BUILDS, filters=True, description="Its builds."
    )
    advisories: Connection[Advisory] = connection(
        models.Advisory,
        belongs=advisories_of_spec,
        filters=True,
        description="The known defects that it has, or something that it contains.",
    )
    available_in: Connection[BuildcacheEntry] = connection(
        models.BuildcacheEntry,
        belongs=is_available_in,
        filters=True,
        description="Where a binary of it is: the entries of buildcaches of which nothing is missing.",
    )
    buildcache_entries: Connection[BuildcacheEntry] = connection(
        models.BuildcacheEntry,
        belongs=refer_by(models.BuildcacheEntry.spec_id),
        filters=True,
        description="All entries of buildcaches that are about it.",
    )
    analysis_results: Connection[AnalysisResult] = connection(
        models.Attribute,
        belongs=_RESULTS,
        filters=True,
        description="The findings of analyzers about its builds.",
    )

    class Filter:
        """What is no field."""

        compiler = condition(
            input_of("CompilerFilter"),
            compiler_passes("CompilerFilter"),
            description="One of its compilers, of any language.",
        )
        parameters = condition(
            quantified("ParameterFilter"),
            related("ParameterFilter", models.Parameter, _PARAMETERS),
            description="Its variants and flags.",
        )
        dependency = condition(
            ContainedFilter,
            spec_contains_dependency,
            description="Specs that depend on this, at any depth, by any path by default.",
        )
        dependent = condition(
            ContainedFilter,
            spec_has_dependent,
            description="Specs that this depends on, at any depth, by any path by default.",
        )
