"""How Spack 1.2 writes the parts of a concrete spec: variants, compiler flags, versions, edges.

What was stored by an older Spack is written as Spack 1.2 would write it after reading it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from spackmon.graph.spec import Deptype, Edge, SpecNode

FLAG_NAMES = frozenset({"cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"})
LANGUAGES = ("c", "cxx", "fortran")

# The packages of some compilers have other names than the compilers had before 1.0; Spack prints the old.
COMPILER_NAMES = {
    "acfl": "arm",
    "intel-oneapi-compiler-classic": "intel",
    "intel-oneapi-compilers": "oneapi",
    "llvm": "clang",
    "llvm-amdgpu": "rocmcc",
}
_UNQUOTED = re.compile(r"[A-Za-z0-9,/_.\-\[\]]+")
_SEGMENT = re.compile(r"([0-9]+|[A-Za-z]+)([_.-]*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_PRERELEASES = frozenset({"alpha", "beta", "rc"})
_FINAL = "final"
_WITHOUT_NUMBER = _PRERELEASES | {_FINAL}
_PATCH_LENGTH = 7
# Every set of deptypes, made once: a graph of 100 specs asks a thousand times.
_DEPTYPE_NAMES = tuple(
    tuple(str(deptype.name).lower() for deptype in Deptype if bits & deptype)
    for bits in range(1 << len(Deptype))
)


class Variant(NamedTuple):
    """A variant's value: one for a boolean and a single-valued one, sorted and unique for a multi-valued."""

    name: str
    value: bool | str | tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Its values as texts."""
        return self.value if isinstance(self.value, tuple) else (str(self.value),)

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            return f"{'+' if self.value else '~'}{self.name}"
        if isinstance(self.value, str):
            return f"{self.name}={quoted(self.value)}"
        if self.name == "patches":
            text = ",".join(value[:_PATCH_LENGTH] for value in self.value)
        else:
            text = ",".join(self.value)
        return f"{self.name}:={quoted(text or '*')}"


class Parameters:
    """A node's parameters, read from their JSON: variants and flags, both by name."""

    def __init__(self, node: SpecNode) -> None:
        self._content: dict[str, Any] = json.loads(node.parameters)

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """The variants, in the order of their names."""
        return {
            name: _variant(name, self._content[name])
            for name in sorted(self._content)
            if name not in FLAG_NAMES
        }

    @cached_property
    def flags(self) -> dict[str, tuple[str, ...]]:
        """The compiler flags of each kind that has any, in the order of the kinds' names."""
        return {
            name: _texts(self._content[name])
            for name in sorted(FLAG_NAMES & self._content.keys())
            if self._content[name]
        }

    def variants_text(self) -> str:
        """All variants, the boolean ones first: a value would swallow a sigil that follows it."""
        switches = [str(variant) for variant in self.variants.values() if isinstance(variant.value, bool)]
        others = [f" {variant}" for variant in self.variants.values() if not isinstance(variant.value, bool)]
        return "".join(switches + others)

    def flags_text(self) -> str:
        """All flags; Spack puts a blank before and, where there are any, one behind."""
        texts = [f" {flag_text(name, values)}" for name, values in self.flags.items()]
        return "".join(texts) + " " if texts else ""


def flag_text(name: str, values: tuple[str, ...]) -> str:
    """The flags of one kind as a spec states them."""
    return f"{name}={quoted(' '.join(values))}"


def quoted(value: str) -> str:
    """A value as it must be written to be read as one."""
    if _UNQUOTED.fullmatch(value):
        return value
    return json.dumps(value) if "'" in value else f"'{value}'"


def dag_hash(node: SpecNode) -> str:
    """The hash that Spack prints: the DAG hash also where the node's identity is its full_hash."""
    return next((value for kind, value in node.hashes if kind == "hash"), node.hash)


