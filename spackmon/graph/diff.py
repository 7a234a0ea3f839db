"""Two graphs node by node: what was added and removed, and what became of the rest.

It agrees with the facts of `spack diff` (facts.py): of two nodes a kind of change is reported exactly if
what Spack states of them differs in it. Beyond the facts it names the compiler among what changed, compares
where externals come from, and tells nodes apart that differ in their hash alone, because something below
them changed.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

from spackmon.graph.spec import Deptype, SpecNode
from spackmon.graph.spec_text import Parameters, compiler_edges, deptype_names, external, flag_text
from spackmon.graph.traverse import traverse
from spackmon.graph.versions import version_key


class ChangeKind(Enum):
    """What differs between two nodes."""

    NAMESPACE = "namespace"
    VERSION = "version"
    VARIANTS = "variants"
    FLAGS = "flags"
    COMPILER = "compiler"
    ARCHITECTURE = "architecture"
    DEPENDENCIES = "dependencies"
    EXTERNAL = "external"
    RECIPE = "recipe"


class Status(Enum):
    """What became of a node; HASH_ONLY: nothing of its own, but something below it, is different."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    HASH_ONLY = "hash_only"
    UNCHANGED = "unchanged"


class Change(NamedTuple):
    """One difference: `name` is the variant, the kind of flags, the dependency or the part that differs.

    `before` and `after` are as Spack writes them, None on the side that has none.
    """

    kind: ChangeKind
    name: str
    before: str | None
    after: str | None


class NodeDifference(NamedTuple):
    """A node of the first graph and the one it became in the second, by their identities."""

    name: str
    status: Status
    a: str | None
    b: str | None
    changes: tuple[Change, ...] = ()


def diff(
    a_nodes: Mapping[str, SpecNode], a: str, b_nodes: Mapping[str, SpecNode], b: str
) -> list[NodeDifference]:
    """The specs `a` and `b` and all nodes below them, by name.

    Nodes of one name are a pair. Where a name occurs more than once, those that are the same spec are paired
    first, then `a` with `b`, then those of one version, then the rest in the order of their versions. Edges
    must end at nodes of their mapping (KeyError).
    """
    differences = []
    a_names, b_names = _by_name(a_nodes, a), _by_name(b_nodes, b)
    for name in sorted(a_names.keys() | b_names.keys()):
        pairs, removed, added = _paired(a_names.get(name, []), b_names.get(name, []), (a, b))
        differences += [_compared(a_nodes, before, b_nodes, after) for before, after in pairs]
        differences += [NodeDifference(name, Status.REMOVED, node.hash, None) for node in removed]
        differences += [NodeDifference(name, Status.ADDED, None, node.hash) for node in added]
    return differences


def _by_name(nodes: Mapping[str, SpecNode], root: str) -> dict[str, list[SpecNode]]:
    """The nodes of each name in the order of their versions."""
    by_name: dict[str, list[SpecNode]] = {}
    for visit in traverse(nodes, root):
        node = nodes[visit.hash]
        by_name.setdefault(node.name, []).append(node)
    for same_name in by_name.values():
        same_name.sort(key=lambda node: (version_key(node.version), node.hash))
    return by_name


def _paired(
    before: list[SpecNode], after: list[SpecNode], roots: tuple[str, str]
) -> tuple[list[tuple[SpecNode, SpecNode]], list[SpecNode], list[SpecNode]]:
    """The pairs, and what is left of either side."""
    alike: tuple[Callable[[SpecNode], object], ...] = (
        lambda node: (node.hash, node.hash_kind),
        lambda node: node.hash if node.hash not in roots else roots,
        lambda node: node.version,
        lambda node: None,
    )
    pairs: list[tuple[SpecNode, SpecNode]] = []
    for feature in alike:
        waiting: dict[object, deque[SpecNode]] = {}
        for node in after:
            waiting.setdefault(feature(node), deque()).append(node)
        unpaired = []
        for node in before:
            if same := waiting.get(feature(node)):
                pairs.append((node, same.popleft()))
            else:
                unpaired.append(node)
        taken = {node.hash for _, node in pairs}
        before, after = unpaired, [node for node in after if node.hash not in taken]
    return pairs, before, after


