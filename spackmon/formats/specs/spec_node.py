"""One node of a spec document: what Spack 0.16 to 1.2 wrote about a concrete spec."""

import re
from typing import Any, NamedTuple

from spackmon.formats.bytes.fields import (
    INTEGER_BITS,
    FieldUnfit,
    compact,
    list_of,
    name_of,
    names_of,
    object_of,
    optional_integer,
    optional_name,
    required,
    short_text,
    storable_json,
)
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription

Hashes = tuple[tuple[str, str], ...]

# The strongest first: a full_hash covers the build dependencies and the package's recipe, a build_hash the
# build dependencies, the DAG hash of those Spacks neither.
_HASH_KINDS = ("full_hash", "build_hash", "hash")
_HASH = re.compile(r"[a-z0-9]{7,64}")
_DEPTYPE_BITS = {deptype.name.lower(): deptype.value for deptype in Deptype if deptype.name}
_DEPTYPE_SETS = tuple(Deptype(bits) for bits in range(1 << len(Deptype)))
_VIRTUALS_BYTES = 2000  # the list is part of an index row


class DependencyEntry(NamedTuple):
    """An edge as a document states it: by name and hashes, still to be looked up in the document."""

    name: str | None
    hashes: tuple[tuple[str, str], ...]
    deptypes: Deptype
    virtuals: tuple[str, ...]


class NodeEntry(NamedTuple):
    """A node as a document states it; `spec_node` makes the SpecNode once its edges are looked up.

    `children` are the hashes of its dependencies where it and each of them have one hash alone: in a document
    of such nodes, what an edge means depends on nothing else. Otherwise it is None.
    """

    name: str
    hashes: tuple[tuple[str, str], ...]
    identity: tuple[str, str]
    document: str
    dependencies: tuple[DependencyEntry, ...]
    children: tuple[str, ...] | None
    content: dict[str, Any]


def named_content(element: object, format_version: int) -> tuple[str, object]:
    """The name of a node and what must be the object of its fields: v1 has it under the name.

    Raises FieldUnfit.
    """
    content = object_of(element, "the node")
    if format_version > 1:
        return name_of(content, "name"), content
    if len(content) != 1:
        raise FieldUnfit("the node must be an object of one key, the package's name")
    ((name, inner),) = content.items()
    return short_text(name, "name"), inner


def read_entry(
    name: str, content: dict[str, Any], element: object, format_version: int, hashes: Hashes | None = None
) -> NodeEntry:
    """The entry of the node `name` with the fields `content`; `element` is what stood in the document.

    `hashes` are those of `hashes_of`, where they are read already. The identity of a v1 or v2 node is its
    full_hash; files on disk lack it, so that there the strongest hash that is present stands in (build_hash,
    then hash). Raises FieldUnfit.
    """
    hashes = hashes_of(content) if hashes is None else hashes
    document = storable_json(element, "the node")
    kinds = dict(hashes)
    if format_version >= 3:
        kind = "hash"
    else:
        kind = next((kind for kind in _HASH_KINDS if kind in kinds), "full_hash")
    if kind not in kinds:
        raise FieldUnfit(f"{kind} is missing", missing=True)
    dependencies = tuple(_dependencies(content.get("dependencies")))
    is_plain = len(hashes) == 1 and all(len(one.hashes) == 1 for one in dependencies)
    return NodeEntry(
        name=name,
        hashes=hashes,
        identity=(kind, kinds[kind]),
        document=document,
        dependencies=dependencies,
        children=tuple([one.hashes[0][1] for one in dependencies]) if is_plain else None,
        content=content,
    )


def spec_node(entry: NodeEntry, edges: tuple[Edge, ...], targets: dict[str, TargetDescription]) -> SpecNode:
    """The canonical node of `entry`.

    `targets` holds the targets already read by their JSON, and is added to: a graph repeats its few, long
    descriptions in every node. Raises FieldUnfit.
    """
    content = entry.content
    architecture = object_of(required(content, "arch"), "arch")
    external = content.get("external")
    hash_kind, identity = entry.identity
    return SpecNode(
        name=entry.name,
        version=_version(content),
        hash=identity,
        hash_kind=hash_kind,
        hashes=entry.hashes,
        platform=name_of(architecture, "platform", "arch."),
        operating_system=name_of(architecture, "platform_os", "arch."),
        target=_target(required(architecture, "target", "arch."), targets),
        parameters=compact(object_of(content.get("parameters", {}), "parameters"), "parameters"),
        document=entry.document,
        namespace=optional_name(content, "namespace"),
        compiler=_compiler(content),
        package_hash=optional_name(content, "package_hash"),
        external=None if external is None else compact(object_of(external, "external"), "external"),
        built_as=_built_as(content),
        edges=edges,
    )


def hashes_of(owner: dict[str, Any]) -> Hashes:
    """The hashes that a node or an edge states, by their kinds, the strongest first. Raises FieldUnfit."""
    hashes = []
    for kind in _HASH_KINDS:
        value = owner.get(kind)
        if value is not None:
            if not isinstance(value, str) or not _HASH.fullmatch(value):
                raise FieldUnfit(f"{kind} must be 7 to 64 lowercase letters and digits")
            hashes.append((kind, value))
    return tuple(hashes)


