"""A spec as Spack prints it: `Spec.format` of Spack 1.2, on what is stored of a spec.

Attributes that Spack reads off a package's recipe or a disk are unknown here, `prefix` excepted, which
follows from the place of the install tree.
"""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from spackmon.graph.format_values import (
    Record,
    Unknown,
    Value,
    annotations_value,
    compiler_value,
    named_compiler,
    target_value,
    value_of,
    variant_value,
    version_value,
    versions_value,
)
from spackmon.graph.spec import Deptype, SpecNode
from spackmon.graph.spec_text import LANGUAGES, Parameters, compilers_text, dag_hash, external, identified
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

OF_GRAPH = frozenset({"spliced"})
"""The attributes for which the whole graph is needed."""

OF_BUILD_SPEC = frozenset({"build_spec"})
"""The attributes for which the spec that a spliced one was built as is needed, with its compilers."""

OF_SPECFILE = frozenset({"annotations", "specfile_version"})
"""The attributes for which `specfile_versions` are needed."""

_NOT_IN_PATHS = re.compile(r"[^A-Za-z0-9_+.-]")


def format_spec(
    nodes: Mapping[str, SpecNode],
    root: str,
    template: str = DEFAULT_FORMAT,
    *,
    install_tree: str = INSTALL_TREE,
    specfile_versions: Mapping[str, int] | None = None,
) -> str:
    """The node `root` as the format string `template` says.

    `nodes` must hold the node; its compilers too where `template` names them, everything below it for
    `{^package.attribute}`, and what a spliced one was built as, with its compilers, for `{build_spec}`;
    `specfile_versions` are the format versions of the files that Spack read the nodes from. Raises BadFormat
    for what Spack refuses and for what is not known of a spec.
    """
    return _Spec(_Graph(nodes, install_tree, specfile_versions or {}), root).formatted(template)


class _Graph(NamedTuple):
    nodes: Mapping[str, SpecNode]
    install_tree: str
    specfile_versions: Mapping[str, int]


class _Variants:
    """All variants of a node; each is an attribute."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def __str__(self) -> str:
        return self._parameters.variants_text()

    def member(self, name: str) -> Value | None:
        variant = self._parameters.variants.get(name)
        if variant is None:
            raise BadFormat(f"Variant {name!r} does not exist")
        return variant_value(variant)


class _Spec:
    """A node, of which the attributes are those of Spack's `Spec` that are known here."""

    def __init__(self, graph: _Graph, identity: str) -> None:
        self._graph = graph
        self.node = graph.nodes[identity]

    def __str__(self) -> str:
        return identified(self.node)

    def member(self, name: str) -> Value | None:
        if name not in _SPEC_MEMBERS:
            raise Unknown
        return value_of(_SPEC_MEMBERS[name](self))

    def formatted(self, template: str) -> str:
        """The node as a format string says. Raises BadFormat."""
        pieces = parse(template)
        return "".join(one if isinstance(one, str) else _field_text(self, one) for one in pieces).strip()

    @property
    def specfile_version(self) -> int:
        """The format of the file that Spack read it from."""
        if self.node.hash not in self._graph.specfile_versions:
            raise Unknown
        return self._graph.specfile_versions[self.node.hash]

    @property
    def annotations(self) -> Value:
        compiler = self.node.compiler
        return annotations_value(self.specfile_version, named_compiler(*compiler) if compiler else None)

    @property
    def build_spec(self) -> "_Spec":
        """What it was built as: itself, unless it was spliced. Raises BadFormat."""
        built_as = self.node.built_as
        if built_as is None:
            return self
        if built_as not in self._graph.nodes:
            raise BadFormat(
                f"The spec that {self} was built as is unknown: no document of {built_as} came in"
            )
        return _Spec(self._graph, built_as)

    @property
    def is_spliced(self) -> bool:
        """Whether it, or anything below it, was built as another spec."""
        nodes = self._graph.nodes
        visits = traverse(nodes, self.node.hash, Order.BREADTH)
        return any(nodes[visit.hash].built_as is not None for visit in visits)

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.node)

    @property
    def full_name(self) -> str:
        return f"{self.node.namespace}.{self.node.name}" if self.node.namespace else self.node.name

    @property
    def architecture(self) -> Value:
        node = self.node
        return Record(
            f"{node.platform}-{node.operating_system}-{node.target.name}",
            {
                "platform": lambda: node.platform,
                "os": lambda: node.operating_system,
                "target": lambda: target_value(node.target.name),
                "concrete": lambda: True,
                "target_concrete": lambda: True,
            },
        )

    @property
    def compiler(self) -> Value:
        if self.node.compiler is not None:
            name, version = self.node.compiler
            return compiler_value(name, version, named_compiler(name, version))
        edges = dependencies(self._graph.nodes)(self.node.hash)
        for language in LANGUAGES:
            for edge in edges:
                if language in edge.virtuals:
                    compiler = self._graph.nodes[edge.child]
                    return compiler_value(compiler.name, compiler.version, _Spec(self._graph, edge.child))
        raise Unknown

    @property
    def compilers(self) -> str:
        return compilers_text(self._graph.nodes, self.node)

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
        return "/".join([self._graph.install_tree, *(_NOT_IN_PATHS.sub("_", part) for part in parts)])

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
            visits = traverse(self._graph.nodes, self.node.hash, Order.BREADTH, run_time)
            nearest = (self._edge_to(visit.hash, name, run_time) for visit in visits)
            found = next((child for child in nearest if child is not None), None)
        if found is None:
            raise BadFormat(f"No spec with name {name} in {self}")
        return _Spec(self._graph, found)

    def _edge_to(self, parent: str, name: str, deptypes: Deptype) -> str | None:
        for edge in dependencies(self._graph.nodes, deptypes)(parent):
            if name == self._graph.nodes[edge.child].name or name in edge.virtuals:
                return edge.child
        return None


