"""What fields say about whole graphs, from the pure functions that Spack's own answers hold."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.diff import diff
from spackmon.graph.facts import compare_facts
from spackmon.graph.format import format_spec
from spackmon.graph.format_values import specfile_version
from spackmon.graph.paths import common, shortest_paths
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription
from spackmon.graph.template import BadFormat
from spackmon.graph.traverse import ALL_DEPTYPES, Order, traverse
from spackmon.graph.tree import tree
from tests.reference import fields, related
from tests.reference.rows import Rows
from tests.reference.walks import above, graph

Arguments = Mapping[str, Any]
Find = Callable[[Rows, Any, Arguments], Any]

TYPES = {
    "BuildChanges", "CircumstanceChange", "CommonDependency", "GraphDifference", "ResultChange",
    "ResultDifference", "SpecChange", "SpecDifference", "SpecPath", "SpecVisit", "VariableChange",
}  # fmt: skip
"""The types of what is computed here: dictionaries."""

_ORDERS = {
    "PRE": Order.PRE, "POST": Order.POST, "BREADTH": Order.BREADTH, "TOPOLOGICAL": Order.TOPO
}  # fmt: skip


def node(rows: Rows, spec: Any) -> SpecNode:
    """A spec as the pure functions take it."""

    def one(name: str) -> Any:
        return fields.value(rows, "Spec", name, spec)

    def edge(row: Any) -> Edge:
        child = rows.get(models.Spec, row.child_id)
        return Edge(
            child.hash, Deptype(row.deptypes), tuple(fields.value(rows, "Dependency", "virtuals", row))
        )

    architecture = rows.get(models.Architecture, spec.architecture_id)
    target = rows.get(models.Target, architecture.target_id)
    compiler = rows.get(models.Compiler, spec.compiler_id)
    hashes = rows.by(models.SpecHash, "spec_id", spec.id)
    build_spec = related.TO_ONE["Spec", "buildSpec"](rows, spec)
    return SpecNode(
        name=one("name"),
        version=one("version"),
        hash=spec.hash,
        hash_kind=spec.hash_kind,
        hashes=tuple(sorted((shown.kind, shown.value) for shown in hashes)),
        platform=architecture.platform,
        operating_system=architecture.operating_system,
        target=TargetDescription(
            target.name,
            "",
            target.vendor,
            target.generation,
            tuple(fields.value(rows, "Target", "features", target)),
            tuple(fields.value(rows, "Target", "parents", target)),
        ),
        parameters=rows.get(models.ParameterSet, spec.parameter_set_id).document,
        document="",
        namespace=spec.namespace,
        compiler=(compiler.name, compiler.version) if spec.names_compiler else None,
        package_hash=fields.value(rows, "Spec", "packageHash", spec),
        external=spec.external,
        built_as=build_spec.hash if build_spec else spec.built_as,
        edges=tuple(edge(row) for row in rows.by(models.Dependency, "parent_id", spec.id)),
    )


def nodes(rows: Rows, spec: Any) -> dict[str, SpecNode]:
    """The nodes of a spec's graph by identity."""
    return {one.hash: node(rows, one) for one in graph(rows, spec.id)}


def _with_build_specs(rows: Rows, spec: Any) -> dict[str, SpecNode]:
    """The same, and those of what spliced ones were built as."""
    build_specs = [related.TO_ONE["Spec", "buildSpec"](rows, one) for one in graph(rows, spec.id)]
    found: dict[str, SpecNode] = {}
    for one in (*filter(None, build_specs), spec):
        found |= nodes(rows, one)
    return found


def _specfile_versions(rows: Rows) -> dict[str, int]:
    return {
        one.hash: specfile_version(fields.value(rows, "Spec", "document", one), one.format_version)
        for one in rows.all(models.Spec)
    }


def _row(rows: Rows, identity: str | None) -> Any:
    return None if identity is None else rows.by(models.Spec, "hash", identity)[0]


