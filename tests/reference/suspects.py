"""ErrorGroup.suspects, run by run."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.history.suspects import Count, Fact, Runs, suspects
from spackmon.query.groups.suspects import KINDS, MAXIMUM_RUNS
from tests.reference import fields
from tests.reference.rows import Rows

TYPES = {"RunFact", "Suspect", "Suspects"}
"""The types of what is computed here: dictionaries."""


def suspects_of(rows: Rows, group: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """ErrorGroup.suspects."""
    if not 0 <= arguments["first"] <= 100:
        raise Refused(Code.PAGE_TOO_LARGE, "too many suspects")
    failing = _failing(rows, group)
    passing = {run.id: run for run in _passing(rows, failing)}
    totals: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    counts: dict[tuple[int, Fact], list[int]] = defaultdict(lambda: [0, 0, 0])
    for is_passing, runs in enumerate((failing, passing.values())):
        for run in runs:
            build = rows.get(models.Build, run.build_id)
            totals[build.package_id][is_passing] += 1
            for fact in _facts(rows, run, build):
                cell = counts[build.package_id, fact]
                cell[is_passing] += 1
                cell[2] += run.id
    found = suspects(
        {package: Runs(*both) for package, both in totals.items()},
        [Count(fact, package, *cell) for (package, fact), cell in counts.items()],
        KINDS,
        arguments["first"],
    )
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
    most = 20 if len(failing) <= 20 else 4 if len(failing) <= 100 else 1
    for run in failing:
        package_id = rows.get(models.Build, run.build_id).package_id
        passed = [one for one in rows.by(models.Build, "package_id", package_id) if one.status == "SUCCESS"]
        before = sorted((one.id for one in passed if one.id < run.build_id), reverse=True)
        after = sorted(one.id for one in passed if one.id >= run.build_id)
        for number in before[:most] + after[:most]:
            yield rows.get(models.Attempt, rows.get(models.Build, number).newest_attempt_id)


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
    return {
        Fact("VERSION", "", fields.value(rows, "Spec", "version", spec)),
        Fact("TARGET", "", rows.get(models.Target, architecture.target_id).name),
        Fact("OPERATING_SYSTEM", "", architecture.operating_system),
        *([] if compiler is None else [Fact("COMPILER", compiler.name, compiler.version)]),
        *(
            Fact("VARIANT", one.name, one.value)
            for one in rows.by(models.Parameter, "parameter_set_id", spec.parameter_set_id)
        ),
        *(
            Fact("DEPENDENCY", *(fields.value(rows, "Spec", name, one) for name in ("name", "version")))
            for one in below
        ),
    }
