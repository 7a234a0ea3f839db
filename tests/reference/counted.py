"""Groups and tables of rows: what fields tell of each row, counted by plain loops."""

from collections.abc import Mapping
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from tests.query.plain_loops import grouped, measured, spec_labels, table, tagged
from tests.reference import fields
from tests.reference.rows import Rows

TYPES = {
    "BuildGroup", "BuildGroupKeys", "Durations", "Matrix", "MatrixCell", "SpecGroup", "SpecGroupKeys",
}  # fmt: skip
"""The types of what is counted here: dictionaries, in which null may be left out."""

_MOST = 500


def groups(rows: Rows, type_name: str, found: list[Any], arguments: Mapping[str, Any]) -> list[Any]:
    """A connection's `groupBy`."""
    keys, first = arguments["keys"], _first(arguments)
    if len(set(keys)) < len(keys):
        raise Refused(Code.GROUPS_INVALID, "a key twice")
    if type_name == "Spec":
        specs = [(spec, spec_labels(_spec_facts(rows, spec))) for spec in found]
        return _all_in_one(grouped(specs, keys, lambda _: {}), keys)[:first]
    builds = [_build_facts(rows, build) for build in _counted(found, arguments)]
    empty = {"successRate": None, "durations": None}
    return _all_in_one(grouped(tagged(builds, keys), keys, measured), keys, **empty)[:first]


def _all_in_one(found: list[Any], keys: list[str], **empty: None) -> list[Any]:
    """The groups; without keys there is one, also of nothing."""
    return found or ([] if keys else [{"keys": {}, "count": 0, **empty}])


def matrix(rows: Rows, found: list[Any], arguments: Mapping[str, Any]) -> Any:
    """`Query.matrix` of builds."""
    first, name = _first(arguments), arguments.get("package")
    facts = [_build_facts(rows, build) for build in _counted(found, arguments)]
    chosen = [build for build in facts if name is None or build["package"] == {"name": name}]
    return table(chosen, arguments["rows"], arguments["columns"], first)


def _counted(builds: list[Any], arguments: Mapping[str, Any]) -> list[Any]:
    if arguments["includeInstalled"]:
        return builds
    return [build for build in builds if build.installed_from in (None, "SOURCE")]


def _first(arguments: Mapping[str, Any]) -> int:
    if not 0 <= arguments["first"] <= _MOST:
        raise Refused(Code.GROUPS_INVALID, "too many groups")
    return int(arguments["first"])


def _facts(rows: Rows, type_name: str, row: Any, *names: str) -> dict[str, Any]:
    return {name: fields.value(rows, type_name, name, row) for name in names}


def _spec_facts(rows: Rows, spec: Any) -> dict[str, Any]:
    compiler = fields.TO_ONE["Spec", "compiler"](rows, spec)
    architecture = fields.TO_ONE["Spec", "architecture"](rows, spec)
    target = fields.TO_ONE["Architecture", "target"](rows, architecture)
    edges = fields.TO_MANY["Spec", "dependencies"](rows, spec)
    return {
        **_facts(rows, "Spec", spec, "name", "version", "namesCompiler"),
        "compiler": compiler and _facts(rows, "Compiler", compiler, "name", "version"),
        "architecture": {"operatingSystem": architecture.operating_system, "target": {"name": target.name}},
        "dependencies": [
            {
                "virtuals": fields.value(rows, "Dependency", "virtuals", edge),
                "child": _facts(rows, "Spec", rows.get(models.Spec, edge.child_id), "id", "name", "version"),
            }
            for edge in edges
        ],
    }


def _build_facts(rows: Rows, build: Any) -> dict[str, Any]:
    spec, package = (fields.TO_ONE["Build", name](rows, build) for name in ("spec", "package"))
    events = sorted(fields.TO_MANY["Build", "events"](rows, build), key=lambda event: int(event.position))
    groups = [fields.TO_ONE["BuildEvent", "errorGroup"](rows, one) for one in events if one.kind == "ERROR"]
    return {
        **_facts(rows, "Build", build, "id", "status", "startedAt", "durationSeconds", "installedFrom"),
        "package": package and {"name": package.name},
        "spec": spec and _spec_facts(rows, spec),
        "environment": {"hostname": rows.get(models.BuildEnvironment, build.environment_id).hostname},
        "owner": {"name": rows.get(models.Person, build.owner_id).name},
        "tags": [{"name": tag.name} for tag in fields.TO_MANY["Build", "tags"](rows, build)],
        "events": {
            "nodes": [{"errorGroup": {"fingerprint": one.fingerprint, "text": one.text}} for one in groups]
        },
    }
