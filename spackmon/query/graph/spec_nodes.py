"""Specs as the pure functions of `graph` take them, from the facts of a computed field."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.format_values import specfile_version
from spackmon.graph.spec import Deptype, Edge, SpecNode, TargetDescription

NODE = """
hash formatVersion name version namespace packageHash parameters external buildSpecHash
hashes { kind value }
compiler { name version } namesCompiler
architecture { platform operatingSystem target { name vendor generation features parents } }
dependencies(first: 500) { nodes { child { hash } deptypes virtuals } }
"""
"""The fields of a Spec that make a SpecNode."""

GRAPH = f"hash graph {{ nodes {{ {NODE} }} }}"
"""The fields of a Spec that make its graph."""

_FIRST_FORMAT_WITH_DAG_HASH = 3


def spec_nodes(
    facts: Iterable[Mapping[str, Any]], built_as: Mapping[str, str] | None = None
) -> dict[str, SpecNode]:
    """The nodes by identity; edges that lead to none of them are left out.

    `built_as` are, by identity, the identities of what spliced ones were built as.
    """
    found = list(facts)
    known = {node["hash"] for node in found}
    return {node["hash"]: _node(node, known, built_as or {}) for node in found}


def specfile_versions(facts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """By identity the format of the file that Spack read a spec from, of those whose document is selected.

    A Spack of today writes old specs in its own format and notes which they were read from.
    """
    return {
        node["hash"]: specfile_version(node["document"], node["formatVersion"])
        for node in facts
        if "document" in node
    }


def graph_nodes(spec: Mapping[str, Any] | None, sought: str) -> tuple[dict[str, SpecNode], str]:
    """All nodes of a spec's graph and the spec's identity; Refused SPEC_UNKNOWN where there is no spec."""
    if spec is None:
        raise Refused(Code.SPEC_UNKNOWN, f"no spec has the hash {sought!r}")
    return spec_nodes(spec["graph"]["nodes"]), spec["hash"]


def deptypes(names: Iterable[str]) -> Deptype:
    """A set of deptypes by their names."""
    found = Deptype(0)
    for name in names:
        found |= Deptype[name]
    return found


def _node(facts: Mapping[str, Any], known: set[str], built_as: Mapping[str, str]) -> SpecNode:
    architecture, compiler = facts["architecture"], facts["compiler"]
    has_dag_hash = facts["formatVersion"] >= _FIRST_FORMAT_WITH_DAG_HASH
    return SpecNode(
        name=facts["name"],
        version=facts["version"],
        hash=facts["hash"],
        hash_kind="hash" if has_dag_hash else "full_hash",
        hashes=tuple((one["kind"], one["value"]) for one in facts["hashes"]),
        platform=architecture["platform"],
        operating_system=architecture["operatingSystem"],
        target=_target(architecture["target"]),
        parameters=json.dumps(facts["parameters"]),
        document="",
        namespace=facts["namespace"],
        # One that is a dependency stands among the edges.
        compiler=(compiler["name"], compiler["version"]) if facts["namesCompiler"] else None,
        package_hash=facts["packageHash"],
        external=json.dumps(facts["external"]) if facts["external"] is not None else None,
        built_as=built_as.get(facts["hash"], facts["buildSpecHash"]),
        edges=tuple(_edge(edge) for edge in facts["dependencies"]["nodes"] if edge["child"]["hash"] in known),
    )


def _target(facts: Mapping[str, Any]) -> TargetDescription:
    return TargetDescription(
        name=facts["name"],
        document="",
        vendor=facts["vendor"],
        generation=facts["generation"],
        features=tuple(facts["features"]),
        parents=tuple(facts["parents"]),
    )


def _edge(facts: Mapping[str, Any]) -> Edge:
    return Edge(facts["child"]["hash"], deptypes(facts["deptypes"]), tuple(facts["virtuals"]))
