"""Query.expectedResources: which runs count, looked at run by run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.abstract_spec import AbstractSpec
from spackmon.graph.spack_rules import Rules
from spackmon.query.groups.expected import MOST_OF_A_NEARNESS, NEARNESSES
from tests.reference import language
from tests.reference.rows import Rows

TYPES = {"ExpectedBytes", "ExpectedResources", "ExpectedSeconds"}
"""The types of what is computed here: dictionaries."""


def resources(rows: Rows, _: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Query.expectedResources."""
    rules, wanted = language.read(arguments["spec"], arguments.get("as"))
    if wanted.name is None and wanted.hash_prefix is None:
        raise Refused(Code.ARGUMENT_INVALID, "no package")
    least = arguments["minimumRuns"]
    if not 1 <= least <= MOST_OF_A_NEARNESS:
        raise Refused(Code.ARGUMENT_INVALID, "too few or too many runs")
    levels = _levels(rows, wanted, rules)
    package_ids = {_package_id(rows, spec) for spec in levels[-1]}
    if wanted.hash_prefix is None:
        package_ids = {one.id for one in rows.all(models.Package) if one.name == wanted.name}
    nearest = [{spec.id for spec in level} for level in levels[:-1]]
    runs: list[tuple[int, Any]] = []
    for run in rows.all(models.Attempt):
        build = rows.get(models.Build, run.build_id)
        counts = run.status == "SUCCESS" and run.installed_from in (None, "SOURCE")
        if counts and build.package_id in package_ids:
            fitting = (place for place, ids in enumerate(nearest) if build.spec_id in ids)
            runs.append((next(fitting, len(nearest)), run))
    return {
        "durationSeconds": _expected(runs, "duration_seconds", least),
        "cpuSeconds": _expected(runs, "cpu_seconds", least),
        "peakMemoryBytes": _expected(runs, "peak_memory_bytes", least),
    }


def _levels(rows: Rows, wanted: AbstractSpec, rules: Rules) -> list[list[Any]]:
    """The specs that are what is wanted, and those that have less and less in common with it."""
    if wanted.hash_prefix is None:
        version = AbstractSpec(name=wanted.name, versions=wanted.versions)
        compilers = tuple(edge for edge in wanted.edges if edge.is_direct)
        near = replace(version, targets=wanted.targets, edges=compilers)
        asked = (wanted, near, version, AbstractSpec(name=wanted.name))
        return [language.specs_of(rows, one, rules) for one in asked]
    same = language.specs_of(rows, wanted, rules)
    levels = [same]
    for common in (_kind, lambda rows, spec: spec.package_version_id, _package_id):
        kinds = {common(rows, spec) for spec in same}
        levels.append([spec for spec in rows.all(models.Spec) if common(rows, spec) in kinds])
    return levels


def _kind(rows: Rows, spec: Any) -> tuple[Any, ...]:
    target_id = rows.get(models.Architecture, spec.architecture_id).target_id
    return spec.package_version_id, spec.compiler_id, target_id


def _package_id(rows: Rows, spec: Any) -> Any:
    return rows.get(models.PackageVersion, spec.package_version_id).package_id


def _expected(runs: list[tuple[int, Any]], name: str, least: int) -> dict[str, Any] | None:
    values: list[Any] = []
    found = None
    for place, nearness in enumerate(NEARNESSES):
        new = [getattr(run, name) for at, run in runs if at == place and getattr(run, name) is not None]
        # The reference's site has no more runs of a package than are looked at.
        assert len(new) <= MOST_OF_A_NEARNESS
        if new and len(values) < least:
            values, found = sorted([*values, *new]), nearness
    if found is None:
        return None
    return {
        "nearness": found, "runCount": len(values), "maximum": values[-1],
        "p50": values[-(-len(values) * 50 // 100) - 1], "p95": values[-(-len(values) * 95 // 100) - 1],
    }  # fmt: skip
