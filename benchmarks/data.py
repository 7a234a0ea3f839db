"""A site's specs and builds, made up from real graphs: the same seed gives the same site.

`shapes.json.gz` holds the graphs of 354 specs that Spack 0.17 and 1.2 concretized: names, versions and
edges, without the compilers that are nodes since 1.0. A made-up concretization takes some of their roots;
packages change their version or a variant from one concretization to the next, and whatever stands above
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

SHAPES = Path(__file__).with_name("shapes.json.gz")
SPACK_VERSION = "0.18.1"
FORMAT_VERSION = 3
_DEPTYPES = ((1, "build"), (2, "link"), (4, "run"), (8, "test"))

# Machines on which the same packages are built side by side; they share no spec.
_LINES = (
    ("gcc", "9.4.0", "rhel7", "haswell"),
    ("gcc", "11.2.0", "rhel8", "zen2"),
    ("gcc", "12.2.0", "debian12", "x86_64_v3"),
)
_PACKAGES_CHANGED = 9
_ROOTS_TAKEN = 0.45
# In today's graphs zlib-ng stands where most sites of the ms1 clients had zlib.
_RENAMED = {"zlib-ng": "zlib"}
_ZLIB = ("1.2.11",) * 7 + ("1.2.8", "1.2.12", "1.2.13", "1.3", "1.3.1")
_FEATURES = {
    "haswell": ["aes", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "sse4_1", "sse4_2", "ssse3"],
    "zen2": ["abm", "aes", "avx", "avx2", "bmi1", "bmi2", "clwb", "clzero", "cx16", "f16c", "fma", "sse4a"],
    "x86_64_v3": [],
}


@dataclass(frozen=True, slots=True)
class Size:
    """How large the site is."""

    specs: int = 60_000
    builds: int = 20_000
    seed: int = 42

    def times(self, factor: int) -> "Size":
        """The same site, that much larger."""
        return Size(self.specs * factor, self.builds * factor, self.seed)


@dataclass(frozen=True, slots=True)
class Error:
    """An error that a client reported from a phase's log."""

    text: str
    log_line: int


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase as its client reported it."""

    name: str
    status: str
    log: bytes
    errors: tuple[Error, ...]


@dataclass(frozen=True, slots=True)
class Build:
    """A build with its runs: the phases of each attempt, the last one's status is the build's."""

    spec_hash: str
    environment: tuple[str, str, str, str, str]
    owner: str
    tags: tuple[str, ...]
    attempts: tuple[tuple[str, tuple[Phase, ...]], ...]
    variables: Mapping[str, str]
    files: tuple[str, ...]
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Shape:
    name: str
    version: str
    edges: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Line:
    """One machine's packages at a moment: a version and a variant for each name."""

    place: int
    chosen: dict[str, tuple[str, int]] = field(default_factory=dict)


class Site:
    """Everything a site reported, in its order."""

    def __init__(self, size: Size) -> None:
        self.size = size
        stored = json.loads(gzip.decompress(SHAPES.read_bytes()))
        self._shapes = [
            _Shape(_RENAMED.get(name, name), version, tuple((edge[0], edge[1]) for edge in edges))
            for name, version, edges in stored["nodes"]
        ]
        self._roots: Sequence[int] = stored["roots"]
        self._versions = _versions(self._shapes)

    def documents(self) -> Iterator[dict[str, Any]]:
        """The spec documents of one concretization after the other, as bodies of specs/new.

        Together they have `size.specs` specs, or a few more: a document is never cut in its middle.
        """
        lines = [_Line(place) for place in range(len(_LINES))]
        known: set[str] = set()
        number = 0
        while len(known) < self.size.specs:
            random = Random(f"{self.size.seed}:{number}")
            line = lines[number % len(lines)]
            self._change(line, random)
            roots = random.sample(self._roots, int(len(self._roots) * _ROOTS_TAKEN))
            nodes = self._nodes(line, roots, self.size.specs - len(known), known)
            known.update(node["hash"] for node in nodes)
            number += 1
            yield {
                "spec": {"_meta": {"version": FORMAT_VERSION}, "nodes": nodes[::-1]},
                "spack_version": SPACK_VERSION,
            }

    def _change(self, line: _Line, random: Random) -> None:
        names = sorted(self._versions)
        # A change of zlib makes nearly everything new, as it does in life.
        changed = random.sample(names, _PACKAGES_CHANGED) if line.chosen else names
        if random.random() < 0.1:
            changed = [*changed, "zlib"]
        for name in changed:
            line.chosen[name] = random.choice(self._versions[name]), random.randrange(2)

    def _nodes(self, line: _Line, roots: Sequence[int], wanted: int, known: set[str]) -> list[dict[str, Any]]:
        """The specs of these roots, children first, until `wanted` of them are new."""
        nodes: dict[str, dict[str, Any]] = {}
        made: dict[int, dict[str, Any]] = {}
        new = 0
        for root in roots:
            for place in self._below(root):
                if place in made:
                    continue
                made[place] = node = _node(self._shapes[place], line, made)
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

    def builds(self, spec_hashes: Sequence[str]) -> Iterator[Build]:
        """The builds of some of these specs (in their order), the oldest first; `size.builds` of them."""
        random = Random(f"{self.size.seed}:builds")
        chosen = sorted(random.sample(range(len(spec_hashes)), min(self.size.builds, len(spec_hashes))))
        for number, place in enumerate(chosen):
            yield _build(number, spec_hashes[place], random)


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


