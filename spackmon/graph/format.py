"""A spec as Spack prints it: `Spec.format` of Spack 1.2, on what is stored of a spec.

Attributes that Spack reads off a package's recipe or a disk are unknown here, `prefix` excepted, which
follows from the place of the install tree.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Protocol

from spackmon.graph.spec import Deptype, SpecNode, TargetDescription
from spackmon.graph.spec_text import (
    LANGUAGES,
    Parameters,
    Variant,
    assigned_version,
    compilers_text,
    dag_hash,
    external,
    identified,
    truncated,
    version_list,
)
from spackmon.graph.template import BadFormat, Field, parse
from spackmon.graph.traverse import Order, dependencies, traverse

DEFAULT_FORMAT = (
    "{name}{@versions}{compiler_flags}{variants}"
    "{ platform=architecture.platform}{ os=architecture.os}{ target=architecture.target}"
)
"""What `Spec.format()` prints: nothing else satisfies the spec that can be read from it."""

DISPLAY_FORMAT = DEFAULT_FORMAT.replace("{@versions}", "{@version}") + "{compilers}"
"""What `spack spec` prints of each node."""

SHORT_FORMAT = (
    "{name}{@version}{variants}"
    "{ platform=architecture.platform}{ os=architecture.os}{ target=architecture.target}{/hash:7}"
)
"""Spack's `short_spec`."""

STRING_FORMAT = "{name}{@version}{/hash}"
"""What `str(spec)` gives for a concrete spec."""

INSTALL_TREE = "$spack/opt/spack"
"""Where Spack installs by default, in the words of its configuration."""

_NOT_IN_PATHS = re.compile(r"[^A-Za-z0-9_+.-]")


def format_spec(
    nodes: Mapping[str, SpecNode],
    root: str,
    template: str = DEFAULT_FORMAT,
    *,
    install_tree: str = INSTALL_TREE,
) -> str:
    """The node `root` as the format string `template` says.

    `nodes` must hold the node; its compilers too where `template` names them, and everything below it for
    `{^package.attribute}`. Raises BadFormat for what Spack refuses and for what is not known of a spec.
    """
    spec = _Spec(nodes, root, install_tree)
    return "".join(
        piece if isinstance(piece, str) else _field_text(spec, piece) for piece in parse(template)
    ).strip()


class _Value(Protocol):
    """What an attribute stands for: it prints as `str` and may have attributes itself."""

    def member(self, name: str) -> "_Value | None":
        """The attribute of this name, None if it is unset. Raises _Unknown if there is none."""


class _Unknown(Exception):  # noqa: N818 -- named for what was asked for
    """An attribute that does not exist; not a KeyError, which a node missing from the graph raises."""


class _Record:
    """A value with some attributes, each computed when it is asked for."""

    def __init__(self, text: object, members: Mapping[str, Callable[[], object]] | None = None) -> None:
        self._text = str(text)
        self._members = members or {}

    def __str__(self) -> str:
        return self._text

    def member(self, name: str) -> _Value | None:
        if name not in self._members:
            raise _Unknown
        return _value(self._members[name]())


class _Variants:
    """All variants of a node; each is an attribute."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def __str__(self) -> str:
        return self._parameters.variants_text()

    def member(self, name: str) -> _Value | None:
        variant = self._parameters.variants.get(name)
        if variant is None:
            raise BadFormat(f"Variant {name!r} does not exist")
        return _variant(variant)


class _Spec:
    """A node, of which the attributes are those of Spack's `Spec` that are known here."""

    def __init__(self, nodes: Mapping[str, SpecNode], identity: str, install_tree: str) -> None:
        self._nodes = nodes
        self._install_tree = install_tree
        self.node = nodes[identity]

    def __str__(self) -> str:
        return identified(self.node)

    def member(self, name: str) -> _Value | None:
        if name not in _SPEC_MEMBERS:
            raise _Unknown
        return _value(_SPEC_MEMBERS[name](self))

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.node)

    @property
    def full_name(self) -> str:
        return f"{self.node.namespace}.{self.node.name}" if self.node.namespace else self.node.name

    @property
    def architecture(self) -> _Value:
        node = self.node
        return _Record(
            f"{node.platform}-{node.operating_system}-{node.target.name}",
            {
                "platform": lambda: node.platform,
                "os": lambda: node.operating_system,
                "target": lambda: _target(node.target),
            },
        )

    @property
    def compiler(self) -> _Value:
        if self.node.compiler is not None:
            name, version = self.node.compiler
            return _compiler(f"{name}@{version_list(version)}", name, version)
        edges = dependencies(self._nodes)(self.node.hash)
        for language in LANGUAGES:
            for edge in edges:
                if language in edge.virtuals:
                    compiler = self._nodes[edge.child]
                    return _compiler(identified(compiler), compiler.name, compiler.version)
        raise _Unknown

    @property
    def compilers(self) -> str:
        return compilers_text(self._nodes, self.node)

    @property
    def external(self) -> dict[str, Any]:
        return external(self.node)

    @property
    def prefix(self) -> str:
        """Where it is installed, by the projection of a site that configures none."""
        if self.external.get("path"):
            return str(self.external["path"])
        node = self.node
        parts = (f"{node.platform}-{node.target.name}", f"{node.name}-{node.version}-{dag_hash(node)}")
        return "/".join([self._install_tree, *(_NOT_IN_PATHS.sub("_", part) for part in parts)])

    def dependency(self, wanted: str) -> "_Spec":
        """What this name or virtual means in `spec["mpi"]`: a direct dependency to build or test with, the
        spec itself, or what it needs at run time, the nearest first. Raises BadFormat.
        """
        name = wanted.partition(":")[0]
        found = self._edge_to(self.node.hash, name, Deptype.BUILD | Deptype.TEST)
        if found is None and name == self.node.name:
            return self
        if found is None:
            run_time = Deptype.LINK | Deptype.RUN
            visits = traverse(self._nodes, self.node.hash, Order.BREADTH, run_time)
            nearest = (self._edge_to(visit.hash, name, run_time) for visit in visits)
            found = next((child for child in nearest if child is not None), None)
        if found is None:
            raise BadFormat(f"No spec with name {name} in {self}")
        return _Spec(self._nodes, found, self._install_tree)

    def _edge_to(self, parent: str, name: str, deptypes: Deptype) -> str | None:
        for edge in dependencies(self._nodes, deptypes)(parent):
            if name == self._nodes[edge.child].name or name in edge.virtuals:
                return edge.child
        return None


