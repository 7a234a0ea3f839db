"""Spec JSON of every Spack from 0.16 to 1.2 (formats v1 to v5), as files and clients carry it.

v1 is a list of one-key objects, later formats are `{"_meta": {"version": N}, "nodes": […]}`; either may stand
alone or inside one or two objects with the key "spec". The first node is the root. Edges are resolved inside
the document, by any hash that the target node carries: which kind an edge names depends on the format, on
the Spack and on whether the document was sent or lay on a disk.
"""

import base64
import hashlib
import json
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.damage import newer
from spackmon.formats.bytes.fields import (
    FieldUnfit,
    compact,
    name_of,
    object_of,
    storable_json,
)
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.formats.specs.spec_node import DependencyEntry, NodeEntry, named_content
from spackmon.graph.closure import CyclicGraph, TooManyDescendants, children_first, descendants
from spackmon.graph.spec import Edge, SpecGraph, SpecNode, TargetDescription
from spackmon.submission import ConcretizationFailureReport

MAXIMUM_NODES = 100_000
FORMAT_VERSIONS = range(2, 6)

_ANY_VERSION = 1_000

# A graph up to this size cannot have too many descendants, so that only a giant's are counted.
_SMALL_GRAPH_NODES = 2_000

_Carriers = dict[str, list[tuple[str, NodeEntry]]]


def read(document: object, known: KnownNodes | None = None) -> SpecGraph:
    """The graph of one parsed spec document, of concrete specs.

    Every node of the document is kept, also what the root does not depend on (the specs that a spliced
    spec was built as). `known` are the nodes of documents that were read before this one, and are added to.
    Raises Refused SPEC_MALFORMED naming the node and the field.
    """
    known = KnownNodes() if known is None else known
    format_version, elements = _elements(_unwrapped(document))
    entries: dict[str, NodeEntry] = {}
    for position, element in enumerate(elements):
        entry = _entry(position, element, format_version, known)
        same = entries.setdefault(entry.identity[1], entry)
        if same.document != entry.document:
            raise _malformed(f"{_place(position, entry.name)}: another node has the same {entry.identity[0]}")
    nodes = _resolved(entries, known)
    try:
        children_first(nodes)
        if len(nodes) > _SMALL_GRAPH_NODES:
            descendants(nodes)
    except (CyclicGraph, TooManyDescendants) as problem:
        raise _malformed(str(problem)) from None
    return SpecGraph(root=next(iter(nodes)), format_version=format_version, nodes=nodes)


def newer_version(document: object) -> str | None:
    """A sentence about a format after those known here, which is read as the latest; None of the others."""
    try:
        format_version = _elements(_unwrapped(document))[0]
    except Refused:
        return None
    latest = FORMAT_VERSIONS[-1]
    return newer("_meta.version", format_version, latest) if format_version > latest else None


def is_abstract(document: object) -> bool:
    """Whether the document holds what could not be concretized instead of a concrete spec.

    Never raises: a document that is neither is left to `read`, which says what is wrong with it.
    """
    try:
        root = _elements(_unwrapped(document))[1][0]
    except Refused:
        return False
    return isinstance(root, dict) and (
        root.get("full_hash") == "FAILED_CONCRETIZATION" or root.get("concrete") is False
    )


def read_failure(document: object, spack_version: str) -> ConcretizationFailureReport:
    """The report of a document that `is_abstract`. Raises Refused SPEC_MALFORMED."""
    unwrapped = _unwrapped(document)
    root = _elements(unwrapped)[1][0]
    try:
        name = name_of(object_of(root, "the node"), "name")
        stored = storable_json(unwrapped, "the spec")
    except FieldUnfit as unfit:
        raise _malformed(f"{_place(0, None)}: {unfit.sentence}") from None
    return ConcretizationFailureReport(name=name, document=stored, spack_version=spack_version)


def node_hash(document: str) -> str:
    """The hash of a v5 node that its compact JSON states: base32 of the SHA-1, without its key "hash".

    It differs from the node's own for spliced specs and for those read again from an older format.
    """
    content = json.loads(document)
    content.pop("hash", None)
    digest = hashlib.sha1(compact(content, "the node").encode("ascii"), usedforsecurity=False).digest()
    return base64.b32encode(digest).decode("ascii").lower()