def _target(target: object, targets: dict[str, TargetDescription]) -> TargetDescription:
    document = compact(target, "arch.target")
    if document not in targets:
        targets[document] = _described_target(target, document)
    return targets[document]


def _described_target(target: object, document: str) -> TargetDescription:
    """A generic target is a string, a named one an object; archspec decides, both occur in one graph."""
    if isinstance(target, str):
        return TargetDescription(name=name_of({"target": target}, "target", "arch."), document=document)
    described = object_of(target, "arch.target")
    return TargetDescription(
        name=name_of(described, "name", "arch.target."),
        document=document,
        vendor=optional_name(described, "vendor", "arch.target."),
        generation=optional_integer(described, "generation", "arch.target.", bits=INTEGER_BITS),
        features=names_of(described.get("features", []), "arch.target.features"),
        parents=names_of(described.get("parents", []), "arch.target.parents"),
    )


def _version(owner: dict[str, Any], path: str = "") -> str:
    """A version; Spack also reads "versions", a list or a text, of which a concrete spec has one."""
    versions = owner.get("versions")
    if owner.get("version") is not None or not versions:
        return name_of(owner, "version", path)
    listed = [versions] if isinstance(versions, str) else list_of(versions, f"{path}versions")
    written = ",".join(short_text(version, f"{path}versions.{place}") for place, version in enumerate(listed))
    return short_text(written.removeprefix("=") if len(listed) == 1 else written, f"{path}versions")


def _compiler(content: dict[str, Any]) -> tuple[str, str] | None:
    """v1 to v4 name it; in v5 it is a dependency, except where a later Spack read an older file again."""
    compiler = content.get("compiler")
    if compiler is not None:
        compiler = object_of(compiler, "compiler")
        return name_of(compiler, "name", "compiler."), _version(compiler, "compiler.")
    annotated = object_of(content.get("annotations") or {}, "annotations").get("compiler")
    if annotated is None:
        return None
    name, _, version = short_text(annotated, "annotations.compiler").partition("@")
    version = version.removeprefix("=")
    if not name or not version:
        raise FieldUnfit("annotations.compiler must be written name@=version")
    return name, version


def _built_as(content: dict[str, Any]) -> str | None:
    """The strongest hash of the spec that a spliced one was built as; None for other specs."""
    stated = content.get("build_spec")
    if stated is None:
        return None
    try:
        hashes = hashes_of(object_of(stated, "build_spec"))
    except FieldUnfit:
        # No reason to refuse a build: the document is kept with what it states here.
        return None
    return hashes[0][1] if hashes else None


def _dependencies(dependencies: object) -> list[DependencyEntry]:
    """v1 has an object by name, all later formats a list."""
    if dependencies is None:
        return []
    if isinstance(dependencies, dict):
        return [_dependency(name, entry) for name, entry in dependencies.items()]
    return [
        _dependency(entry.get("name") if isinstance(entry, dict) else None, entry)
        for entry in list_of(dependencies, "dependencies")
    ]


def _dependency(name: object, entry: object) -> DependencyEntry:
    try:
        return _dependency_entry(None if name is None else short_text(name, "name"), entry)
    except FieldUnfit as unfit:
        raise FieldUnfit(f"dependencies.{name or '?'}: {unfit.sentence}", missing=unfit.missing) from None


def _dependency_entry(name: str | None, entry: object) -> DependencyEntry:
    stated = object_of(entry, "it")
    hashes = hashes_of(stated)
    if not hashes:
        raise FieldUnfit("hash is missing", missing=True)
    # v4 and v5 keep types and virtuals under "parameters", v1 to v3 know only "type".
    parameters = object_of(stated.get("parameters") or {}, "parameters")
    virtuals = parameters.get("virtuals")
    return DependencyEntry(
        name=name,
        hashes=hashes,
        deptypes=_deptypes(parameters["deptypes"] if "deptypes" in parameters else stated.get("type")),
        virtuals=_virtuals(virtuals) if virtuals else (),
    )


def _virtuals(virtuals: object) -> tuple[str, ...]:
    names = names_of(virtuals, "virtuals")
    # A character takes twelve bytes of JSON at most, a name three more: only long lists are measured.
    characters = sum(map(len, names)) + len(names)
    if characters > _VIRTUALS_BYTES // 15 and len(compact(names, "virtuals")) > _VIRTUALS_BYTES:
        raise FieldUnfit(f"virtuals must be at most {_VIRTUALS_BYTES} bytes of JSON")
    return names


def _deptypes(types: object) -> Deptype:
    if types is None:
        raise FieldUnfit("type is missing", missing=True)
    bits = 0
    for deptype in [types] if isinstance(types, str) else list_of(types, "type"):
        if not isinstance(deptype, str) or deptype not in _DEPTYPE_BITS:
            raise FieldUnfit("type must name build, link, run or test")
        bits |= _DEPTYPE_BITS[deptype]
    return _DEPTYPE_SETS[bits]
