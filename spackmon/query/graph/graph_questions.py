"""Questions about graphs that Python answers from facts: formats, trees, walks, paths, differences."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import CompoundSelect, select, union

from spackmon.errors import Code, Refused
from spackmon.graph.diff import NodeDifference, Status, diff
from spackmon.graph.facts import compare_facts
from spackmon.graph.format import format_spec
from spackmon.graph.paths import common, shortest_paths
from spackmon.graph.spec import SpecNode
from spackmon.graph.template import BadFormat
from spackmon.graph.tree import tree
from spackmon.models import Closure, Spec, SpecHash
from spackmon.query.graph.printing import as_printed
from spackmon.query.graph.spec_nodes import GRAPH, graph_nodes
from spackmon.query.graph.walks import followed
from spackmon.query.rows.lookups import spec_by_hash_or_id, without_nul
from spackmon.query.sql.conditions import Filtering, SpecIds
from spackmon.query.sql.scope import Scope
from spackmon.query.sql.values import Given

Arguments = Mapping[str, Any]
Nodes = Mapping[str, SpecNode]

MAXIMUM_PATHS = 100
MAXIMUM_GRAPHS = 20

TWO_GRAPHS = f"""query($a: String!, $b: String!) {{
  a: spec(hash: $a) {{ {GRAPH} }}
  b: spec(hash: $b) {{ {GRAPH} }}
}}"""
FROM_GRAPH = f"query($from: String!) {{ spec(hash: $from) {{ {GRAPH} }} }}"
SEVERAL_GRAPHS = f"""query($hashes: [String!]!) {{
  specs(where: {{hashes: {{some: {{value: {{in: $hashes}}}}}}}}, first: {MAXIMUM_GRAPHS}) {{
    nodes {{ {GRAPH} }}
  }}
}}"""


def spec_format(facts: Any, arguments: Arguments) -> str:
    """The spec as a format string says; Refused FORMAT_INVALID where Spack would refuse it."""
    nodes, versions = as_printed(facts)
    return _formatted(
        lambda: format_spec(nodes, facts["hash"], arguments["template"], specfile_versions=versions)
    )


def spec_tree(facts: Any, arguments: Arguments) -> str:
    """The graph as Spack's tree, a line a node."""
    nodes, versions = as_printed(facts)
    options = {name: arguments[name] for name in ("hashes", "types", "template")}
    return _formatted(
        lambda: tree(
            nodes, facts["hash"], deptypes=followed(arguments), specfile_versions=versions, **options
        )
    )


def paths(facts: Any, arguments: Arguments) -> list[dict[str, Any]]:
    """The shortest paths from a spec to each spec of its graph that `to` means, by hash or by name."""
    nodes, root = graph_nodes(facts["spec"], arguments["from"])
    limit = arguments["first"]
    if not 0 <= limit <= MAXIMUM_PATHS:
        raise Refused(Code.PAGE_TOO_LARGE, f"`first` must be 0 to {MAXIMUM_PATHS}, it is {limit}")
    edges = [(node.hash, edge.child, edge.deptypes) for node in nodes.values() for edge in node.edges]
    found: list[tuple[str, ...]] = []
    for target in _meant(nodes, arguments["to"]):
        found += shortest_paths(edges, root, target, limit, deptypes=followed(arguments), order=_order(nodes))
    found.sort(key=len)
    return [{"specs": list(path), "length": len(path) - 1} for path in found[:limit]]


def difference(facts: Any, arguments: Arguments) -> dict[str, Any]:
    """Two graphs node by node, and in the words of `spack diff --json`."""
    a_nodes, a = graph_nodes(facts["a"], arguments["a"])
    b_nodes, b = graph_nodes(facts["b"], arguments["b"])
    stated = compare_facts(a_nodes, a, b_nodes, b, arguments.get("ignore") or ())
    return {
        "a": a,
        "b": b,
        "nodes": [
            node_difference(node)
            for node in diff(a_nodes, a, b_nodes, b)
            if arguments["unchanged"] or node.status is not Status.UNCHANGED
        ],
        "facts": stated._asdict(),
    }


