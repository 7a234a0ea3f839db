"""ErrorGroup.suspects, run by run."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.graph.spec_text import COMPILER_NAMES
from spackmon.history.suspects import Fact, Runs, suspects
from spackmon.query.groups.run_facts import KINDS
from spackmon.query.groups.suspects import MAXIMUM_RUNS
from tests.reference import fields
from tests.reference.rows import Rows

TYPES = {"RunFact", "Suspect", "Suspects"}
"""The types of what is computed here: dictionaries."""


def suspects_of(rows: Rows, group: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """ErrorGroup.suspects."""
    if not 0 <= arguments["first"] <= 100:
        raise Refused(Code.PAGE_TOO_LARGE, "too many suspects")
    failing = _failing(rows, group)
    numbers = {run.id for run in failing}
    passing = {run.id: run for run in _passing(rows, failing) if run.id not in numbers}
    runs: dict[int, Runs] = defaultdict(lambda: Runs(0, 0))
    having: dict[Fact, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    meanwhile: dict[int, int] = defaultdict(int)
    of_spec: dict[tuple[int, int], int] = defaultdict(int)
    for run in (*failing, *passing.values()):
        build = rows.get(models.Build, run.build_id)
        package, bit = build.package_id, 1 << run.id
        before = runs[package]
        fails = run.id in numbers
        runs[package] = Runs(before.failing | bit * fails, before.passing | bit * (not fails))
        meanwhile[package] |= bit if min(numbers) <= run.id <= max(numbers) else 0
        of_spec[package, build.spec_id] |= bit
        for fact in _facts(rows, run, build):
            having[fact][package] |= bit
    told = {fact: masks for fact, masks in having.items() if not _is_of_one_spec(fact, masks, of_spec)}
    found = suspects(runs, told, meanwhile, KINDS, arguments["first"])
    return {
        "verdict": found.verdict.value,
        "reason": found.reason,
        "failingRuns": found.failing,
        "passingRuns": found.passing,
        "comparisons": found.tried,
        "suspects": [
            {
                "facts": [fact._asdict() for fact in one.facts],
                "failingWith": one.failing_with,
                "failingWithout": one.failing_without,
                "passingWith": one.passing_with,
                "passingWithout": one.passing_without,
                "lift": one.failing_with / one.excess.expected if one.excess.expected else None,
                "p": one.p,
                "adjustedP": one.adjusted_p,
            }
            for one in found.suspects
        ],
    }


def _failing(rows: Rows, group: Any) -> list[Any]:
    events = rows.by(models.BuildEvent, "error_group_id", group.id)
    numbers = sorted({one.attempt_id for one in events if one.attempt_id is not None}, reverse=True)
    runs = [rows.get(models.Attempt, number) for number in numbers]
    builds = sorted({run.build_id for run in runs}, reverse=True)[:MAXIMUM_RUNS]
    known = [number for number in builds if rows.get(models.Build, number).package_id is not None]
    return [run for run in runs if run.build_id in known][:MAXIMUM_RUNS]


def _passing(rows: Rows, failing: list[Any]) -> Iterator[Any]:
    builds = [rows.get(models.Build, run.build_id) for run in failing]
    packages = {build.package_id for build in builds}
    for build in builds:
        of_package = [one.id for one in builds if one.package_id == build.package_id]
        is_edge = build.id in (min(of_package), max(of_package))
        if is_edge and len(packages) <= 4:
            most = 40
        else:
            most = 10 if len(failing) <= 60 or (is_edge and len(packages) <= 20) else 2
        for status in ("SUCCESS", "FAILED"):
            near = [o for o in rows.by(models.Build, "package_id", build.package_id) if o.status == status]
            before = sorted((one.id for one in near if one.id < build.id), reverse=True)
            after = sorted(one.id for one in near if one.id >= build.id)
            for number in before[:most] + after[:most]:
                runs = [o for o in rows.by(models.Attempt, "build_id", number) if o.status == "SUCCESS"]
                yield from sorted(runs, key=lambda run: run.number, reverse=True)[:10]


def _is_of_one_spec(fact: Fact, masks: Mapping[int, int], of_spec: Mapping[tuple[int, int], int]) -> bool:
    if fact.kind != "VARIABLE" or len(masks) > 1:
        return False
    ((package, mask),) = masks.items()
    specs = [runs for (name, spec), runs in of_spec.items() if name == package and spec is not None]
    return len(specs) > 1 and any(not mask & ~runs for runs in specs)


def _facts(rows: Rows, run: Any, build: Any) -> set[Fact]:
    facts = {Fact("HOST", "", rows.get(models.BuildEnvironment, run.environment_id).hostname)}
    if run.spack_version is not None:
        facts.add(Fact("SPACK_VERSION", "", run.spack_version))
    for one in rows.by(models.EnvironmentVariable, "environment_set_id", run.environment_set_id):
        facts.add(Fact("VARIABLE", one.name, one.value))
    spec = rows.get(models.Spec, build.spec_id)
    if spec is not None:
        facts |= _facts_of_spec(rows, spec)
    return facts


def _facts_of_spec(rows: Rows, spec: Any) -> set[Fact]:
    architecture = rows.get(models.Architecture, spec.architecture_id)
    compiler = rows.get(models.Compiler, spec.compiler_id)
    below = [
        rows.get(models.Spec, one.descendant_id) for one in rows.by(models.Closure, "ancestor_id", spec.id)
    ]
    dependencies = {
        (fields.value(rows, "Spec", "name", one), fields.value(rows, "Spec", "version", one)) for one in below
    }
    return {
        Fact("VERSION", *(fields.value(rows, "Spec", name, spec) for name in ("name", "version"))),
        Fact("TARGET", "", rows.get(models.Target, architecture.target_id).name),
        Fact("OPERATING_SYSTEM", "", architecture.operating_system),
        *([] if compiler is None else [Fact("COMPILER", compiler.name, compiler.version)]),
        *(
            Fact("VARIANT", one.name, one.value)
            for one in rows.by(models.Parameter, "parameter_set_id", spec.parameter_set_id)
        ),
        *(
            Fact("DEPENDENCY", name, version)
            for name, version in dependencies
            if _is_own(name, version, compiler)
        ),
    }


def _is_own(name: str, version: str, compiler: Any) -> bool:
    if name in ("gcc-runtime", "intel-oneapi-runtime"):
        return False
    return compiler is None or (COMPILER_NAMES.get(name, name), version) != (compiler.name, compiler.version)
