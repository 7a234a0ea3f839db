"""Whether a concrete spec satisfies an abstract one, node by node: Spack's rules in their plainest form.

This is the reference that the SQL of `query.satisfying` is tested against. The rules are those of
`Spec.satisfies` in Spack (`spack_rules` has those that changed), but for the package repository: which
package provides a virtual is what the edges say.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from spackmon.graph.abstract_spec import (
    ANY,
    COMPILER_PACKAGES,
    NO_DEPTYPES,
    AbstractEdge,
    AbstractSpec,
    VariantConstraint,
)
from spackmon.graph.closure import descendants
from spackmon.graph.parameters import indexed_name, indexed_value, parameter_rows
from spackmon.graph.spack_rules import RULES, Rules, SpackVersion
from spackmon.graph.spec import Deptype, Edge, SpecNode
from spackmon.graph.spec_text import LANGUAGES
from spackmon.graph.targets import common_targets
from spackmon.graph.versions import KeyRange, version_key

_LINK_RUN = Deptype.LINK | Deptype.RUN
_BY_CARET = _LINK_RUN | Deptype.BUILD
_LANGUAGES = frozenset(LANGUAGES)


class Satisfaction:
    """Answers for the nodes of graphs that are closed: every edge ends at one of `nodes`, by identity.

    `reread` are the nodes that today's Spack read from a file of before 1.0 and wrote again.
    """

    def __init__(
        self,
        nodes: Mapping[str, SpecNode],
        reread: frozenset[str] = frozenset(),
        rules: Rules = RULES[SpackVersion.SPACK_1_2],
    ) -> None:
        self._nodes = nodes
        self._reread = reread
        self._rules = rules
        self._below = descendants(nodes)
        self._parameters: dict[str, Mapping[str, frozenset[str]]] = {}

    def satisfies(self, hash: str, spec: AbstractSpec) -> bool:  # noqa: A002 -- the field's own word
        """Whether the node with this identity satisfies `spec`."""
        return self._satisfies(self._nodes[hash], spec)

    def _satisfies(self, node: SpecNode, spec: AbstractSpec) -> bool:
        return (
            (spec.name is None or spec.name == node.name)
            and self._fits(node, spec)
            and all(self._has(node, edge) for edge in spec.edges)
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

    def _has(self, node: SpecNode, wanted: AbstractEdge) -> bool:
        is_asked = wanted.when is None or self._satisfies(node, wanted.when)
        if wanted.is_direct:
            return not is_asked or self._has_direct(node, wanted)
        if is_asked:
            return self._has_below(node, wanted)
        return self._rules.keeps_percent_with_caret or self._has_percent_of(node, wanted.spec)

    def _has_below(self, node: SpecNode, wanted: AbstractEdge) -> bool:
        spec = wanted.spec
        if self._compiler_below(node, wanted):
            return True
        edges = [edge for edge in self._reachable(node) if self._is_called(edge, spec.name)]
        provided = {virtual for edge in edges for virtual in (*edge.virtuals, self._nodes[edge.child].name)}
        found = {
            edge.child
            for edge in edges
            if self._has_deptypes(node, edge.child, wanted.deptypes)
            and self._fits(self._nodes[edge.child], spec)
        }
        if self._rules.keeps_percent_with_caret:
            # Spack takes the first that it comes across; how it walks further down is not followed here.
            found = self._first_direct(node, found) or found
        return provided.issuperset(wanted.virtuals) and any(
            self._has_percents(node, self._nodes[one], spec) for one in found
        )

    def _first_direct(self, node: SpecNode, found: set[str]) -> set[str]:
        """The first by its name of those that the node itself depends on, if there are any."""
        own = found.intersection(edge.child for edge in node.edges if edge.deptypes & _BY_CARET)
        return {min(own, key=lambda one: (self._nodes[one].name, one))} if own else set()

    def _has_percents(self, root: SpecNode, node: SpecNode, spec: AbstractSpec) -> bool:
        """Whether the dependencies that `^spec` asks for are there, `node` being what it found."""
        return all(self._has(root if self._is_roots(spec, below) else node, below) for below in spec.edges)

    def _is_roots(self, spec: AbstractSpec, below: AbstractEdge) -> bool:
        return not self._rules.keeps_percent_with_caret and spec.name in (None, below.spec.name)

    def _has_percent_of(self, root: SpecNode, spec: AbstractSpec) -> bool:
        """Whether the dependencies of a `^spec` that is not asked for itself are there."""
        owners = [
            self._nodes[edge.child] for edge in self._reachable(root) if self._is_called(edge, spec.name)
        ]
        if root.name == spec.name:
            owners.append(root)
        return all(
            any(self._has(owner, below) for owner in ([root] if self._is_roots(spec, below) else owners))
            for below in spec.edges
        )

    def _is_called(self, edge: Edge, name: str | None) -> bool:
        return name is None or name == self._nodes[edge.child].name or name in edge.virtuals

    def _has_deptypes(self, node: SpecNode, child: str, deptypes: Deptype) -> bool:
        """Whether an edge to the child has the deptypes: of the node's own edges to it, if there are any."""
        if not self._rules.has_deptypes_of_caret:
            return True
        own = [edge for edge in node.edges if edge.child == child]
        edges = own or [edge for edge in self._reachable(node) if edge.child == child]
        return any(deptypes & edge.deptypes == deptypes for edge in edges)

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

    def _has_direct(self, node: SpecNode, wanted: AbstractEdge) -> bool:
        if self._has_compiler(node, wanted):
            return True
        if node.hash in self._reread and not self._rules.has_compiler_beside_edges:
            return False
        return any(self._is_direct(node, child, wanted) for child in {edge.child for edge in node.edges})

    def _is_direct(self, node: SpecNode, child: str, wanted: AbstractEdge) -> bool:
        """Whether the child, on which the node depends, is what is asked for."""
        edges = [
            edge
            for edge in node.edges
            if edge.child == child and wanted.deptypes & edge.deptypes == wanted.deptypes
        ]
        provided = {virtual for edge in edges for virtual in edge.virtuals}
        provides = all if self._rules.needs_every_virtual else any
        return (
            any(self._is_called(edge, wanted.spec.name) for edge in edges)
            and (not wanted.virtuals or provides(virtual in provided for virtual in wanted.virtuals))
            and self._fits(self._nodes[child], wanted.spec)
        )

    # Compilers of before format v5, a name and a version ----------------------------------------------

    def _has_compiler(self, node: SpecNode, wanted: AbstractEdge) -> bool:
        spec = wanted.spec
        if node.compiler is None or spec.hash_prefix or spec.flags or spec.mentions_architecture:
            return False
        if any(not variant.is_propagated for variant in spec.variants):
            return False
        if self._rules.has_compiler_beside_edges and not (
            _LANGUAGES.issuperset(wanted.virtuals) and wanted.deptypes in (NO_DEPTYPES, Deptype.BUILD)
        ):
            return False
        name, version = node.compiler
        return spec.name in (None, name, COMPILER_PACKAGES.get(name)) and _holds(spec.versions, version)

    def _compiler_below(self, node: SpecNode, wanted: AbstractEdge) -> bool:
        """Whether the compiler, which has no dependencies itself, is what `^` asks for."""
        return (
            self._rules.has_compiler_beside_edges
            and self._has_compiler(node, wanted)
            and all(below.when is not None for below in wanted.spec.edges)
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
