"""Packages that depend on each other, and what each version and variant of them is at a moment."""

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from spackmon.graph.parameters import parameter_rows
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription
from spackmon.history.suspects import Fact
from tests.ingest.reports import LINK, hash_of

TODAYS_FORMAT = 5
"""Since then the compiler and its runtime are specs."""
_VARIANTS = ("shared", "mpi", "pic", "openmp", "doc")


@dataclass(frozen=True, slots=True)
class Package:
    """A package, those that it depends on, and when each version came, in nights."""

    name: str
    below: tuple[int, ...]
    variants: tuple[str, ...]
    versions: tuple[str, ...]
    came: tuple[float, ...]

    def newest(self, night: float) -> str:
        """Its newest version of a night."""
        return self.versions[max(0, bisect_right(self.came, night) - 1)]


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What all specs of a concretization have in common."""

    compiler: tuple[str, str]
    operating_system: str
    target: str
    format_version: int


@dataclass(frozen=True, slots=True)
class Concrete:
    """A spec, all that it depends on by package, and what it says of every run of it."""

    node: SpecNode
    below: Mapping[str, "Concrete"]
    facts: frozenset[Fact]


def packages(dice: Random, count: int, nights: int) -> list[Package]:
    """So many, each depending on earlier ones: the first of all, as zlib, stand below many others."""
    made: list[Package] = []
    for number in range(count):
        few = min(number, dice.choice((0, 1, 2, 3, 4)) if number > 3 else dice.choice((0, 1)))
        below = {int(number * dice.random() ** 1.6) for _ in range(few)}
        came = sorted(dice.uniform(-120, nights) for _ in range(dice.randint(2, 3 + (120 + nights) // 60)))
        versions = tuple(f"{1 + place // 4}.{place % 4}" for place in range(len(came)))
        variants = tuple(sorted(dice.sample(_VARIANTS, dice.randint(0, 3))))
        made.append(Package(f"pkg{number:03}", tuple(sorted(below)), variants, versions, tuple(came)))
    return made


def concretized(
    package: Package, version: str, variants: Mapping[str, bool], below: Sequence[Concrete], tools: Toolchain
) -> Concrete:
    """One spec over those that it depends on."""
    under = {one.node.name: one for one in (*below, *_toolchain(tools))}
    edges = tuple(Edge(one.node.hash, LINK) for one in under.values() if one.node.name != tools.compiler[0])
    if tools.format_version >= TODAYS_FORMAT:
        edges += (Edge(under[tools.compiler[0]].node.hash, Deptype.BUILD, ("c", "cxx")),)
    node = _node(package.name, version, variants, edges, tools)
    every = dict(under)
    for one in below:
        every |= one.below
    own = {
        Fact("VERSION", package.name, version),
        Fact("COMPILER", *tools.compiler),
        Fact("TARGET", "", tools.target),
        Fact("OPERATING_SYSTEM", "", tools.operating_system),
        *(Fact("VARIANT", *row) for row in parameter_rows(node.parameters)),
        *(Fact("DEPENDENCY", one.node.name, one.node.version) for one in every.values()),
    }
    return Concrete(node, every, frozenset(own))


def _toolchain(tools: Toolchain) -> list[Concrete]:
    if tools.format_version < TODAYS_FORMAT:
        return []
    name, version = tools.compiler
    compiler = _node(name, version, {}, (), tools)
    runtime = _node("gcc-runtime", version if name == "gcc" else "12.3.0", {}, (), tools)
    return [Concrete(one, {}, frozenset()) for one in (compiler, runtime)]


def _node(
    name: str, version: str, variants: Mapping[str, bool], edges: tuple[Edge, ...], tools: Toolchain
) -> SpecNode:
    parameters = json.dumps({"build_system": "cmake", **variants, "cflags": []}, separators=(",", ":"))
    is_todays = tools.format_version >= TODAYS_FORMAT
    alike = [name, version, parameters, tools.target, tools.operating_system, is_todays or tools.compiler]
    dag_hash = hash_of([*alike, sorted(edge.child for edge in edges)])
    return SpecNode(
        name=name, version=version, hash=dag_hash, hash_kind="hash", hashes=(("hash", dag_hash),),
        platform="linux", operating_system=tools.operating_system,
        target=TargetDescription(tools.target, json.dumps(tools.target)), parameters=parameters,
        document=json.dumps({"name": name, "version": version, "hash": dag_hash}, separators=(",", ":")),
        namespace="builtin", compiler=None if is_todays else tools.compiler,
        edges=tuple(sorted(edges, key=lambda edge: edge.child)),
    )  # fmt: skip
