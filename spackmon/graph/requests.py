"""What somebody asked the solver for: the version, the compiler and the system that an abstract spec names.

A range is no version: `hdf5@1.12:` names none. What is not named is None.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spackmon.graph.abstract_spec import COMPILER_PACKAGES
from spackmon.graph.compilers import LANGUAGES
from spackmon.graph.spec_tokens import (
    Assignment,
    AttributesEnd,
    DependencySign,
    Name,
    SpecSyntaxError,
    Token,
    Versions,
    tokens,
)

# What may stand behind a `%` or in `compiler` without saying of which language it is the compiler.
_COMPILERS = frozenset(
    ("aocc", "apple-clang", "arm", "cce", "clang", "dpcpp", "fj", "gcc", "intel", "msvc", "nag", "nvhpc",
     "oneapi", "pgi", "rocmcc", "xl", "xl_r", *COMPILER_PACKAGES.values())
)  # fmt: skip
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_FIRST_OF_PACKAGES = 1
"""From this Spack on a compiler is called as its package."""


@dataclass(frozen=True, slots=True)
class Request:
    """What an abstract spec names of its root; a compiler may have no version."""

    version: str | None = None
    compiler_name: str | None = None
    compiler_version: str | None = None
    operating_system: str | None = None
    target: str | None = None

    @property
    def compiler(self) -> str | None:
        """The compiler as `gcc@12.2.0`, or as `gcc`."""
        if self.compiler_name is None or self.compiler_version is None:
            return self.compiler_name
        return f"{self.compiler_name}@{self.compiler_version}"


def request_of(document: str | None, abstract_spec: str | None, spack_version: str) -> Request:
    """What is named in a failure's compact JSON, or where there is none in the text that was typed.

    Never raises: of what cannot be read nothing is named.
    """
    major = spack_version.partition(".")[0]
    as_packages = not major.isdecimal() or int(major) >= _FIRST_OF_PACKAGES
    if document is not None:
        return _of_document(json.loads(document), as_packages)
    return Request() if abstract_spec is None else _of_text(abstract_spec, as_packages)


def _of_text(text: str, as_packages: bool) -> Request:
    try:
        read = list(tokens(text))
    except SpecSyntaxError:
        return Request()
    named: dict[str, str | None] = {}
    compiler: dict[str, str | None] = {}
    for token, is_of_compiler in _of_root(iter(read)):
        match token:
            case Versions() if is_of_compiler:
                compiler["version"] = _only_version(token.text)
            case Versions():
                named["version"] = _only_version(token.text)
            case Name() if is_of_compiler:
                compiler = {"name": token.text.rpartition(".")[2]}
            case Assignment() if not is_of_compiler:
                named |= _of_system(token.key, token.value)
    return _request(named, compiler, as_packages)


def _of_root(read: Iterator[Token]) -> Iterator[tuple[Token, bool]]:
    """The tokens of the root and of the compiler behind its `%`, and whether one is of that."""
    is_of_compiler = is_within = False
    for token in read:
        if isinstance(token, DependencySign):
            if not token.is_direct:
                return
            virtuals = token.virtuals
            if token.opens_attributes:
                attributes = list(_attributes(read))
                virtuals += tuple(
                    v for one in attributes if one.key == "virtuals" for v in one.value.split(",")
                )
            is_within, is_of_compiler = True, False
            says_language = bool({*virtuals} & {*LANGUAGES})
            continue
        if is_within and isinstance(token, Name):
            name = token.text.rpartition(".")[2]
            is_of_compiler = says_language or (not virtuals and name in _COMPILERS)
        if is_of_compiler or not is_within:
            yield token, is_of_compiler


def _attributes(read: Iterator[Token]) -> Iterator[Assignment]:
    for token in read:
        if isinstance(token, AttributesEnd):
            return
        if isinstance(token, Assignment):
            yield token


def _of_system(key: str, value: str) -> dict[str, str | None]:
    match key:
        case "os" | "operating_system":
            return {"operating_system": _single(value)}
        case "target":
            return {"target": _single(value)}
        case "arch" | "architecture":
            _, system, target = value.split("-") if value.count("-") == 2 else ("", "", value)
            return {"operating_system": _single(system), "target": _single(target)}
    return {}


def _of_document(document: Any, as_packages: bool) -> Request:
    nodes = [_node(one) for one in _list(document.get("nodes") if isinstance(document, dict) else document)]
    if not nodes:
        return Request()
    root = nodes[0]
    system = _dictionary(root.get("arch"))
    target = system.get("target")
    named = {
        "version": _version_of(root),
        "operating_system": _single(system.get("platform_os")),
        "target": _single(_dictionary(target).get("name") if isinstance(target, dict) else target),
    }
    compiler = _dictionary(root.get("compiler"))
    if not compiler:
        by_hash = {str(one.get("hash")): one for one in nodes}
        compiler = next(
            (by_hash.get(str(edge.get("hash")), {}) for edge in _edges(root) if _says_language(edge)), {}
        )
    of_compiler = {"name": compiler.get("name"), "version": _version_of(compiler)}
    return _request(named, of_compiler, as_packages)


def _node(element: Any) -> dict[str, Any]:
    """A node of any format; in v1 it stands under its name."""
    node = _dictionary(element)
    if "name" not in node and len(node) == 1:
        ((name, under_name),) = node.items()
        return {"name": name, **_dictionary(under_name)}
    return node


def _edges(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [_dictionary(edge) for edge in _list(node.get("dependencies"))]


def _says_language(edge: dict[str, Any]) -> bool:
    virtuals = _dictionary(edge.get("parameters")).get("virtuals")
    return any(one in LANGUAGES for one in _list(virtuals))


def _version_of(node: dict[str, Any]) -> str | None:
    versions = _list(node.get("versions"))
    alone = versions[0] if len(versions) == 1 else node.get("version")
    return _only_version(alone) if isinstance(alone, str) else None


def _only_version(text: str) -> str | None:
    """The version that `@1.2` or `@=1.2` names; None of a range and of several."""
    version = "".join(text.split()).removeprefix("@").removeprefix("=")
    return version if version and ":" not in version and "," not in version else None


def _single(value: Any) -> str | None:
    if not isinstance(value, str) or value in ("", "None") or ":" in value or "," in value:
        return None
    return value


def _request(named: dict[str, str | None], compiler: dict[str, Any], as_packages: bool) -> Request:
    storable = {key: value for key, value in named.items() if value and not _UNSTORABLE.search(value)}
    name, version = compiler.get("name"), compiler.get("version")
    if not isinstance(name, str) or not name or _UNSTORABLE.search(f"{name}{version}"):
        return Request(**storable)
    called = COMPILER_PACKAGES.get(name, name) if as_packages else name
    return Request(**storable, compiler_name=called, compiler_version=version)


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
