"""Groups and tables of rows: what fields tell of each row, counted by plain loops."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from tests.query.plain_loops import Label, grouped, measured, missing, table
from tests.reference import fields
from tests.reference.connections import read_order
from tests.reference.filters import group_value, passes
from tests.reference.labels import labels_of, row_measured
from tests.reference.rows import Rows

_GROUPED = ("Attempt", "Build", "BuildEvent", "BuildPhase", "Dependency", "InstallFile", "Spec")
TYPES = {
    "CpuTimes", "Durations", "Matrix", "MatrixCell", "PeakMemory", *(f"{name}Group" for name in _GROUPED),
    *(f"{name}GroupKeys" for name in _GROUPED),
}  # fmt: skip
"""The types of what is counted here: dictionaries, in which null may be left out."""

_MOST = 500
_REQUESTED = {"PACKAGE", "VERSION", "COMPILER", "OS", "TARGET", "OWNER"}
_MEASURES = {
    "Attempt": measured, "BuildPhase": measured,
    "Build": lambda builds: {**measured(builds), "owners": len({build["owner"] for build in builds})},
    "InstallFile": lambda files: {"totalBytes": sum(file.size_bytes or 0 for file in files)},
    "Spec": lambda specs: {"parameterSets": len({spec.parameter_set_id for spec in specs})},
}  # fmt: skip


def groups(
    rows: Rows, schema: Any, type_name: str, found: list[Any], arguments: Mapping[str, Any]
) -> list[Any]:
    """A connection's `groupBy`."""
    keys, first = arguments["keys"], _first(arguments)
    if len(set(keys)) < len(keys):
        raise Refused(Code.GROUPS_INVALID, "a key twice")
    if type_name in ("Attempt", "Build"):
        found = _counted(found, arguments)
    labelled = [pair for row in found for pair in _labelled(rows, type_name, row, keys)]
    measure = _MEASURES.get(type_name, lambda _: {})
    every = grouped(labelled, keys, measure)
    if not every and not keys:
        every = [{"keys": {}, "count": 0, **measure([])}]
    having = arguments.get("having")
    if having is not None:
        every = [one for one in every if passes(rows, schema, f"{type_name}GroupFilter", having, one)]
    for key, descending in reversed(read_order(arguments.get("orderBy"))):
        values = [(group_value(one, key), one) for one in every]
        there = sorted(
            (pair for pair in values if pair[0] is not None), key=lambda pair: pair[0], reverse=descending
        )
        every = [one for _, one in there] + [one for value, one in values if value is None]
    return every[arguments["offset"] :][:first]


def _labelled(
    rows: Rows, type_name: str, row: Any, keys: Sequence[str]
) -> Iterator[tuple[Any, dict[str, Label]]]:
    """The row with its labels, once for each combination of those of which it has several."""
    labels = labels_of(rows, type_name, row)
    options = [labels[key] or [missing(key)] for key in keys]
    for combination in product(*options):
        yield row_measured(rows, type_name, row), dict(zip(keys, combination, strict=True))


def matrix(rows: Rows, found: list[Any], arguments: Mapping[str, Any]) -> Any:
    """`Query.matrix` of builds."""
    first, name = _first(arguments), arguments.get("package")
    counted = _counted(found, arguments)
    labelled = [(build, labels_of(rows, "Build", build)) for build in counted]
    chosen = [pair for pair in labelled if name is None or pair[1]["PACKAGE"] == [(name,)]]
    facts = [
        ({**_facts(rows, "Build", build, "id", "status", "startedAt"), "self": build}, labels)
        for build, labels in chosen
    ]
    axes = arguments["rows"], arguments["columns"]
    if not arguments["includeFailedToConcretize"]:
        return table(facts, *axes, first)
    if not {*axes} <= _REQUESTED:
        raise Refused(Code.GROUPS_INVALID, "requests have none")
    requests = [(one, _requested(rows, one)) for one in rows.all(models.ConcretizationFailure)]
    asked = [({"self": one}, labels) for one, labels in requests if name in (None, labels["PACKAGE"][0][0])]
    return table(facts, *axes, first, asked)


def _requested(rows: Rows, failure: Any) -> dict[str, list[Label]]:
    """The labels of what was requested."""
    package = rows.get(models.Package, failure.package_id)
    compiler = failure.compiler_name, failure.compiler_key, failure.compiler
    return {
        "PACKAGE": [(None if package is None else package.name,)],
        "VERSION": [(failure.version_key, failure.version)],
        "COMPILER": [compiler],
        "OS": [(failure.operating_system,)],
        "TARGET": [(failure.target,)],
        "OWNER": [(rows.get(models.Person, failure.owner_id).name,)],
    }


def in_cell(key: str) -> Callable[[Rows, Any], list[Any]]:
    """The rows that a cell of `matrix` counts, each once."""
    return lambda rows, cell: list({one["self"].id: one["self"] for one in cell[key]}.values())


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