def _deptypes(arguments: Arguments) -> Deptype:
    named = arguments.get("deptypes")
    return ALL_DEPTYPES if named is None else Deptype(sum({Deptype[name.upper()] for name in named}))


def _printed(make: Callable[[], str]) -> str:
    try:
        return make()
    except BadFormat as error:
        raise Refused(Code.FORMAT_INVALID, str(error)) from error


def spec_format(rows: Rows, spec: Any, arguments: Arguments) -> str:
    """Spec.format."""
    return _printed(
        lambda: format_spec(
            _with_build_specs(rows, spec),
            spec.hash,
            arguments["template"],
            specfile_versions=_specfile_versions(rows),
        )
    )


def spec_tree(rows: Rows, spec: Any, arguments: Arguments) -> str:
    """Spec.tree."""
    options = {name: arguments[name] for name in ("hashes", "types", "template")}
    options["specfile_versions"] = _specfile_versions(rows)
    found = _with_build_specs(rows, spec)
    return _printed(lambda: tree(found, spec.hash, deptypes=_deptypes(arguments), **options))


def _above(rows: Rows, spec: Any, arguments: Arguments) -> dict[str, SpecNode]:
    """What depends on a spec, each with the edges to those that depend on it."""
    near = [one for one in above(rows, spec.id) if _is_near(rows, spec, one, arguments)]
    if len(near) > 500:
        raise Refused(Code.QUERY_TOO_LARGE, "too many above")
    found = {one.hash: node(rows, one) for one in (spec, *near)}
    edges = [(other.hash, edge) for other in found.values() for edge in other.edges]
    return {
        key: replace(
            one, edges=tuple(replace(edge, child=other) for other, edge in edges if edge.child == key)
        )
        for key, one in found.items()
    }


def _is_near(rows: Rows, spec: Any, other: Any, arguments: Arguments) -> bool:
    """Whether a path from a spec above is short enough."""
    most = arguments.get("maximumDepth")
    return most is None or any(one.id == spec.id for one in graph(rows, other.id, most)[1:])


def spec_walk(rows: Rows, spec: Any, arguments: Arguments) -> list[dict[str, Any]]:
    """Spec.walk."""
    is_up = arguments["direction"] == "DEPENDENTS"
    found = _above(rows, spec, arguments) if is_up else nodes(rows, spec)
    visits = traverse(
        found,
        spec.hash,
        _ORDERS[arguments["order"]],
        _deptypes(arguments),
        arguments.get("maximumDepth"),
    )
    return [
        {
            "spec": _row(rows, visit.hash),
            "depth": visit.depth,
            "parent": _row(rows, visit.parent),
            "deptypes": [one.name for one in Deptype if visit.edge and one & visit.edge.deptypes],
        }
        for visit in visits
    ]


def build_changes(rows: Rows, build: Any, _: Arguments) -> Any:
    """Build.changesSinceLastSuccess."""
    before = related.TO_ONE["Build", "lastSuccess"](rows, build)
    if before is None:
        return None
    after = rows.get(models.Attempt, build.newest_attempt_id)
    earlier = related.TO_ONE["Build", "spec"](rows, rows.get(models.Build, before.build_id))
    later = related.TO_ONE["Build", "spec"](rows, build)
    pairs = [] if earlier is None or later is None else _pairs(rows, earlier, later)
    own = {"SPACK_VERSION": "spack_version", "SPACK_REVISION": "spack_revision",
           "CONFIGURE_ARGUMENTS": "configure_arguments"}  # fmt: skip
    machine = {"PLATFORM": "platform", "OPERATING_SYSTEM": "operating_system", "TARGET": "target",
               "KERNEL": "kernel_version"}  # fmt: skip
    machines = [rows.get(models.BuildEnvironment, run.environment_id) for run in (before, after)]
    told = [(kind, getattr(before, name), getattr(after, name)) for kind, name in own.items()]
    told += [(kind, *(getattr(one, name) for one in machines)) for kind, name in machine.items()]
    variables = [_variables(rows, run) for run in (before, after)]
    names = sorted(variables[0].keys() | variables[1].keys()) if all(variables) else []
    return {
        "specs": [one for one in pairs if one["status"] != "UNCHANGED"],
        "circumstances": [
            {"kind": kind, "before": one, "after": other}
            for kind, one, other in told
            if one and other and one != other
        ],
        "variables": [
            {"name": name, "before": variables[0].get(name), "after": variables[1].get(name)}
            for name in names
            if variables[0].get(name) != variables[1].get(name)
        ],
    }