def _compared(
    a_nodes: Mapping[str, SpecNode], a: SpecNode, b_nodes: Mapping[str, SpecNode], b: SpecNode
) -> NodeDifference:
    if (a.hash, a.hash_kind) == (b.hash, b.hash_kind):
        return NodeDifference(b.name, Status.UNCHANGED, a.hash, b.hash)
    before, after = dict(_features(a_nodes, a)), dict(_features(b_nodes, b))
    absent = _Feature(None, None)
    changes = []
    # Kinds in their order, then by name; a dict keeps what is on both sides once.
    for kind, name in sorted(before | after, key=lambda key: (_KINDS.index(key[0]), key[1])):
        was, became = before.get((kind, name), absent), after.get((kind, name), absent)
        if was.value != became.value:
            changes.append(Change(kind, name, was.text, became.text))
    status = Status.CHANGED if changes else Status.HASH_ONLY
    return NodeDifference(b.name, status, a.hash, b.hash, tuple(changes))


_KINDS = tuple(ChangeKind)


class _Feature(NamedTuple):
    """Something of a node: what is compared, and how it is written."""

    value: object
    text: str | None


def _features(
    nodes: Mapping[str, SpecNode], node: SpecNode
) -> Iterator[tuple[tuple[ChangeKind, str], _Feature]]:
    for kind, name, text in (
        (ChangeKind.NAMESPACE, "namespace", node.namespace),
        (ChangeKind.VERSION, "version", node.version),
        (ChangeKind.COMPILER, "compiler", _compilers(nodes, node)),
        (ChangeKind.ARCHITECTURE, "platform", node.platform),
        (ChangeKind.ARCHITECTURE, "os", node.operating_system),
        (ChangeKind.ARCHITECTURE, "target", node.target.name),
        (ChangeKind.RECIPE, "package_hash", node.package_hash),
    ):
        if text:
            yield (kind, name), _Feature(text, text)
    parameters = Parameters(node)
    for variant in parameters.variants.values():
        if variant.values:
            yield (ChangeKind.VARIANTS, variant.name), _Feature(variant.values, str(variant))
    for name, flags in parameters.flags.items():
        yield (ChangeKind.FLAGS, name), _Feature(flags, flag_text(name, flags))
    if source := external(node):
        yield (ChangeKind.EXTERNAL, "external"), _Feature(source, _place(source))
    for name, feature in _dependencies(nodes, node).items():
        yield (ChangeKind.DEPENDENCIES, name), feature


def _compilers(nodes: Mapping[str, SpecNode], node: SpecNode) -> str | None:
    if node.compiler is not None:
        return "@".join(node.compiler)
    compilers = (nodes[edge.child] for edge in compiler_edges(node))
    return ", ".join(sorted({f"{compiler.name}@{compiler.version}" for compiler in compilers})) or None


def _place(source: Mapping[str, Any]) -> str:
    modules = source.get("module")
    return str(
        source.get("path") or (", ".join(map(str, modules)) if isinstance(modules, list) else "external")
    )


def _dependencies(nodes: Mapping[str, SpecNode], node: SpecNode) -> dict[str, _Feature]:
    """How it needs each package; which spec of the package that is, is that spec's own difference."""
    needed: dict[str, tuple[Deptype, frozenset[str]]] = {}
    for edge in node.edges:
        name = nodes[edge.child].name
        deptypes, virtuals = needed.get(name, (Deptype(0), frozenset()))
        needed[name] = deptypes | edge.deptypes, virtuals.union(edge.virtuals)
    return {name: _Feature(how, _constraint(name, *how)) for name, how in needed.items()}


def _constraint(name: str, deptypes: Deptype, virtuals: frozenset[str]) -> str:
    provided = f"{','.join(sorted(virtuals))}=" if virtuals else ""
    return f"%[deptypes={','.join(deptype_names(deptypes))}] {provided}{name}"
