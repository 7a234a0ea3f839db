"""What `spack diff --json` says about a concrete spec: facts such as ["variant_value", "hdf5 mpi True"].

They are what Spack 1.2's solver would take from the spec. All follow from what is stored: the facts that
need a package's recipe or the host (`compatible_libc`, propagated variants, virtuals as nodes) are stated of
abstract specs or of a site's C libraries only, and `spack diff` of concrete specs never prints them.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from spackmon.graph.spec import Edge, SpecNode
from spackmon.graph.spec_text import Parameters, dag_hash, deptype_names, external, identified
from spackmon.graph.traverse import traverse
from spackmon.graph.versions import version_key

_RUNTIME = "gcc-runtime"
_C_LIBRARY = "libc"


class Fact(NamedTuple):
    """`attribute` of the package (or, in `virtual_node`, the virtual) that `arguments` begin with."""

    attribute: str
    arguments: tuple[str, ...]

    def flat(self) -> tuple[str, str]:
        """As Spack prints it."""
        return self.attribute, " ".join(self.arguments)


class FactDifference(NamedTuple):
    """The facts of two specs as `spack diff --json` lists them."""

    a_name: str
    b_name: str
    a_not_b: list[tuple[str, str]]
    b_not_a: list[tuple[str, str]]
    intersect: list[tuple[str, str]]


def compare_facts(
    a_nodes: Mapping[str, SpecNode],
    a: str,
    b_nodes: Mapping[str, SpecNode],
    b: str,
    ignore: Collection[str] = (),
) -> FactDifference:
    """`spack diff --json a b --ignore …`: what is said of `a` and all below it, and of `b`.

    `ignore` names packages or virtuals; what only they need is left out too. Edges must end at nodes of
    their mapping (KeyError).
    """
    a_facts, b_facts = facts(a_nodes, a, ignore), facts(b_nodes, b, ignore)
    return FactDifference(
        a_name=identified(a_nodes[a]),
        b_name=identified(b_nodes[b]),
        a_not_b=_listed(a_facts - b_facts),
        b_not_a=_listed(b_facts - a_facts),
        intersect=_listed(a_facts & b_facts),
    )


def facts(nodes: Mapping[str, SpecNode], root: str, ignore: Collection[str] = ()) -> set[Fact]:
    """The facts about `root` and all below it, of any deptype."""
    whole = [visit.hash for visit in traverse(nodes, root)]
    cut = _cut(nodes, whole, lambda parent, edge: not _names_any(nodes, edge, ignore)) if ignore else nodes
    # The solver chooses run-time libraries anew for specs it reuses: below the root Spack states what a
    # spec asks of them, and does not look at them.
    walked = _cut(cut, whole, lambda parent, edge: parent == root or not _is_runtime(nodes, edge))
    kept = {visit.hash for visit in traverse(walked, root)}
    found = {fact for identity in kept for fact in own_facts(cut, identity, is_root=identity == root)}
    # Spack ignores a package by cutting the edges to it, and still sees who provides what to whom: the
    # virtuals on edges into the rest, from what was cut off too, stay.
    for parent in whole:
        # It takes the edges of specs older than v5 for constraints, which say nothing of this kind; such a
        # spec is one that names its compiler.
        if nodes[parent].compiler is None:
            for edge in nodes[parent].edges:
                if edge.child in kept:
                    provider = nodes[edge.child].name
                    found |= {Fact("virtual_on_incoming_edges", (provider, name)) for name in edge.virtuals}
    return found


def own_facts(nodes: Mapping[str, SpecNode], identity: str, *, is_root: bool) -> Iterator[Fact]:
    """The facts that follow from one node and its edges; of a root, its run-time libraries too."""
    node = nodes[identity]
    name = node.name
    yield Fact("node", (name,))
    if node.namespace:
        yield Fact("namespace", (name, node.namespace))
    yield Fact("version", (name, node.version))
    yield Fact("node_platform", (name, node.platform))
    yield Fact("node_os", (name, node.operating_system))
    yield Fact("node_target", (name, node.target.name))
    yield from _parameter_facts(node)
    if node.package_hash:
        yield Fact("package_hash", (name, node.package_hash))
    yield Fact("hash", (name, dag_hash(node)))
    if external(node):
        yield Fact("external", (name,))
        # Any of a host's C libraries will do for an external; elsewhere Spack does not ask.
        if node.platform == "linux":
            yield Fact("needs_libc", (name,))
    for edge in node.edges:
        yield from _edge_facts(nodes, name, edge, is_root=is_root)


def _parameter_facts(node: SpecNode) -> Iterator[Fact]:
    parameters = Parameters(node)
    for variant in parameters.variants.values():
        for value in variant.values:
            yield Fact("variant_value", (node.name, variant.name, value))
    for kind, flags in parameters.flags.items():
        group = _escaped(" ".join(flags))
        for flag in flags:
            yield Fact("node_flag", (node.name, f'node_flag("{kind}","{flag}","{group}","none")'))


def _edge_facts(nodes: Mapping[str, SpecNode], name: str, edge: Edge, *, is_root: bool) -> Iterator[Fact]:
    child = nodes[edge.child]
    if child.name == _RUNTIME:
        yield Fact("compatible_runtime", (name, child.name, f"{child.version}:"))
    if _C_LIBRARY in edge.virtuals:
        yield Fact("needs_libc", (name,))
    if is_root or not _is_runtime(nodes, edge):
        for deptype in deptype_names(edge.deptypes):
            yield Fact("depends_on", (name, child.name, deptype))
        for virtual in edge.virtuals:
            yield Fact("virtual_on_edge", (name, child.name, virtual))
            yield Fact("virtual_node", (virtual,))


def _is_runtime(nodes: Mapping[str, SpecNode], edge: Edge) -> bool:
    return nodes[edge.child].name == _RUNTIME or _C_LIBRARY in edge.virtuals


def _names_any(nodes: Mapping[str, SpecNode], edge: Edge, names: Collection[str]) -> bool:
    return nodes[edge.child].name in names or any(virtual in names for virtual in edge.virtuals)


def _cut(
    nodes: Mapping[str, SpecNode], identities: list[str], is_kept: Callable[[str, Edge], bool]
) -> dict[str, SpecNode]:
    return {
        identity: replace(
            nodes[identity], edges=tuple(edge for edge in nodes[identity].edges if is_kept(identity, edge))
        )
        for identity in identities
    }


def _listed(some: Set[Fact]) -> list[tuple[str, str]]:
    return [fact.flat() for fact in sorted(some, key=_order)]


def _order(fact: Fact) -> tuple[str, str, bytes, tuple[str, ...]]:
    """As Spack sorts: versions as versions, all else as text."""
    name, *rest = fact.arguments
    key = version_key(rest[0]) if fact.attribute == "version" else b""
    return fact.attribute, name, key, tuple(rest)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
