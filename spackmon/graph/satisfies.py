"""Whether a concrete spec satisfies an abstract one, node by node: Spack's rules in their plainest form.

This is the reference that the SQL of `query.satisfying` is tested against. The rules are those of
`Spec.satisfies` in Spack 1.2 where it has no package repository: which package provides a virtual is what
the edges say.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from spackmon.graph.abstract_spec import (
    ANY,
    COMPILER_PACKAGES,
    AbstractEdge,
    AbstractSpec,
    VariantConstraint,
)
from spackmon.graph.closure import descendants
from spackmon.graph.parameters import indexed_name, indexed_value, parameter_rows
from spackmon.graph.spec import Deptype, Edge, SpecNode
from spackmon.graph.targets import common_targets
from spackmon.graph.versions import KeyRange, version_key

_LINK_RUN = Deptype.LINK | Deptype.RUN


class Satisfaction:
    """Answers for the nodes of graphs that are closed: every edge ends at one of `nodes`, by identity.

    `reread` are the nodes that today's Spack read from a file of before 1.0 and wrote again. Spack looks
    for their direct dependencies among their compilers alone.
    """

    def __init__(self, nodes: Mapping[str, SpecNode], reread: frozenset[str] = frozenset()) -> None:
        self._nodes = nodes
        self._reread = reread
        self._below = descendants(nodes)
        self._virtuals = {v for node in nodes.values() for edge in node.edges for v in edge.virtuals}
        self._parameters: dict[str, Mapping[str, frozenset[str]]] = {}

    def satisfies(self, hash: str, spec: AbstractSpec) -> bool:  # noqa: A002 -- the field's own word
        """Whether the node with this identity satisfies `spec`."""
        return self._satisfies(self._nodes[hash], spec, self._names_virtuals(spec))

    def _satisfies(self, node: SpecNode, spec: AbstractSpec, names_virtuals: bool) -> bool:
        return (
            (spec.name is None or spec.name == node.name)
            and self._fits(node, spec)
            and all(
                self._has(node, edge, names_virtuals)
                for edge in spec.edges
                if edge.when is None or self._satisfies(node, edge.when, names_virtuals)
            )
        )

    # A node without its dependencies ----------------------------------------------------------------

    def _fits(self, node: SpecNode, spec: AbstractSpec) -> bool:
        """Everything but the name and the dependencies."""
        return (
            (spec.namespace is None or node.namespace is None or node.namespace == spec.namespace)
            and _holds(spec.versions, node.version)
            and _has_hash(node, spec.hash_prefix)
            and _fits_architecture(node, spec)
            and all(self._has_variant(node, variant) for variant in spec.variants)
            and all(
                indexed_value(flag) in self._parameters_of(node).get(kind, ()) for kind, flag in spec.flags
            )
        )

    def _has_variant(self, node: SpecNode, variant: VariantConstraint) -> bool:
        if not variant.is_propagated:
            return self._satisfies_variant(node, variant)
        return all(
            self._satisfies_variant(other, variant)
            for other in (node, *(self._nodes[hash_] for hash_ in self._below[node.hash]))
            if indexed_name(variant.name) in self._parameters_of(other)
        )

    def _satisfies_variant(self, node: SpecNode, variant: VariantConstraint) -> bool:
        present = self._parameters_of(node).get(indexed_name(variant.name))
        if present is None:
            return False
        wanted = {indexed_value(value) for value in variant.values}
        if variant.is_exact:
            return wanted == present
        if variant.name == "patches":
            return all(any(value.startswith(prefix[:-1]) for value in present) for prefix in wanted)
        return wanted <= present

    def _parameters_of(self, node: SpecNode) -> Mapping[str, frozenset[str]]:
        if node.parameters not in self._parameters:
            found: dict[str, set[str]] = {}
            for name, value in parameter_rows(node.parameters):
                found.setdefault(name, set()).add(value)
            self._parameters[node.parameters] = {name: frozenset(found[name]) for name in found}
        return self._parameters[node.parameters]

    # Dependencies -----------------------------------------------------------------------------------

    def _has(self, node: SpecNode, wanted: AbstractEdge, names_virtuals: bool) -> bool:
        if wanted.is_direct:
            return self._has_direct(node, wanted, names_virtuals)
        name, virtuals = wanted.spec.name, wanted.virtuals
        edges = [
            edge
            for edge in self._reachable(node)
            if name is None or name == self._nodes[edge.child].name or name in edge.virtuals
        ]
        return all(
            any(virtual in edge.virtuals or virtual == self._nodes[edge.child].name for edge in edges)
            for virtual in virtuals
        ) and any(self._fits_below(node, edge, wanted.spec, names_virtuals) for edge in edges)

    def _fits_below(self, root: SpecNode, edge: Edge, spec: AbstractSpec, names_virtuals: bool) -> bool:
        """Whether the end of `edge` is what `^spec` asks for, the dependencies of `spec` included.

        Spack looks for these at the root where it cannot tell by a name which node has them.
        """
        child = self._nodes[edge.child]
        return self._fits(child, spec) and all(
            self._has_direct(owner, below, names_virtuals)
            for below in spec.edges
            for owner in [root if spec.name in (None, below.spec.name) else child]
            if below.when is None or self._satisfies(owner, below.when, names_virtuals)
        )

    def _reachable(self, node: SpecNode) -> Iterator[Edge]:
        """What `^` looks at: the edges that link and run edges lead to, and the node's own to build with."""
        yield from (edge for edge in node.edges if edge.deptypes & Deptype.BUILD)
        waiting, seen = [node.hash], {node.hash}
        while waiting:
            for edge in self._nodes[waiting.pop()].edges:
                if edge.deptypes & _LINK_RUN:
                    yield edge
                    if edge.child not in seen:
                        seen.add(edge.child)
                        waiting.append(edge.child)

    def _has_direct(self, node: SpecNode, wanted: AbstractEdge, names_virtuals: bool) -> bool:
        if node.hash in self._reread:
            return self._has_compiler(node, wanted.spec, names_virtuals)
        name = wanted.spec.name
        return any(
            self._fits(child, wanted.spec)
            for edge in node.edges
            for child in [self._nodes[edge.child]]
            if (name is None or name == child.name)
            and (not wanted.virtuals or set(wanted.virtuals) & set(edge.virtuals))
            and wanted.deptypes & edge.deptypes == wanted.deptypes
        ) or self._has_compiler(node, wanted.spec, names_virtuals)

    def _has_compiler(self, node: SpecNode, spec: AbstractSpec, names_virtuals: bool) -> bool:
        """Before format v5 a compiler was a name and a version, and no dependency."""
        if node.compiler is None or spec.hash_prefix or spec.flags or spec.asks_architecture:
            return False
        if any(not variant.is_propagated for variant in spec.variants):
            return False
        name, version = node.compiler
        is_named = spec.name in (None, name, COMPILER_PACKAGES.get(name))
        return (is_named or (names_virtuals and node.hash in self._reread)) and _holds(spec.versions, version)

    def _names_virtuals(self, spec: AbstractSpec) -> bool:
        """Whether the spec names a virtual; Spack then compares no names of compilers on old nodes."""
        return spec.name in self._virtuals or any(
            bool(edge.virtuals) or self._names_virtuals(edge.spec) for edge in spec.edges
        )


def _holds(versions: tuple[KeyRange, ...] | None, version: str) -> bool:
    key = version_key(version)
    return versions is None or any(low <= key < high for low, high in versions)


def _has_hash(node: SpecNode, prefix: str | None) -> bool:
    values = chain([node.hash], (value for _, value in node.hashes))
    return prefix is None or any(value.startswith(prefix) for value in values)


def _fits_architecture(node: SpecNode, spec: AbstractSpec) -> bool:
    for present, wanted in ((node.platform, spec.platform), (node.operating_system, spec.operating_system)):
        if wanted == ANY:
            return True
        if wanted not in (None, present):
            return False
    targets = common_targets(spec.targets)
    return targets is None or node.target.name in targets