def _variables(rows: Rows, run: Any) -> dict[str, str]:
    found = rows.by(models.EnvironmentVariable, "environment_set_id", run.environment_set_id)
    return {one.name: one.value for one in found}


def _pairs(rows: Rows, a: Any, b: Any) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "status": one.status.name,
            "before": _row(rows, one.a),
            "after": _row(rows, one.b),
            "changes": [{**change._asdict(), "kind": change.kind.name} for change in one.changes],
        }
        for one in diff(nodes(rows, a), a.hash, nodes(rows, b), b.hash)
    ]


def roots(find: Find) -> dict[tuple[str, str], Find]:
    """The root fields about graphs; `find` is `Query.spec`."""

    def known(rows: Rows, value: str) -> Any:
        spec = find(rows, None, {"hash": value})
        if spec is None:
            raise Refused(Code.SPEC_UNKNOWN, "no such spec")
        return spec

    def path(rows: Rows, _: Any, arguments: Arguments) -> Any:
        root, sought = known(rows, arguments["from"]), arguments["to"]
        if not 0 <= arguments["first"] <= 100:
            raise Refused(Code.PAGE_TOO_LARGE, "too many paths")
        its = nodes(rows, root)
        ends = [node.hash for node in its.values() if node.name == sought] or [
            node.hash
            for node in its.values()
            if sought and any(value.startswith(sought) for _, value in node.hashes)
        ]
        edges = [(node.hash, edge.child, edge.deptypes) for node in its.values() for edge in node.edges]
        found = [
            one
            for end in sorted(ends)
            for one in shortest_paths(
                edges,
                root.hash,
                end,
                arguments["first"],
                deptypes=_deptypes(arguments),
                order=lambda identity: (its[identity].name, identity),
            )
        ]
        shown = sorted(found, key=len)[: arguments["first"]]
        return [{"specs": [_row(rows, one) for one in way], "length": len(way) - 1} for way in shown]

    def difference(rows: Rows, _: Any, arguments: Arguments) -> Any:
        a, b = known(rows, arguments["a"]), known(rows, arguments["b"])
        before, after = nodes(rows, a), nodes(rows, b)
        facts = compare_facts(before, a.hash, after, b.hash, arguments.get("ignore") or ())
        pairs = _pairs(rows, a, b)
        shown = [one for one in pairs if arguments["unchanged"] or one["status"] != "UNCHANGED"]
        return {"a": a, "b": b, "facts": facts._asdict(), "nodes": shown}

    def common_dependencies(rows: Rows, _: Any, arguments: Arguments) -> Any:
        if not 1 <= len(arguments["hashes"]) <= 20:
            raise Refused(Code.ARGUMENT_INVALID, "too many or none")
        for value in arguments["hashes"]:
            if not rows.by(models.SpecHash, "value", value):
                raise Refused(Code.SPEC_UNKNOWN, "no whole hash")
        specs = {spec.hash: spec for spec in (known(rows, value) for value in arguments["hashes"])}
        return [
            {
                "name": one.name,
                "specs": [
                    _row(rows, identity) for identity in sorted({i for some in one.specs for i in some})
                ],
                "sharedSpecs": [_row(rows, identity) for identity in one.shared],
                "sharedVersions": list(one.shared_versions),
            }
            for one in common(
                [(nodes(rows, spec), spec.hash) for spec in specs.values()], _deptypes(arguments)
            )
        ]

    return {
        ("Query", "commonDependencies"): common_dependencies,
        ("Query", "diff"): difference,
        ("Query", "path"): path,
    }
