"""Query.durationChanges: which durations are compared, run by run."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from spackmon import models
from spackmon.errors import Code, Refused
from spackmon.query.groups.durations import MOST_OF_A_SIDE, changes_of_durations
from tests.reference import fields
from tests.reference.filters import passes
from tests.reference.rows import Rows

TYPES = {"DurationChange", "DurationChanges"}
"""The types of what is computed here: dictionaries."""


def changes(rows: Rows, schema: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Query.durationChanges."""
    if not 1 <= arguments["lookBackDays"] <= 36_500:
        raise Refused(Code.ARGUMENT_INVALID, "too few or too many days")
    least = datetime.fromisoformat(arguments["since"]) - timedelta(days=arguments["lookBackDays"])
    sides: dict[Any, list[Any]] = defaultdict(list)
    for run in rows.all(models.Attempt):
        among = arguments.get("among")
        if among is not None and not passes(rows, schema, "AttemptFilter", among, run):
            continue
        package = rows.get(models.Package, rows.get(models.Build, run.build_id).package_id)
        is_built = run.started_at is not None and run.installed_from in (None, "SOURCE")
        if not is_built or package is None or package.name <= (arguments.get("after") or ""):
            continue
        began = fields.moment(run.started_at)
        for name, seconds in _durations(rows, run) if began >= fields.moment(least) else ():
            side = began >= arguments["since"]
            sides[package.name, name, side].append((began, run.id, run, seconds))
    facts = [
        [name, phase, _kind(rows, run, arguments["acrossMachines"]), began, side, seconds]
        for (name, phase, side), found in sides.items()
        for began, _, run, seconds in sorted(found, key=lambda one: one[:2])[-MOST_OF_A_SIDE:]
    ]
    return changes_of_durations(facts, arguments)


def _durations(rows: Rows, run: Any) -> Iterator[tuple[str | None, float]]:
    if run.status == "SUCCESS" and run.duration_seconds is not None:
        yield None, run.duration_seconds
    for phase in rows.by(models.Phase, "attempt_id", run.id):
        if phase.status == "SUCCESS" and phase.duration_seconds is not None:
            yield phase.name, phase.duration_seconds


def _kind(rows: Rows, run: Any, across: bool) -> list[Any]:
    machine = rows.get(models.BuildEnvironment, run.environment_id)
    spec = rows.get(models.Spec, rows.get(models.Build, run.build_id).spec_id)
    target = spec and rows.get(models.Architecture, spec.architecture_id).target_id
    return [
        *((machine.platform, machine.operating_system, machine.target) if across else (machine.hostname,)),
        spec and rows.get(models.Target, target).name,
        spec and spec.parameter_set_id,
    ]
