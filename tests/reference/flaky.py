"""Query.flaky, run by run."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.history.proportion import wilson_interval
from tests.reference import fields
from tests.reference.failures import is_no_consequence
from tests.reference.filters import passes
from tests.reference.rows import Rows

TYPES = {"ConfidenceInterval", "FlakySpec", "FlakySpecs"}
"""The types of what is computed here: dictionaries."""


def flaky(rows: Rows, schema: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Query.flaky."""
    if arguments["minimumRuns"] < 2 or arguments["minimumChanges"] < 1:
        raise Refused(Code.ARGUMENT_INVALID, "too few")
    ended: dict[Any, list[Any]] = defaultdict(list)
    for run in rows.all(models.Attempt):
        where = arguments.get("where")
        if where is not None and not passes(rows, schema, "AttemptFilter", where, run):
            continue
        spec_id = rows.get(models.Build, run.build_id).spec_id
        is_end = run.status in ("FAILED", "SUCCESS") and run.installed_from in (None, "SOURCE")
        if is_end and spec_id is not None and is_no_consequence(rows, run):
            ended[spec_id, _environment(rows, run, across=arguments["acrossMachines"])].append(run)
    found = [_found(rows, spec_id, sorted(runs, key=_when)) for (spec_id, _), runs in ended.items()]
    kept = [
        one
        for one in found
        if one["runCount"] >= arguments["minimumRuns"] and one["changeCount"] >= arguments["minimumChanges"]
    ]
    kept.sort(key=_rank, reverse=True)
    return {"totalCount": len(kept), "every": kept}


def page(found: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Any]:
    """FlakySpecs.nodes."""
    first, offset = arguments["first"], arguments["offset"]
    if not 0 <= first <= 500 or offset < 0:
        raise Refused(Code.GROUPS_INVALID, "too many")
    every: list[Any] = found["every"]
    return every[offset : offset + first]


def interval(one: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, float]:
    """FlakySpec.failureRateInterval."""
    if not 0 < arguments["confidence"] < 1:
        raise Refused(Code.ARGUMENT_INVALID, "no confidence")
    low, high = wilson_interval(one["failedCount"], one["runCount"], arguments["confidence"])
    return {"low": low, "high": high}


def _rank(one: Mapping[str, Any]) -> Any:
    return one["changeCount"], one["failedCount"], one["lastStartedAt"] or "", one["last"]


def _when(run: Any) -> Any:
    return run.started_at is not None, run.started_at and fields.moment(run.started_at), run.id


def _environment(rows: Rows, run: Any, *, across: bool) -> Any:
    machine = rows.get(models.BuildEnvironment, run.environment_id)
    return (machine.platform, machine.operating_system, machine.target) if across else machine.id


def _found(rows: Rows, spec_id: int, runs: list[Any]) -> dict[str, Any]:
    failed = [run for run in runs if run.status == "FAILED"]
    passed = [run for run in runs if run.status == "SUCCESS"]
    began = [fields.moment(run.started_at) for run in runs if run.started_at is not None]
    return {
        "spec": rows.get(models.Spec, spec_id),
        "environment": rows.get(models.BuildEnvironment, runs[-1].environment_id),
        "runCount": len(runs),
        "failedCount": len(failed),
        "changeCount": sum(one.status != other.status for one, other in pairwise(runs)),
        "failureRate": len(failed) / len(runs),
        "firstStartedAt": min(began, default=None),
        "lastStartedAt": max(began, default=None),
        "lastFailure": failed[-1] if failed else None,
        "lastSuccess": passed[-1] if passed else None,
        "last": runs[-1].id,
    }
