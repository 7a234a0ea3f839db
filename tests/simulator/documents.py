"""Specs as each Spack writes them: in what it sends, in a prefix, as a row of its database.

They agree in the DAG hash. 0.16 and 0.17 send a full hash that 0.16 does not write to disk, and leave build
dependencies out of what lies in a database; 0.18 sends another full hash than it uses afterwards.
"""

from functools import cache
from typing import Any

from spackmon.formats import spec_json
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
    return _read(spec, lambda node: _node(node, _SENT[node.format_version], with_build=True))


@cache
def on_disk(spec: Spec) -> SpecGraph:
    """What lies in a prefix."""
    return _read(spec, lambda node: _node(node, _ON_DISK[node.format_version], with_build=True))


def row(spec: Spec) -> dict[str, Any]:
    """The value of `spec` in a row of the install database, which stands under the DAG hash."""
    node = _node(spec, _IN_DATABASE[spec.format_version], with_build=spec.format_version >= 3)
    return {node.pop("name"): node} if spec.format_version == 1 else node


_SENT = {
    1: ("hash", "full_hash", "build_hash"), 2: ("hash", "full_hash", "build_hash"), 3: ("hash", "full_hash"),
    4: ("hash",), 5: ("hash",),
}  # fmt: skip
_ON_DISK = {
    1: ("hash", "build_hash"),
    2: ("hash", "full_hash", "build_hash"),
    3: ("hash",),
    4: ("hash",),
    5: ("hash",),
}
_IN_DATABASE = {1: (), 2: ("hash", "full_hash"), 3: ("hash",), 4: ("hash",), 5: ("hash",)}


def _read(spec: Spec, write: Any) -> SpecGraph:
    nodes = [write(node) for node in spec.walk()]
    if spec.format_version == 1:
        return spec_json.read([{node.pop("name"): node} for node in nodes])
    return spec_json.read({"_meta": {"version": spec.format_version}, "nodes": nodes})


def _node(spec: Spec, kinds: tuple[str, ...], *, with_build: bool) -> dict[str, Any]:
    node: dict[str, Any] = {
        "name": spec.package, "version": spec.version,
        "arch": {"platform": "linux", "platform_os": "debian12", "target": "x86_64_v3"},
    }  # fmt: skip
    if spec.format_version < 5:
        node["compiler"] = {"name": "gcc", "version": "12.2.0"}
    node |= {"namespace": "builtin", "parameters": {"flavour": spec.flavour, **_FLAGS}}
    if spec.format_version != 2:
        node["package_hash"] = f"{spec.package}===="
    children = [child for child in spec.children if with_build or child.package not in BUILD_ONLY]
    if children:
        edges = [_edge(child, kinds) for child in children]
        node["dependencies"] = dict(edges) if spec.format_version == 1 else [edge for _, edge in edges]
    hashes = {"hash": spec.hash, "full_hash": spec.full_hash, "build_hash": spec.build_hash}
    return node | {kind: hashes[kind] for kind in kinds}


def _edge(child: Spec, kinds: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    deptypes = ["build"] if child.package in BUILD_ONLY else ["build", "link"]
    if child.format_version == 1:
        value = child.full_hash if "full_hash" in kinds else child.build_hash if kinds else child.hash
        return child.package, {"hash": value, "type": deptypes}
    if child.format_version <= 3:
        kind = "full_hash" if "full_hash" in kinds else "hash"
        value = child.full_hash if kind == "full_hash" else child.hash
        return child.package, {"name": child.package, kind: value, "type": deptypes}
    parameters = {"deptypes": deptypes, "virtuals": []}
    return child.package, {"name": child.package, "hash": child.hash, "parameters": parameters}
