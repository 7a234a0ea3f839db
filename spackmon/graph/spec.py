"""The canonical spec graph: what every format is read into and the store writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag


class Deptype(IntFlag):
    """How a spec needs another; a set is kept as the sum of its bits."""

    BUILD = 1
    LINK = 2
    RUN = 4
    TEST = 8


@dataclass(frozen=True, slots=True)
class TargetDescription:
    """A microarchitecture; a generic one has only a name. `document` is its JSON as it came, compact."""

    name: str
    document: str
    vendor: str | None = None
    generation: int | None = None
    features: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency on the node whose identity hash is `child`; `virtuals` in the document's order."""

    child: str
    deptypes: Deptype
    virtuals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecNode:
    """One concrete spec.

    `hash` is its identity, of the kind `hash_kind` ("full_hash" in formats v1 and v2, "hash" from v3
    on); `hashes` holds every (kind, value) pair the document shows, the identity among them. `document`
    is the node's JSON as it came, compact, keys in their order. `parameters` and `external` likewise.
    `built_as` is a hash of the spec that a spliced one was built as.
    """

    name: str
    version: str
    hash: str
    hash_kind: str
    hashes: tuple[tuple[str, str], ...]
    platform: str
    operating_system: str
    target: TargetDescription
    parameters: str
    document: str
    namespace: str | None = None
    compiler: tuple[str, str] | None = None
    package_hash: str | None = None
    external: str | None = None
    built_as: str | None = None
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecGraph:
    """A whole document: acyclic, every edge ends at a node of it. `nodes` by identity hash, root first."""

    root: str
    format_version: int
    nodes: Mapping[str, SpecNode]