def _unwrapped(document: object) -> object:
    for _ in range(3):
        if not isinstance(document, dict) or "spec" not in document or "nodes" in document:
            break
        document = document["spec"]
    return document


def _elements(document: object) -> tuple[int, list[Any]]:
    """The format version and the nodes as they stand in the document, at least one."""
    if isinstance(document, list):
        format_version, elements = 1, document
    elif isinstance(document, dict) and isinstance(document.get("nodes"), list):
        meta = document.get("_meta")
        declared = meta.get("version") if isinstance(meta, dict) else None
        if type(declared) is not int or not FORMAT_VERSIONS[0] <= declared <= _ANY_VERSION:
            raise _malformed(f"_meta.version must be a number, from {FORMAT_VERSIONS[0]}")
        format_version, elements = declared, document["nodes"]
    else:
        raise _malformed('a list of nodes or an object {"_meta": {"version"}, "nodes": []} was expected')
    if not elements:
        raise _malformed("it has no nodes")
    if len(elements) > MAXIMUM_NODES:
        raise _malformed(f"it has more than {MAXIMUM_NODES} nodes")
    return format_version, elements


def _entry(position: int, element: object, format_version: int, known: KnownNodes) -> NodeEntry:
    name = None
    try:
        name, fields = named_content(element, format_version)
        return known.entry(name, object_of(fields, "the node"), element, format_version)
    except FieldUnfit as unfit:
        raise _malformed(f"{_place(position, name)}: {unfit.sentence}") from None


def _resolved(entries: dict[str, NodeEntry], known: KnownNodes) -> dict[str, SpecNode]:
    """The nodes with their edges."""
    nodes: dict[str, SpecNode] = {}
    carriers: _Carriers = {}
    targets: dict[str, TargetDescription] = {}
    # Where nodes have several hashes, what an edge means depends on the others in the document; where none
    # has, what is known of a node holds if its children are here.
    is_plain = all(entry.children is not None for entry in entries.values())
    for position, (identity, entry) in enumerate(entries.items()):
        node = known.plain_node(entry) if is_plain else None
        if node is None or not all(child in entries for child in entry.children or ()):
            carriers = carriers or _carriers(entries)
            try:
                node = known.node(entry, _edges(entry, carriers), targets, is_plain=is_plain)
            except FieldUnfit as unfit:
                raise _malformed(f"{_place(position, entry.name)}: {unfit.sentence}") from None
        nodes[identity] = node
    return nodes


def _carriers(entries: dict[str, NodeEntry]) -> _Carriers:
    """The nodes by each of their hashes."""
    carriers: _Carriers = {}
    for entry in entries.values():
        for kind, value in entry.hashes:
            carriers.setdefault(value, []).append((kind, entry))
    return carriers


def _edges(entry: NodeEntry, carriers: _Carriers) -> tuple[Edge, ...]:
    """The edges of a node, one for each child and its virtuals."""
    edges: dict[tuple[str, tuple[str, ...]], Edge] = {}
    for dependency in entry.dependencies:
        child = _child(dependency, carriers)
        key = (child, dependency.virtuals)
        same = edges.get(key)
        deptypes = dependency.deptypes if same is None else dependency.deptypes | same.deptypes
        edges[key] = Edge(child, deptypes, dependency.virtuals)
    return tuple(edges.values())


def _child(dependency: DependencyEntry, carriers: _Carriers) -> str:
    """The identity of the node that is meant: of the same name if any, by the same kind of hash if any."""
    for kind, value in dependency.hashes:
        candidates = carriers.get(value)
        if candidates:
            if len(candidates) > 1:
                candidates = sorted(
                    candidates, key=lambda pair: (pair[1].name != dependency.name, pair[0] != kind)
                )
            return candidates[0][1].identity[1]
    raise FieldUnfit(
        f"dependencies: no node of the document has the hash {dependency.hashes[0][1]} of {dependency.name}"
    )


def _place(position: int, name: str | None) -> str:
    return f"node {position}" if name is None else f"node {position} ({name})"


def _malformed(problem: str) -> Refused:
    return Refused(Code.SPEC_MALFORMED, f"the spec cannot be read: {problem}")
