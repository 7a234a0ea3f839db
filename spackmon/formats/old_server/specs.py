"""Specs: the document that a client sent, made again of the columns that it went into.

Of Spack 0.16 to 0.18dev it is one of version 2, of later ones of version 3, which have no `build_hash`. What
the old server did not keep (`external`, keys that it did not know) is in no row.
"""

import ast
import re
from collections.abc import Mapping
from typing import Any

from spackmon.errors import Refused
from spackmon.formats.bytes.json_body import parse
from spackmon.formats.old_server.rows import Note, SpecRow, TargetRow
from spackmon.formats.specs import spec_json
from spackmon.graph.spec import SpecGraph
from spackmon.submission import ConcretizationFailureReport

SPECS, DEPENDENCIES = "specs", "dependencies"

_FAILED = "FAILED_CONCRETIZATION"
_FORMAT, _FORMAT_WITHOUT_BUILD_HASH = 2, 3
_FLAGS = ("cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs")
# What Spack 0.18 and later send.
_LATER = re.compile(r"(?:0\.(?:1[89]|[2-9]\d)|[1-9])(?!\d)")


def is_failure(row: SpecRow) -> bool:
    """Whether a row is of what could not be concretized."""
    return _FAILED in (row.full_hash, row.dag_hash)


def failure_of(row: SpecRow) -> ConcretizationFailureReport:
    """The report of a row that `is_failure`. Raises Refused SPEC_MALFORMED."""
    node = {
        "name": row.name, "version": row.version, "namespace": row.namespace, "concrete": False,
        "hash": row.dag_hash, "full_hash": _FAILED,
    }  # fmt: skip
    present = {name: value for name, value in node.items() if value is not None}
    document = {"_meta": {"version": _format_version(row)}, "nodes": [present]}
    return spec_json.read_failure(document, row.spack_version or "")


def unreadable(row: SpecRow) -> str | None:
    """Why no document can be made of a row alone; None where it can."""
    if not row.version or row.platform is None or row.operating_system is None or row.target is None:
        return "of it there are its name and hashes alone"
    try:
        spec_json.read({"_meta": {"version": _format_version(row)}, "nodes": [_node(row, {})]})
    except Refused as refused:
        return refused.sentence.removeprefix("the spec cannot be read: node 0 ")
    return None


def graph_of(root: SpecRow, rows: Mapping[int, SpecRow]) -> SpecGraph:
    """The graph of a spec, of `rows` which can be read, those below it among them.

    Raises Refused SPEC_MALFORMED.
    """
    nodes = [_node(root, rows)]
    pending, seen = [root], {root.id}
    while pending:
        for link in pending.pop().dependencies:
            row = rows.get(link.spec_id)
            if row is not None and row.id not in seen:
                seen.add(row.id)
                pending.append(row)
                nodes.append(_node(row, rows))
    return spec_json.read({"_meta": {"version": _format_version(root)}, "nodes": nodes})


def left_out(row: SpecRow, rows: Mapping[int, SpecRow]) -> list[Note]:
    """What of a row is not in the graphs that `graph_of` makes of `rows`."""
    notes = []
    if row.parameters is not None and not isinstance(_value(row.parameters), dict):
        notes.append(Note("parameters of specs", 1, "no JSON object"))
    for link in row.dependencies:
        if link.spec_id not in rows:
            notes.append(Note(DEPENDENCIES, 1, "the spec that it leads to is not here"))
        elif not isinstance(_value(link.deptypes), list):
            notes.append(Note("types of dependencies", 1, "no JSON list"))
    return notes


def name_of_spec(row: SpecRow) -> tuple[str, str] | None:
    """The kind and the value of the hash that finds the spec of a row here."""
    named = (("full_hash", row.full_hash), ("hash", row.dag_hash))
    return next(((kind, value) for kind, value in named if value), None)


def _format_version(row: SpecRow) -> int:
    later = row.build_hash is None and _LATER.match(row.spack_version or "") is not None
    return _FORMAT_WITHOUT_BUILD_HASH if later else _FORMAT


def _node(row: SpecRow, rows: Mapping[int, SpecRow]) -> dict[str, Any]:
    parameters = _parameters(row)
    node: dict[str, Any] = {
        "name": row.name,
        "version": row.version,
        "arch": {
            "platform": row.platform,
            "platform_os": row.operating_system,
            "target": None if row.target is None else _target(row.target),
        },
        "compiler": None if row.compiler is None else {"name": row.compiler[0], "version": row.compiler[1]},
        "namespace": row.namespace,
        "parameters": parameters,
        "patches": parameters.get("patches"),
        "package_hash": row.package_hash,
        "dependencies": _dependencies(row, rows) or None,
        "hash": row.dag_hash,
        "full_hash": row.full_hash,
        "build_hash": row.build_hash,
    }
    return {name: value for name, value in node.items() if value not in (None, "")}


def _target(row: TargetRow) -> object:
    """A generic target was a string, of which the old server made a row of a name alone."""
    if row.vendor is None and row.generation is None and not row.features and not row.parents:
        return row.name
    described = {
        "name": row.name, "vendor": row.vendor, "features": list(row.features),
        "generation": row.generation, "parents": list(row.parents),
    }  # fmt: skip
    return {name: value for name, value in described.items() if value is not None}


def _parameters(row: SpecRow) -> dict[str, Any]:
    """As Spack orders them, which PostgreSQL did not keep: by name, compilers' flags last."""
    read = _value(row.parameters)
    if not isinstance(read, dict):
        return {}
    variants = sorted(read.keys() - set(_FLAGS))
    return {name: read[name] for name in (*variants, *_FLAGS) if name in read}


def _dependencies(row: SpecRow, rows: Mapping[int, SpecRow]) -> list[dict[str, Any]]:
    listed = []
    for link in row.dependencies:
        child = rows.get(link.spec_id)
        if child is not None:
            read = _value(link.deptypes)
            hashes = {"full_hash": child.full_hash} if child.full_hash else {"hash": child.dag_hash}
            listed.append({"name": child.name, **hashes, "type": read if isinstance(read, list) else []})
    return listed


def _value(written: str | None) -> object:
    """What a column of JSON says; some were written as Python prints them."""
    if written is None:
        return None
    try:
        return parse(written)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(written)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