_SPEC_MEMBERS: dict[str, Callable[[_Spec], object]] = {
    "abstract_hash": lambda spec: None,
    "arch": lambda spec: spec.architecture,
    "architecture": lambda spec: spec.architecture,
    "compiler": lambda spec: spec.compiler,
    "compiler_flags": lambda spec: spec.parameters.flags_text(),
    "compilers": lambda spec: spec.compilers,
    "concrete": lambda spec: True,
    "external": lambda spec: bool(spec.external.get("path") or spec.external.get("module")),
    "external_modules": lambda spec: spec.external.get("module") or None,
    "external_path": lambda spec: spec.external.get("path"),
    "fullname": lambda spec: spec.full_name,
    "fullname_if_abstract": lambda spec: spec.node.name,
    "name": lambda spec: spec.node.name,
    "namespace": lambda spec: spec.node.namespace,
    "namespace_if_anonymous": lambda spec: None,
    "os": lambda spec: spec.node.operating_system,
    "package_hash": lambda spec: spec.node.package_hash,
    "platform": lambda spec: spec.node.platform,
    "prefix": lambda spec: spec.prefix,
    "target": lambda spec: _target(spec.node.target),
    "variants": lambda spec: _Variants(spec.parameters),
    "version": lambda spec: _version(spec.node.version),
    "versions": lambda spec: version_list(spec.node.version),
}


def _field_text(spec: _Spec, field: Field) -> str:
    if field.dependency is not None:
        spec = spec.dependency(field.dependency)
    if field.attribute == ("hash",):
        return field.sigil + dag_hash(spec.node)[: field.hash_length]
    value: _Value = spec
    for position, part in enumerate(field.attribute):
        try:
            member = value.member(part)
        except _Unknown:
            if part == "compiler":
                return "none"
            raise BadFormat(
                f"Attempted to format attribute {'.'.join(field.attribute)}. "
                f"Spec {'.'.join(field.attribute[:position])} has no attribute {part}"
            ) from None
        if member is None:
            return ""
        value = member
    return f"{field.sigil}{value}"


def _value(given: object) -> _Value | None:
    if given is None or isinstance(given, (_Record, _Spec, _Variants)):
        return given
    return _Record(given)


def _target(target: TargetDescription) -> _Value:
    return _Record(
        target.name,
        {
            "name": lambda: target.name,
            "vendor": lambda: target.vendor or "generic",
            "generation": lambda: target.generation or 0,
        },
    )


def _compiler(text: str, name: str, version: str) -> _Value:
    return _Record(
        text,
        {
            "name": lambda: name,
            "version": lambda: _version(version),
            "versions": lambda: version_list(version),
            "display_str": lambda: f"{name}@{version}",
        },
    )


def _variant(variant: Variant) -> _Value:
    return _Record(variant, {"name": lambda: variant.name, "value": lambda: variant.value})


def _version(version: str) -> _Value:
    assigned = assigned_version(version)
    return _Record(
        version,
        {
            "string": lambda: version,
            "dotted": lambda: re.sub("[-_]", ".", assigned),
            "dashed": lambda: re.sub("[._]", "-", assigned),
            "underscored": lambda: re.sub("[.-]", "_", assigned),
            "joined": lambda: re.sub("[._-]", "", assigned),
            "up_to_1": lambda: truncated(version, 1),
            "up_to_2": lambda: truncated(version, 2),
            "up_to_3": lambda: truncated(version, 3),
        },
    )
