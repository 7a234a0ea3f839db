"""A site's specs, made up from real graphs: the same seed gives the same site.

`shapes.json.gz` holds the graphs of 354 specs that Spack 0.17 and 1.2 concretized: names, versions and
edges, without the compilers that are nodes since 1.0. A made-up concretization takes some of their roots;
packages change their version or their variants from one concretization to the next, and whatever stands above
a changed package becomes a new spec, as on a site that is rebuilt every night. A spec's hash is that of
its own document, which names its dependencies by their hashes: equal specs of several concretizations are
one.
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.variants import RANKS, Variants, provided_virtuals
from spackmon.graph.spec_text import FLAG_NAMES

SHAPES = Path(__file__).with_name("shapes.json.gz")
# What a client of ms1 and one of today say.
SPACK_VERSION, SPACK_VERSION_OF_TODAY = "0.18.1", "1.2.0"
FORMAT_VERSION, FORMAT_VERSION_OF_TODAY = 3, 5
_DEPTYPES = ((1, "build"), (2, "link"), (4, "run"), (8, "test"))


@dataclass(frozen=True, slots=True)
class _Machine:
    """Where packages are built side by side; machines share no spec."""

    compiler: tuple[str, str]
    operating_system: str
    target: str
    format_version: int = FORMAT_VERSION
    weight: int = 1


# The compilers, systems and targets of the corpora. In format v5 compilers are specs themselves.
_MACHINES = (
    _Machine(("gcc", "9.4.0"), "rhel7", "haswell", weight=4),
    _Machine(("gcc", "11.2.0"), "rhel8", "zen2", weight=6),
    _Machine(("gcc", "12.2.0"), "debian12", "x86_64_v3", weight=4),
    _Machine(("intel", "2021.5.0"), "rhel8", "skylake_avx512"),
    _Machine(("gcc", "12.2.0"), "debian12", "x86_64_v4", FORMAT_VERSION_OF_TODAY, weight=4),
    _Machine(("gcc", "13.3.0"), "rhel9", "zen2", FORMAT_VERSION_OF_TODAY, weight=2),
    _Machine(("llvm", "16.0.6"), "sles15", "skylake_avx512", FORMAT_VERSION_OF_TODAY),
    _Machine(("gcc", "11.4.1"), "debian12", "armv8.2a", FORMAT_VERSION_OF_TODAY),
)
_PACKAGES_CHANGED = 9
_ROOTS_TAKEN = 0.45
# In today's graphs zlib-ng stands where most sites of the ms1 clients had zlib.
_RENAMED = {"zlib-ng": "zlib"}
_ZLIB = ("1.2.11",) * 7 + ("1.2.8", "1.2.12", "1.2.13", "1.3", "1.3.1")
# What some machines' administrators installed.
_EXTERNALS = ("cmake", "openssl", "perl")
_EXTERNAL_SHARE = 0.2
_VENDORS = {"zen": "AuthenticAMD", "has": "GenuineIntel", "sky": "GenuineIntel"}
_FEATURES = {
    "haswell": ["aes", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "sse4_1", "sse4_2", "ssse3"],
    "zen2": ["abm", "aes", "avx", "avx2", "bmi1", "bmi2", "clwb", "clzero", "cx16", "f16c", "fma", "sse4a"],
    "skylake_avx512": ["adx", "aes", "avx", "avx2", "avx512bw", "avx512cd", "avx512dq", "avx512f", "fma"],
}
_PARENTS = {"haswell": "x86_64_v3", "zen2": "x86_64_v3", "skylake_avx512": "x86_64_v4"}


@dataclass(frozen=True, slots=True)
class Size:
    """How large the site is."""

    specs: int = 60_000
    builds: int = 20_000
    seed: int = 42


@dataclass(frozen=True, slots=True)
class _Shape:
    name: str
    version: str
    edges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a machine builds of a package."""

    version: str
    parameters: Mapping[str, Any]
    is_external: bool


@dataclass(slots=True)
class _Line:
    """One machine's packages at a moment."""

    machine: _Machine
    chosen: dict[str, _Choice] = field(default_factory=dict)