_SPEC_MEMBERS: dict[str, Callable[[_Spec], object]] = {
    "abstract_hash": lambda spec: None,
    "annotations": lambda spec: spec.annotations,
    "anonymous": lambda spec: False,
    "arch": lambda spec: spec.architecture,
    "architecture": lambda spec: spec.architecture,
    "build_spec": lambda spec: spec.build_spec,
    "compiler": lambda spec: spec.compiler,
    "compiler_flags": lambda spec: spec.parameters.flags_text(),
    "compilers": lambda spec: spec.compilers,
    "concrete": lambda spec: True,
    "external": lambda spec: bool(spec.external.get("path") or spec.external.get("module")),
    "external_modules": lambda spec: spec.external.get("module") or None,
    "external_path": lambda spec: spec.external.get("path"),
    "extra_attributes": lambda spec: spec.external.get("extra_attributes") or {},
    "fullname": lambda spec: spec.full_name,
    "fullname_if_abstract": lambda spec: spec.node.name,
    "is_develop": lambda spec: "dev_path" in spec.parameters.variants,
    "name": lambda spec: spec.node.name,
    "namespace": lambda spec: spec.node.namespace,
    "namespace_if_anonymous": lambda spec: None,
    "os": lambda spec: spec.node.operating_system,
    "package_hash": lambda spec: spec.node.package_hash,
    "platform": lambda spec: spec.node.platform,
    "prefix": lambda spec: spec.prefix,
    "short_spec": lambda spec: spec.formatted(SHORT_FORMAT),
    "spliced": lambda spec: spec.is_spliced,
    "specfile_version": lambda spec: f"v{spec.specfile_version}",
    "target": lambda spec: target_value(spec.node.target.name),
    "variants": lambda spec: _Variants(spec.parameters),
    "version": lambda spec: version_value(spec.node.version),
    "versions": lambda spec: versions_value(spec.node.version),
}


def _field_text(spec: _Spec, field: Field) -> str:
    if field.dependency is not None:
        spec = spec.dependency(field.dependency)
    if field.attribute == ("hash",):
        return field.sigil + dag_hash(spec.node)[: field.hash_length]
    value: Value = spec
    for position, part in enumerate(field.attribute):
        try:
            member = value.member(part)
        except Unknown:
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