def common_dependencies(facts: Any, arguments: Arguments) -> list[dict[str, Any]]:
    """The packages that all of several specs depend on."""
    hashes = arguments["hashes"]
    if not 1 <= len(hashes) <= MAXIMUM_GRAPHS:
        sentence = f"`hashes` takes 1 to {MAXIMUM_GRAPHS} hashes, it has {len(hashes)}"
        raise Refused(Code.ARGUMENT_INVALID, sentence)
    graphs = {spec["hash"]: graph_nodes(spec, "") for spec in facts["specs"]["nodes"]}
    # As `spec` finds them: the spec whose identity a hash is comes first, then the latest.
    shown = {value: root for root, (nodes, _) in reversed(graphs.items()) for _, value in nodes[root].hashes}
    shown |= {root: root for root in graphs}
    unknown = next((value for value in hashes if value not in shown), None)
    if unknown is not None:
        raise Refused(Code.SPEC_UNKNOWN, f"no spec has the hash {unknown!r}")
    roots = dict.fromkeys(shown[value] for value in hashes)
    found = common([graphs[root] for root in roots], followed(arguments))
    return [
        {
            "name": one.name,
            "specs": sorted({identity for some in one.specs for identity in some}),
            "sharedSpecs": list(one.shared),
            "sharedVersions": list(one.shared_versions),
        }
        for one in found
    ]


def graphs_of(*names: str) -> SpecIds:
    """The ids of all specs in the graphs of the specs that arguments name by a hash."""

    def ids(row: Scope, arguments: Mapping[str, Given], compilation: Filtering) -> CompoundSelect[Any]:
        found = (spec_by_hash_or_id({"hash": arguments[name]}, compilation) for name in names)
        return graphs_below(*(one.row_id for one in found))

    return ids


def graphs_of_all(row: Scope, arguments: Mapping[str, Given], compilation: Filtering) -> CompoundSelect[Any]:
    """The ids of all specs in the graphs of the specs that have one of the `hashes`."""
    is_shown = compilation.is_among(SpecHash.__table__.c.value, arguments["hashes"], _checked)
    roots = select(SpecHash.spec_id).where(is_shown)
    below = select(Closure.descendant_id).where(Closure.ancestor_id.in_(roots))
    return union(select(Spec.id).where(Spec.id.in_(roots)), below)


def _checked(value: Any) -> str:
    return without_nul("hashes", value)


def graphs_below(*roots: Any) -> CompoundSelect[Any]:
    """The ids of all specs in the graphs of the specs with these ids."""
    below = (select(Closure.descendant_id.label("id")).where(Closure.ancestor_id == root) for root in roots)
    return union(*(select(root.label("id")) for root in roots), *below)


def _formatted(make: Callable[[], str]) -> str:
    try:
        return make()
    except BadFormat as error:
        raise Refused(Code.FORMAT_INVALID, f"`template` cannot be printed: {error}") from error


def _meant(nodes: Nodes, name_or_hash: str) -> list[str]:
    """The nodes of this name, or whose hash starts so."""
    named = [node.hash for node in nodes.values() if node.name == name_or_hash]
    shown = [
        node.hash
        for node in nodes.values()
        if any(value.startswith(name_or_hash) for _, value in node.hashes)
    ]
    return sorted(named or (shown if name_or_hash else []))


def _order(nodes: Nodes) -> Callable[[str], tuple[str, str]]:
    return lambda identity: (nodes[identity].name, identity)


def node_difference(node: NodeDifference) -> dict[str, Any]:
    """A pair of nodes as the schema's SpecDifference; its specs are identities."""
    return {
        "name": node.name,
        "status": node.status.name,
        "before": node.a,
        "after": node.b,
        "changes": [
            {"kind": change.kind.name, "name": change.name, "before": change.before, "after": change.after}
            for change in node.changes
        ],
    }
