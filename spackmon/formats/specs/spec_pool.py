"""Many specs in one file, each node once under a hash: lock files, install databases, `spack find --json`.

A node that cannot be read, whose dependency is missing or that depends on itself is left out with all that
depend on it; the others make graphs, built one at a time: 20,000 graphs of 60 nodes share 20,000 nodes.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from spackmon.formats.bytes.damage import Damage
from spackmon.formats.bytes.fields import FieldUnfit, object_of
from spackmon.formats.specs.spec_node import DependencyEntry, NodeEntry, named_content, read_entry, spec_node
from spackmon.graph.closure import children_first
from spackmon.graph.spec import Edge, SpecGraph, SpecNode, TargetDescription
from spackmon.submission import SpecReport

MAXIMUM_SPECS = 100_000

# No real graph comes near it, and with it no graph can have too many descendants.
_MAXIMUM_GRAPH_SPECS = 2_000


@dataclass(frozen=True, slots=True)
class KeyedNode:
    """A node as a file keeps it: under `key`, a hash of the kind `key_kind`; the node may leave that out."""

    key: str
    element: object
    format_version: int
    key_kind: str = "hash"


class SpecPool:
    """The readable specs of a file, by identity hash; every edge of theirs ends in it."""

    def __init__(
        self,
        nodes: Mapping[str, SpecNode],
        by_key: Mapping[str, str],
        built_as: Mapping[str, str],
        format_versions: Mapping[str, int],
    ) -> None:
        self.nodes = nodes
        self.by_key = by_key
        self._built_as = built_as
        self._format_versions = format_versions

    def parents_first(self) -> Iterator[str]:
        """All identities, each before what it depends on.

        So the first graphs bring nearly all specs, and the store only has to look the others up.
        """
        return reversed(children_first(self.nodes))

    def graph(self, root: str) -> SpecGraph:
        """The graph below an identity; of a spliced spec also the graph that it was built as."""
        nodes = _below(root, self.nodes, self._built_as)
        return SpecGraph(root=root, format_version=self._format_versions[root], nodes=nodes)


def read_pool(keyed: Iterable[KeyedNode], damage: Damage) -> SpecPool:
    """The pool of a file's nodes; what is left out is added to `damage`.

    Raises FieldUnfit for more than MAXIMUM_SPECS.
    """
    entries: dict[str, NodeEntry] = {}
    by_key: dict[str, str] = {}
    format_versions: dict[str, int] = {}
    listed = list(keyed)
    if len(listed) > MAXIMUM_SPECS:
        raise FieldUnfit(f"it has more than {MAXIMUM_SPECS} specs")
    for node in listed:
        try:
            entry = _entry(node)
            if entries.setdefault(entry.identity[1], entry) is not entry:
                raise FieldUnfit(f"another node has the same {entry.identity[0]}")
        except FieldUnfit as unfit:
            damage.add(f"{node.key}: {unfit.sentence}")
            continue
        by_key[node.key] = entry.identity[1]
        format_versions[entry.identity[1]] = node.format_version
    nodes = _whole(_connected(entries, by_key, damage), damage)
    built_as = _built_as(by_key, nodes)
    if len(nodes) > _MAXIMUM_GRAPH_SPECS:
        nodes = _of_real_size(nodes, built_as, damage)
    return SpecPool(nodes, by_key, built_as, format_versions)


def reports(
    pool: SpecPool, roots: Collection[str], spack_version: str | None, covered: Iterable[str] = ()
) -> Iterator[SpecReport]:
    """The graph of each of `roots`, then of all that stand neither in these nor in `covered`."""
    covered = set(covered)
    wanted = set(roots)
    for identity in [*roots, *pool.parents_first()]:
        if identity in wanted or identity not in covered:
            wanted.discard(identity)
            graph = pool.graph(identity)
            covered.update(graph.nodes)
            yield SpecReport(graph=graph, spack_version=spack_version)


def _entry(node: KeyedNode) -> NodeEntry:
    name, fields = named_content(node.element, node.format_version)
    content = object_of(fields, "the node")
    stated = content.get(node.key_kind)
    if stated is None:
        content = {**content, node.key_kind: node.key}
    elif stated != node.key:
        raise FieldUnfit(f"{name}: its {node.key_kind} must be the one that it is kept under")
    return read_entry(name, content, node.element, node.format_version)


def _connected(
    entries: Mapping[str, NodeEntry], by_key: Mapping[str, str], damage: Damage
) -> dict[str, SpecNode]:
    """The nodes with their edges, but for those that have a field unfit or name a hash that nobody has."""
    carriers: dict[str, str] = {}
    for identity, entry in entries.items():
        for _, value in entry.hashes:
            carriers.setdefault(value, identity)
    # A DAG hash of before Spack 0.18 is shared by specs that were built differently, a key is not.
    carriers.update(by_key)
    nodes: dict[str, SpecNode] = {}
    targets: dict[str, TargetDescription] = {}
    for identity, entry in entries.items():
        try:
            nodes[identity] = spec_node(entry, _edges(entry.dependencies, carriers), targets)
        except FieldUnfit as unfit:
            damage.add(f"{entry.name}/{identity}: {unfit.sentence}")
    return nodes


def _edges(dependencies: Iterable[DependencyEntry], carriers: Mapping[str, str]) -> tuple[Edge, ...]:
    edges: dict[tuple[str, tuple[str, ...]], Edge] = {}
    for dependency in dependencies:
        child = next((carriers[value] for _, value in dependency.hashes if value in carriers), None)
        if child is None:
            raise FieldUnfit(f"it has no spec {dependency.name}/{dependency.hashes[0][1]}, a dependency")
        key = child, dependency.virtuals
        same = edges.get(key)
        deptypes = dependency.deptypes if same is None else dependency.deptypes | same.deptypes
        edges[key] = Edge(child, deptypes, dependency.virtuals)
    return tuple(edges.values())


def _whole(nodes: dict[str, SpecNode], damage: Damage) -> dict[str, SpecNode]:
    """The nodes all of whose dependencies are there, and theirs."""
    missing = {identity: len({edge.child for edge in node.edges}) for identity, node in nodes.items()}
    parents: dict[str, list[str]] = {}
    for identity, node in nodes.items():
        for child in {edge.child for edge in node.edges}:
            parents.setdefault(child, []).append(identity)
    whole = {identity: node for identity, node in nodes.items() if not missing[identity]}
    pending = list(whole)
    while pending:
        for parent in parents.get(pending.pop(), ()):
            missing[parent] -= 1
            if not missing[parent]:
                whole[parent] = nodes[parent]
                pending.append(parent)
    if len(whole) < len(nodes):
        first = _shown(next(node for identity, node in nodes.items() if identity not in whole))
        damage.add(f"{first} depends on itself or on what cannot be read", parts=len(nodes) - len(whole))
    return whole


def _built_as(by_key: Mapping[str, str], nodes: Mapping[str, SpecNode]) -> dict[str, str]:
    """The specs that spliced ones were built as, where the file has them."""
    originals: dict[str, str] = {}
    for identity, node in nodes.items():
        built_as = None if node.built_as is None else by_key.get(node.built_as, node.built_as)
        if built_as is not None and built_as in nodes:
            originals[identity] = built_as
    return originals


def _of_real_size(
    nodes: Mapping[str, SpecNode], built_as: Mapping[str, str], damage: Damage
) -> dict[str, SpecNode]:
    """The nodes whose graphs are no larger than any real one; above the first giant nothing is walked."""
    small: dict[str, SpecNode] = {}
    for identity in children_first(nodes):
        node = nodes[identity]
        if all(edge.child in small for edge in node.edges):
            below = _below(identity, nodes, built_as, _MAXIMUM_GRAPH_SPECS)
            if len(below) <= _MAXIMUM_GRAPH_SPECS:
                small[identity] = node
    if len(small) < len(nodes):
        first = _shown(next(node for identity, node in nodes.items() if identity not in small))
        damage.add(
            f"the graph of {first} has over {_MAXIMUM_GRAPH_SPECS} specs", parts=len(nodes) - len(small)
        )
    return small


def _below(
    root: str, nodes: Mapping[str, SpecNode], built_as: Mapping[str, str], enough: int = MAXIMUM_SPECS
) -> dict[str, SpecNode]:
    """What a graph has, its root first; the walk ends with the first node that is more than enough."""
    reached = {root: nodes[root]}
    pending = [root]
    while pending:
        identity = pending.pop()
        children = [edge.child for edge in nodes[identity].edges]
        if identity in built_as:
            children.append(built_as[identity])
        for child in children:
            if child not in reached:
                reached[child] = nodes[child]
                pending.append(child)
        if len(reached) > enough:
            break
    return reached


def _shown(node: SpecNode) -> str:
    return f"{node.name}/{node.hash}"