class Site:
    """Every spec that a site reported, in its order."""

    def __init__(self, size: Size) -> None:
        self.size = size
        stored = json.loads(gzip.decompress(SHAPES.read_bytes()))
        self._shapes = [
            _Shape(_RENAMED.get(name, name), version, tuple((edge[0], edge[1]) for edge in edges))
            for name, version, edges in stored["nodes"]
        ]
        self._roots: Sequence[int] = stored["roots"]
        self._versions = _versions(self._shapes)
        self._variants = Variants(size.seed)
        self._virtuals = provided_virtuals()

    def documents(self) -> Iterator[dict[str, Any]]:
        """The spec documents of one concretization after the other, as bodies of specs/new.

        Together they have `size.specs` specs, or a few more: a document is never cut in its middle.
        """
        lines = [_Line(machine) for machine in _MACHINES]
        weights = [machine.weight for machine in _MACHINES]
        known: set[str] = set()
        number = 0
        while len(known) < self.size.specs:
            random = Random(f"{self.size.seed}:{number}")
            line = random.choices(lines, weights)[0] if number else lines[0]
            self._change(line, random)
            roots = random.sample(self._roots, int(len(self._roots) * _ROOTS_TAKEN))
            nodes = self._nodes(line, roots, self.size.specs - len(known), known)
            known.update(node["hash"] for node in nodes)
            number += 1
            is_of_today = line.machine.format_version == FORMAT_VERSION_OF_TODAY
            yield {
                "spec": {"_meta": {"version": line.machine.format_version}, "nodes": nodes[::-1]},
                "spack_version": SPACK_VERSION_OF_TODAY if is_of_today else SPACK_VERSION,
            }

    def _change(self, line: _Line, random: Random) -> None:
        names = sorted(self._versions)
        # A change of zlib makes nearly everything new, as it does in life.
        changed = random.sample(names, _PACKAGES_CHANGED) if line.chosen else names
        if random.random() < 0.1:
            changed = [*changed, "zlib"]
        for name in changed:
            # The lower ranks are taken more often, as Zipf found.
            rank = int(RANKS ** random.random()) - 1
            line.chosen[name] = _Choice(
                random.choice(self._versions[name]),
                self._variants.of(name, pic=random.random() < 0.5, rank=rank),
                name in _EXTERNALS and random.random() < _EXTERNAL_SHARE,
            )

    def _nodes(self, line: _Line, roots: Sequence[int], wanted: int, known: set[str]) -> list[dict[str, Any]]:
        """The specs of these roots, children first, until `wanted` of them are new."""
        toolchain = _toolchain(line.machine)
        nodes = {node["hash"]: node for node in toolchain}
        made: dict[int, dict[str, Any]] = {}
        new = 0
        for root in roots:
            for place in self._below(root):
                if place in made:
                    continue
                made[place] = node = self._node(self._shapes[place], line, made, toolchain)
                new += node["hash"] not in known and node["hash"] not in nodes
                nodes.setdefault(node["hash"], node)
            if new >= wanted:
                break
        return list(nodes.values())

    def _below(self, root: int) -> list[int]:
        """The root and all below it; a shape stands behind all that it depends on."""
        found, waiting = {root}, [root]
        while waiting:
            children = {child for child, _ in self._shapes[waiting.pop()].edges} - found
            found |= children
            waiting += children
        return sorted(found)

    def _node(
        self,
        shape: _Shape,
        line: _Line,
        made: Mapping[int, dict[str, Any]],
        toolchain: Sequence[dict[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        machine, choice = line.machine, line.chosen[shape.name]
        node = _described(shape.name, choice.version, machine, choice.parameters)
        if choice.is_external:
            node["external"] = {"path": "/usr", "module": None, "extra_attributes": {}}
        else:
            edges: dict[str, dict[str, Any]] = {}
            for place, deptypes in shape.edges:
                child = made[place]
                types = [name for bit, name in _DEPTYPES if deptypes & bit]
                edges[child["hash"]] = _edge(machine, child, types, self._virtuals.get(child["name"], ()))
            edges |= _compiled_by(machine, shape.name, toolchain)
            if edges:
                node["dependencies"] = list(edges.values())
        return _hashed(node, machine)


def _versions(shapes: Sequence[_Shape]) -> dict[str, tuple[str, ...]]:
    """What a package's version may change to: those seen, and a rare patch release of each."""
    seen: dict[str, set[str]] = {}
    for shape in shapes:
        seen.setdefault(shape.name, set()).add(shape.version)
    choices = {
        name: tuple(sorted(versions)) * 6 + tuple(f"{version}.1" for version in sorted(versions))
        for name, versions in seen.items()
    }
    return {**choices, "zlib": _ZLIB}


def _described(name: str, version: str, machine: _Machine, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A node without its edges and its hash."""
    node: dict[str, Any] = {
        "name": name,
        "version": version,
        "arch": {
            "platform": "linux", "platform_os": machine.operating_system, "target": _target(machine.target),
        },
        "namespace": "builtin",
        "parameters": parameters,
        "package_hash": _hash(name.encode()) * 2,
    }  # fmt: skip
    if machine.format_version < FORMAT_VERSION_OF_TODAY:
        node["compiler"] = dict(zip(("name", "version"), machine.compiler, strict=True))
    return node


def _edge(
    machine: _Machine, child: Mapping[str, Any], types: Sequence[str], virtuals: Sequence[str]
) -> dict[str, Any]:
    edge = {"name": child["name"], "hash": child["hash"]}
    if machine.format_version < FORMAT_VERSION_OF_TODAY:
        return {**edge, "type": types}
    return {**edge, "parameters": {"deptypes": types, "virtuals": list(virtuals)}}


def _hashed(node: dict[str, Any], machine: _Machine) -> dict[str, Any]:
    if machine.format_version == FORMAT_VERSION_OF_TODAY:
        node["annotations"] = {"original_specfile_version": FORMAT_VERSION_OF_TODAY}
    node["hash"] = spec_hash(node)
    return node


def _toolchain(machine: _Machine) -> list[dict[str, Any]]:
    """The C library, the compiler and its runtime, which are specs since format v5."""
    if machine.format_version < FORMAT_VERSION_OF_TODAY:
        return []
    flags: dict[str, list[str]] = {flag: [] for flag in sorted(FLAG_NAMES)}
    made = []
    for name, version in (("glibc", "2.36"), machine.compiler):
        node = _described(name, version, machine, {"build_system": "autotools", **flags})
        node["external"] = {"path": "/usr", "module": None, "extra_attributes": {}}
        made.append(_hashed(node, machine))
    runtime = _described("gcc-runtime", machine.compiler[1], machine, {"build_system": "generic", **flags})
    runtime["dependencies"] = [
        _edge(machine, made[1], ["build"], []), _edge(machine, made[0], ["link"], ["libc"]),
    ]  # fmt: skip
    return [*made, _hashed(runtime, machine)]


def _compiled_by(
    machine: _Machine, name: str, toolchain: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The edges to the toolchain, by the hashes of what they lead to."""
    if not toolchain:
        return {}
    library, compiler, runtime = toolchain
    # Of each package always the same: most are of C, some of C++ as well, a few of Fortran too.
    languages = ["c", "cxx", "fortran"][: Random(name).choices((1, 2, 3), (5, 4, 1))[0]]
    return {
        compiler["hash"]: _edge(machine, compiler, ["build"], languages),
        runtime["hash"]: _edge(machine, runtime, ["link"], []),
        library["hash"]: _edge(machine, library, ["link"], ["libc"]),
    }


def spec_hash(node: Mapping[str, Any]) -> str:
    """The hash of a node that has none yet."""
    return _hash(json.dumps(node, separators=(",", ":")).encode())


def _target(name: str) -> Any:
    if name not in _FEATURES:
        return name
    return {
        "name": name, "vendor": _VENDORS[name[:3]], "features": _FEATURES[name], "generation": 0,
        "parents": [_PARENTS[name]],
    }  # fmt: skip


def _hash(text: bytes) -> str:
    return base64.b32encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode().lower()