def identified(node: SpecNode) -> str:
    """A concrete spec in short, as Spack names it in messages."""
    return f"{node.name}@{node.version}/{dag_hash(node)}"


def version_list(version: str) -> str:
    """A version as a constraint that nothing else satisfies; a git version is one as it stands."""
    return version if is_git_version(version) else f"={version}"


def is_git_version(version: str) -> bool:
    """Whether a version is a git ref, with or without the version it stands for."""
    return version.startswith("git.") or "=" in version or _COMMIT.fullmatch(version) is not None


def assigned_version(version: str) -> str:
    """The version that a git ref stands for, where it says so; any other version as it is."""
    return version.rpartition("=")[2]


def truncated(version: str, count: int) -> str:
    """The first `count` components of a version, numbers without leading zeros, no prerelease."""
    segments = _segments(version)
    if len(segments) >= 3 and segments[-2][0] in _PRERELEASES and segments[-1][0].isdigit():
        segments = segments[:-2]
    elif len(segments) >= 2 and segments[-1][0] in _WITHOUT_NUMBER:
        segments = segments[:-1]
    parts = [
        (segment if segment.isalpha() else segment.lstrip("0") or "0", separator)
        for segment, separator in segments[:count]
    ]
    return "".join(segment + separator for segment, separator in parts[:-1]) + (parts[-1][0] if parts else "")


def numeric_version(version: str) -> str:
    """The components of a version with dots between, 0 for each that is a word; a last `final` is none."""
    segments = _segments(version)
    if len(segments) >= 2 and segments[-1][0] == _FINAL:
        segments = segments[:-1]
    return ".".join(str(int(segment)) if segment.isdigit() else "0" for segment, _ in segments)


def separators(version: str) -> tuple[str, ...]:
    """What stands behind each component of a version."""
    return tuple(separator for _, separator in _segments(version))


def _segments(version: str) -> list[tuple[str, str]]:
    return _SEGMENT.findall(assigned_version(version))


def external(node: SpecNode) -> dict[str, Any]:
    """Where an external comes from: its `path`, `module` and more; empty for what Spack builds."""
    return _external(node.external)


def external_path(document: str | None) -> str | None:
    """The path in a spec's `external`, JSON; None where it has none, or one that no database can hold."""
    path = _external(document).get("path")
    return path if isinstance(path, str) and path and not _UNSTORABLE.search(path) else None


def _external(document: str | None) -> dict[str, Any]:
    content = json.loads(document) if document else None
    return content if isinstance(content, dict) else {}


def compiler_edges(node: SpecNode) -> Iterator[Edge]:
    """The edges of a v5 node to its compilers: those that provide a language."""
    return (edge for edge in node.edges if not set(LANGUAGES).isdisjoint(edge.virtuals))


def compilers_text(nodes: Mapping[str, SpecNode], node: SpecNode) -> str:
    """The compilers of a node as `%` constraints, after a blank."""
    if node.compiler is not None:
        name, version = node.compiler
        return f" %{name}@{version_list(version)}"
    edges = sorted(compiler_edges(node), key=lambda edge: (nodes[edge.child].name, edge.child))
    texts = []
    for edge in edges:
        compiler = nodes[edge.child]
        name = COMPILER_NAMES.get(compiler.name, compiler.name)
        texts.append(f"%{','.join(sorted(set(edge.virtuals)))}={name}@{compiler.version}")
    return " " + " ".join(texts)


def deptype_names(deptypes: Deptype) -> tuple[str, ...]:
    """The names of deptypes, in Spack's order."""
    return _DEPTYPE_NAMES[deptypes]


def _variant(name: str, value: Any) -> Variant:
    if isinstance(value, list):
        return Variant(name, tuple(sorted(set(_texts(value)))))
    text = str(value)
    # Format v1 writes booleans as texts too.
    return Variant(name, text.upper() == "TRUE" if text.upper() in ("TRUE", "FALSE") else text)


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list) else (str(values),)
