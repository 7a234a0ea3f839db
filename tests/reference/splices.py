"""Questions about splices, of a site without ELF files; tests/query/test_splicing.py has others."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.spec import Deptype
from spackmon.graph.versions import version_key
from tests.reference import fields
from tests.reference.graphs import nodes
from tests.reference.rows import Rows

Arguments = Mapping[str, Any]
Find = Callable[[Rows, Any, Arguments], Any]

TYPES = {
    "AbiDifference", "AbiHistory", "AbiStep", "ChangedSymbol", "ExportedSymbol", "HostImage",
    "InterfaceChange", "InterfaceDifference",
    "LibraryDifference", "MissingLibrary", "MissingNow", "MissingSymbol", "MissingVersion", "RebuildsNeeded",
    "RemovedSymbol",
    "Splice", "SpliceCandidates", "SpliceCell", "SpliceMatrix", "SpliceOutcome", "SpliceRow",
    "SpliceStatement", "SpliceStatements",
}  # fmt: skip
"""The types of what is computed here: dictionaries."""

_NOTHING: dict[str, Any] = {
    "verdict": "UNKNOWN", "missingSymbols": [], "missingLibraries": [], "missingVersions": [],
    "hostImage": None,
}  # fmt: skip


def roots(find: Find, find_build: Find) -> dict[tuple[str, str], Find]:
    """The root fields; `find` is `Query.spec`, `find_build` is `Query.build`."""

    def root_of(rows: Rows, arguments: Arguments) -> Any:
        build = find_build(rows, None, {"id": arguments["build"]})
        if build is None:
            raise Refused(Code.BUILD_UNKNOWN, "no such build")
        if build.spec_id is None:
            raise Refused(Code.BUILD_SPEC_UNKNOWN, "a build without a spec")
        return rows.get(models.Spec, build.spec_id)

    def splice(rows: Rows, _: Any, arguments: Arguments) -> Any:
        root = root_of(rows, arguments)
        if find(rows, None, {"hash": arguments["with"]}) is None:
            raise Refused(Code.SPEC_UNKNOWN, "no such spec")
        _check_below(rows, root, arguments["replace"])
        return {**_NOTHING, "sonamesKept": True, "warnings": [], **_unknown(arguments)}

    def missing_now(rows: Rows, _: Any, arguments: Arguments) -> Any:
        name = fields.value(rows, "Spec", "name", root_of(rows, arguments))
        return {**_NOTHING, "undecided": [f"no symbols are known of {name}"]}

    def candidates(rows: Rows, _: Any, arguments: Arguments) -> Any:
        _check_page(arguments["first"], 50)
        _check_below(rows, root_of(rows, arguments), arguments["package"])
        shown, cursor = _page(_of_package(rows, arguments["package"]), arguments["first"])
        cell = _cell(arguments["package"])
        return {"outcomes": [{"spec": one, **cell} for one in shown], "endCursor": cursor}

    def difference(rows: Rows, _: Any, arguments: Arguments) -> Any:
        _check_page(arguments["first"], 100)
        specs = [find(rows, None, {"hash": arguments[name]}) for name in ("a", "b")]
        if None in specs:
            raise Refused(Code.SPEC_UNKNOWN, "no such spec")
        undecided = sorted({_unread(rows, one) for one in specs})
        return {
            "verdict": "UNKNOWN",
            "undecided": undecided,
            "libraries": [],
            "endCursor": None,
            "interfaces": [],
        }

    return {
        ("Query", "abiDiff"): difference,
        ("Query", "abiHistory"): _history,
        ("Query", "missingNow"): missing_now,
        ("Query", "rebuildsNeeded"): _rebuilds,
        ("Query", "splice"): splice,
        ("Query", "spliceCandidates"): candidates,
        ("Query", "spliceMatrix"): _matrix,
        ("Query", "spliceStatements"): _statements,
    }


def _unknown(arguments: Arguments) -> dict[str, Any]:
    package = arguments["replace"]
    if arguments["rule"] == "LOADER":
        return {"undecided": [_unread_pair(package)], "basis": "ELF"}
    return {
        "undecided": [f"no corpora of symbolator are known of both builds of {package}"], "basis": "NAMES",
    }  # fmt: skip


def _history(rows: Rows, _: Any, arguments: Arguments) -> Any:
    _check_page(arguments["first"], 50)
    newest: dict[str, Any] = {}
    for one in _of_package(rows, arguments["package"]):
        version = fields.value(rows, "Spec", "version", one)
        newest[version] = max(newest.get(version, one), one, key=lambda spec: spec.id)
    versions = sorted(newest, key=lambda version: (version_key(version), version))
    counts = ("removed", "added", "changed", "removedVersions", "sonamesChanged", "librariesRemoved")
    steps = [
        {
            "older": newest[older], "newer": newest[newer], "verdict": "UNKNOWN", **dict.fromkeys(counts, 0),
            "reasons": sorted({_unread(rows, newest[older]), _unread(rows, newest[newer])}),
        }
        for older, newer in pairwise(versions)
    ]  # fmt: skip
    first = arguments["first"]
    return {"steps": steps[:first], "endCursor": versions[first] if len(steps) > first else None}


def _unread(rows: Rows, spec: Any) -> str:
    name, version = (fields.value(rows, "Spec", part, spec) for part in ("name", "version"))
    return f"no symbols are known of {name}@{version}"


def _matrix(rows: Rows, _: Any, arguments: Arguments) -> Any:
    _check_page(arguments["first"], 200)
    specs = _of_package(rows, arguments["package"])
    used: dict[int, list[int]] = {}
    for edge in rows.all(models.Dependency):
        is_of_package = edge.child_id in {one.id for one in specs}
        if is_of_package and Deptype(edge.deptypes) & (Deptype.LINK | Deptype.RUN):
            used.setdefault(edge.parent_id, []).append(edge.child_id)
    _check_page(arguments["versions"], 50)
    after = arguments.get("afterVersion")
    later = [one for one in specs if after is None or one.id < int(after)]
    versions, versions_cursor = _page(later, arguments["versions"])
    shown, cursor = _page([rows.get(models.Spec, one) for one in used], arguments["first"])
    cells = [_cell(arguments["package"]) for _ in versions]
    return {
        "versions": versions,
        "versionsEndCursor": versions_cursor,
        "rows": [
            {"spec": one, "uses": rows.get(models.Spec, min(used[one.id])), "cells": cells} for one in shown
        ],
        "endCursor": cursor,
    }


def _rebuilds(rows: Rows, _: Any, arguments: Arguments) -> Any:
    _check_page(arguments["first"], 200)
    specs = _of_package(rows, arguments["package"])

    def said(value: str) -> list[Any]:
        shown = {one.spec_id for one in rows.by(models.SpecHash, "value", value)}
        found = [
            one for one in specs if one.id in shown or fields.value(rows, "Spec", "version", one) == value
        ]
        if not found:
            raise Refused(Code.SPEC_UNKNOWN, "no such spec of the package")
        return found

    before, after = {one.id for one in said(arguments["from"])}, said(arguments["to"])
    above = {
        one.ancestor_id for one in rows.all(models.Closure) if one.descendant_id in before and one.by_link_run
    }
    shown, cursor = _page([rows.get(models.Spec, one) for one in above], arguments["first"])
    cell = _cell(arguments["package"])
    return {
        "replacement": max(after, key=lambda one: one.id),
        "outcomes": [{"spec": one, **cell} for one in shown],
        "endCursor": cursor,
    }


def _statements(rows: Rows, _: Any, arguments: Arguments) -> Any:
    """No recipe declares anything, and nothing is known of files."""
    _check_page(arguments["first"], 50)
    spliced = [one for one in rows.all(models.Spec) if one.built_as is not None]
    if arguments.get("package") is not None:
        of_package = {one.id for one in _of_package(rows, arguments["package"])}
        spliced = [one for one in spliced if one.id in of_package]
    shown, cursor = _page(spliced, arguments["first"])
    statements = [
        {
            "source": "SPLICED", "spec": one, "statement": None, "replaced": None, "verdict": "UNKNOWN",
            "missing": 0, "broken": [],
            "reasons": [f"no symbols are known of {fields.value(rows, 'Spec', 'name', one)}"],
        }
        for one in shown
        if arguments.get("verdict") in (None, "UNKNOWN")
    ]  # fmt: skip
    return {"statements": statements, "endCursor": cursor}


def _check_page(first: int, most: int) -> None:
    if not 1 <= first <= most:
        raise Refused(Code.PAGE_TOO_LARGE, "no such page")


def _check_below(rows: Rows, root: Any, name: str) -> None:
    if name not in {node.name for one, node in nodes(rows, root).items() if one != root.hash}:
        raise Refused(Code.ARGUMENT_INVALID, "no such package in the graph")


def _of_package(rows: Rows, name: str) -> list[Any]:
    return [one for one in rows.all(models.Spec) if fields.value(rows, "Spec", "name", one) == name]


def _page(specs: list[Any], first: int) -> tuple[list[Any], str | None]:
    found = sorted(specs, key=lambda one: -one.id)
    return found[:first], str(found[first - 1].id) if len(found) > first else None


def _cell(package: str) -> dict[str, Any]:
    return {"verdict": "UNKNOWN", "missing": 0, "reasons": [_unread_pair(package)]}


def _unread_pair(package: str) -> str:
    return f"no symbols are known of both builds of {package}"
