"""What stands in a bill of materials, whatever its format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

# purl has no type for Spack's packages: what they are called is said by `spack:hash` beside it.
_PURL_TYPE = "generic"


@dataclass(frozen=True, slots=True)
class Component:
    """A spec: `hash` is its identity, `external_path` where it lay already if Spack did not build it."""

    hash: str
    name: str
    version: str
    namespace: str | None
    external_path: str | None

    @property
    def purl(self) -> str:
        """Its package URL, `pkg:generic/zlib@1.3`."""
        return f"pkg:{_PURL_TYPE}/{quote(self.name, safe='')}@{quote(self.version, safe='')}"


@dataclass(frozen=True, slots=True)
class Edge:
    """`parent` needs `child`, both by their hashes, in these ways: `build`, `link`, `run`, `test`."""

    parent: str
    child: str
    deptypes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bill:
    """A bill of materials of what is found at `address`; its `roots` are among its components."""

    title: str
    address: str
    created_at: datetime
    roots: tuple[str, ...]
    components: tuple[Component, ...]
    edges: tuple[Edge, ...]
    properties: Mapping[str, str]

    def runs_with(self) -> frozenset[str]:
        """The hashes of what is linked or run, from the roots on: the rest was needed to build it."""
        below: dict[str, list[str]] = {}
        for edge in self.edges:
            if {"link", "run"} & set(edge.deptypes):
                below.setdefault(edge.parent, []).append(edge.child)
        found, pending = set(self.roots), list(self.roots)
        while pending:
            new = [child for child in below.get(pending.pop(), ()) if child not in found]
            found.update(new)
            pending += new
        return frozenset(found)


def components_of(graphs: Iterable[Mapping[str, Any]]) -> tuple[tuple[Component, ...], tuple[Edge, ...]]:
    """The specs of several answers of `SpecGraph`, and their edges, each once and in the order of hashes."""
    components: dict[str, Component] = {}
    edges: dict[tuple[str, str], set[str]] = {}
    for graph in graphs:
        for node in graph["nodes"]:
            components[node["hash"]] = Component(
                node["hash"], node["name"], node["version"], node["namespace"], node["externalPath"]
            )
        for edge in graph["edges"]:
            between = edge["parent"]["hash"], edge["child"]["hash"]
            edges.setdefault(between, set()).update(deptype.lower() for deptype in edge["deptypes"])
    return (
        tuple(components[hash_] for hash_ in sorted(components)),
        tuple(Edge(*between, tuple(sorted(deptypes))) for between, deptypes in sorted(edges.items())),
    )
