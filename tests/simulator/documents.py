"""Specs as each Spack writes them: in what it sends, in a prefix, as a row of its database.

They agree in the DAG hash. 0.16 and 0.17 leave build dependencies out of what lies in a database, 0.16 all
hashes, too; 0.18 sends a full hash that is nowhere else.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from spackmon.formats.specs import spec_json
from spackmon.graph.spec import SpecGraph
from tests.simulator.truth import Spec

BUILD_ONLY = frozenset({"cmake"})
"""The dependencies that only a build needs."""

_FLAGS: dict[str, Any] = {
    name: [] for name in ("cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs")
}
DATABASE_VERSIONS = {1: "5", 2: "6", 3: "6", 4: "7", 5: "8"}


@cache
def sent(spec: Spec) -> SpecGraph:
    """What a client posts: every hash, every dependency."""
    return _read(spec, lambda node: _node(node, _SENT[node.format_version], "full_hash"))


@cache
def on_disk(spec: Spec) -> SpecGraph:
    """What lies in a prefix."""
    edges = "full_hash" if spec.format_version < 3 else "hash"
    return _read(spec, lambda node: _node(node, _ON_DISK[node.format_version], edges))


def row(spec: Spec) -> dict[str, Any]:
    """The value of `spec` in a row of the install database, which stands under the DAG hash."""
    node = _node(spec, _IN_DATABASE[spec.format_version], "hash", leaves_out_build=spec.format_version < 3)
    return {node.pop("name"): node} if spec.format_version == 1 else node


_ALL = ("hash", "full_hash", "build_hash")
_SENT = {1: _ALL, 2: _ALL, 3: ("hash", "full_hash"), 4: ("hash",), 5: ("hash",)}
_ON_DISK = {1: _ALL, 2: _ALL, 3: ("hash",), 4: ("hash",), 5: ("hash",)}
_IN_DATABASE = {1: (), 2: ("hash", "full_hash"), 3: ("hash",), 4: ("hash",), 5: ("hash",)}


def _read(spec: Spec, write: Callable[[Spec], dict[str, Any]]) -> SpecGraph:
    nodes = [write(node) for node in spec.walk()]
    if spec.format_version == 1:
        return spec_json.read([{node.pop("name"): node} for node in nodes])
    return spec_json.read({"_meta": {"version": spec.format_version}, "nodes": nodes})


def _node(
    spec: Spec, kinds: tuple[str, ...], edges_by: str, *, leaves_out_build: bool = False
) -> dict[str, Any]:
    """A node with these kinds of hashes, whose edges name their ends by one of them."""
    node: dict[str, Any] = {
        "name": spec.package, "version": spec.version,
        "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64_v3"},
    }  # fmt: skip
    if spec.format_version < 5:
        node["compiler"] = {"name": "gcc", "version": "12.2.0"}
    node |= {"namespace": "builtin", "parameters": {"flavour": spec.flavour, **_FLAGS}}
    if spec.format_version != 2:
        node["package_hash"] = f"{spec.package}===="
    children = [child for child in spec.children if not (leaves_out_build and child.package in BUILD_ONLY)]
    if children and spec.format_version == 1:
        node["dependencies"] = {child.package: _edge(child, "hash", edges_by) for child in children}
    elif children:
        kind = edges_by if spec.format_version < 4 else "hash"
        node["dependencies"] = [{"name": child.package, **_edge(child, kind, kind)} for child in children]
    return node | {kind: getattr(spec, kind) for kind in kinds}


def _edge(child: Spec, key: str, kind: str) -> dict[str, Any]:
    """0.16 calls every hash `hash`."""
    deptypes = ["build"] if child.package in BUILD_ONLY else ["build", "link"]
    if child.format_version < 4:
        return {key: getattr(child, kind), "type": deptypes}
    return {key: getattr(child, kind), "parameters": {"deptypes": deptypes, "virtuals": []}}