def _node(shape: _Shape, line: _Line, made: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    compiler, compiler_version, operating_system, target = _LINES[line.place]
    version, variant = line.chosen[shape.name]
    node: dict[str, Any] = {
        "name": shape.name,
        "version": version,
        "arch": {"platform": "linux", "platform_os": operating_system, "target": _target(target)},
        "compiler": {"name": compiler, "version": compiler_version},
        "namespace": "builtin",
        "parameters": {
            "build_type": "RelWithDebInfo", "pic": bool(variant), "shared": True, "cflags": [],
            "cppflags": [], "cxxflags": [], "fflags": [], "ldflags": [], "ldlibs": [],
        },
        "package_hash": _hash(shape.name.encode()) * 2,
    }  # fmt: skip
    edges: dict[str, dict[str, Any]] = {}
    for place, deptypes in shape.edges:
        child = made[place]
        types = [name for bit, name in _DEPTYPES if deptypes & bit]
        edges[child["hash"]] = {"name": child["name"], "hash": child["hash"], "type": types}
    if edges:
        node["dependencies"] = list(edges.values())
    node["hash"] = spec_hash(node)
    return node


def spec_hash(node: Mapping[str, Any]) -> str:
    """The hash of a node that has none yet."""
    return _hash(json.dumps(node, separators=(",", ":")).encode())


def _target(name: str) -> Any:
    if not _FEATURES[name]:
        return name
    vendor = "AuthenticAMD" if name.startswith("zen") else "GenuineIntel"
    return {
        "name": name, "vendor": vendor, "features": _FEATURES[name], "generation": 0,
        "parents": ["x86_64_v3"],
    }  # fmt: skip


def _hash(text: bytes) -> str:
    return base64.b32encode(hashlib.sha1(text, usedforsecurity=False).digest()).decode().lower()


_UNDECLARED = ("PATH_MAX", "errno", "environ", "stdout", "optarg", "SIZE_MAX", "va_copy", "strnlen")
_PHASES = (("cmake", "build", "install"), ("configure", "build", "install"), ("edit", "build", "install"))


def _build(number: int, spec_hash: str, random: Random) -> Build:
    names = random.choice(_PHASES)
    attempts: list[tuple[str, tuple[Phase, ...]]] = []
    while not attempts or (attempts[-1][0] == "FAILED" and random.random() < 0.1):
        fails = random.random() < 0.2
        broken = random.randrange(len(names)) if fails else len(names)
        phases = tuple(
            _phase(name, random, fails=place == broken) for place, name in enumerate(names[: broken + 1])
        )
        attempts.append(("FAILED" if fails else "SUCCESS", phases))
    _, _, operating_system, target = _LINES[number % len(_LINES)]
    host = f"node-{random.randrange(20):02}"
    prefix = f"/opt/spack/{spec_hash[:7]}"
    return Build(
        spec_hash=spec_hash,
        environment=(host, "linux", operating_system, target, "5.14.0-70.el9.x86_64"),
        owner=f"builder-{random.randrange(5)}",
        tags=tuple(sorted({f"tag-{random.randrange(40):02}" for _ in range(random.randrange(4))})),
        attempts=tuple(attempts),
        variables={"PATH": "/usr/bin:/bin", "SPACK_CC": "gcc", "SPACK_SPEC": spec_hash, "LANG": "C"},
        files=tuple(f"{prefix}/lib/lib{number}-{place}.so" for place in range(5)),
        attributes={"symbols": f"{random.randrange(10**6)} symbols", "soname": f"lib{number}.so"},
    )


def _phase(name: str, random: Random, *, fails: bool) -> Phase:
    lines = [
        f"==> {name}: [{at:4}%] compiling unit_{random.randrange(10_000)}.c with -O2 -g -fPIC"
        for at in range(0, 100, 10)
    ]
    errors = []
    for _ in range(random.randrange(1, 4) if fails else 0):
        symbol, line = random.choice(_UNDECLARED), random.randrange(2000)
        lines.append(f"unit_7.c:{line}:5: error: ‘{symbol}’ undeclared (first use in this function)")
        errors.append(Error(lines[-1], len(lines)))
    log = "\n".join(lines).encode() + b"\n"
    return Phase(name, "ERROR" if fails else "SUCCESS", log, tuple(errors))
