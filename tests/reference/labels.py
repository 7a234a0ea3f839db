"""What rows are grouped by, and what groups measure of them, read off each row.

A label is what a group shows, and before it what it is sorted by. A row that has several of a key, as tags,
is in the group of each.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from spackmon import models
from spackmon.graph.parameters import parameter_rows
from spackmon.graph.versions import version_key
from tests.query.plain_loops import Label, compiler_label
from tests.reference import errors, fields, related
from tests.reference.related import root_event
from tests.reference.rows import Rows

Labels = dict[str, list[Label]]


def labels_of(rows: Rows, type_name: str, row: Any) -> Labels:
    """The labels of a row by the keys of its type; none where it has nothing of the kind."""
    return _LABELS[type_name](rows, row)


def row_measured(rows: Rows, type_name: str, row: Any) -> Any:
    """What groups measure of a row."""
    if type_name in ("Attempt", "Build", "BuildPhase"):
        own = {"owner": row.owner_id} if type_name == "Build" else {}
        return {
            "status": row.status, "durationSeconds": row.duration_seconds, "cpuSeconds": row.cpu_seconds,
            "peakMemoryBytes": row.peak_memory_bytes, **own,
        }  # fmt: skip
    return row


def spec_facts(rows: Rows, spec: Any) -> dict[str, Any]:
    """What tells the compiler of a spec."""
    compiler = related.TO_ONE["Spec", "compiler"](rows, spec)
    edges = related.TO_MANY["Spec", "dependencies"](rows, spec)

    def named(type_name: str, row: Any) -> dict[str, Any]:
        return {name: fields.value(rows, type_name, name, row) for name in ("name", "version")}

    return {
        "namesCompiler": spec.names_compiler,
        "compiler": compiler and named("Compiler", compiler),
        "dependencies": {
            "nodes": [
                {
                    "virtuals": json.loads(edge.virtuals),
                    "child": named("Spec", rows.get(models.Spec, edge.child_id)),
                }
                for edge in edges
            ]
        },
    }


def _of_spec(rows: Rows, spec: Any) -> Labels:
    if spec is None:
        return {key: [] for key in ("PACKAGE", "VERSION", "COMPILER", "TARGET", "OS", "PARAMETER", "VIRTUAL")}
    name, version = (fields.value(rows, "Spec", one, spec) for one in ("name", "version"))
    architecture = related.TO_ONE["Spec", "architecture"](rows, spec)
    document = rows.get(models.ParameterSet, spec.parameter_set_id).document
    provided = [one for one in rows.by(models.ProvidedVirtual, "spec_id", spec.id) if one.deptypes]
    return {
        "PACKAGE": [(name,)],
        "VERSION": [(version_key(version), version)],
        "COMPILER": [compiler_label(spec_facts(rows, spec))],
        "TARGET": [(rows.get(models.Target, architecture.target_id).name,)],
        "OS": [(architecture.operating_system,)],
        "PARAMETER": [(f"{name}={value.strip(chr(34))}",) for name, value in parameter_rows(document)],
        "VIRTUAL": [(one.virtual,) for one in provided],
    }


def _of_run(rows: Rows, run: Any, build: Any, attempt: Any) -> Labels:
    """The labels of a build or an attempt: `attempt` is the run whose tags, errors and phases are meant."""
    began = None if run.started_at is None else datetime.fromisoformat(fields.moment(run.started_at))
    year, week, _ = (None, None, None) if began is None else began.isocalendar()
    events = sorted(rows.by(models.BuildEvent, "attempt_id", attempt.id), key=lambda one: int(one.position))
    shown = [_error(rows, one) for one in events if one.kind == "ERROR"]
    root = root_event(rows, attempt)
    phases = sorted(rows.by(models.Phase, "attempt_id", attempt.id), key=lambda one: (one.position, one.id))
    failed = [(phase.name,) for phase in phases if phase.status == "ERROR"]
    package = related.TO_ONE["Build", "package"](rows, build)
    spec = related.TO_ONE["Build", "spec"](rows, build)
    return {
        **_of_spec(rows, spec),
        "SPEC": [] if spec is None else [(spec.hash,)],
        "PACKAGE": [] if package is None else [(package.name,)],
        "STATUS": [(run.status,)],
        "TAG": [(tag.name,) for tag in related.TO_MANY["Attempt", "tags"](rows, attempt)],
        "OWNER": [(rows.get(models.Person, build.owner_id).name,)],
        "DAY": [(began and began.strftime("%Y-%m-%d"),)],
        "MONTH": [(began and began.strftime("%Y-%m"),)],
        "WEEK": [(began and f"{year}-W{week:02}",)],
        "INSTALLED_FROM": [(run.installed_from,)],
        "HOSTNAME": [(rows.get(models.BuildEnvironment, run.environment_id).hostname,)],
        "ERROR_GROUP": shown[:1],
        "ERROR_CLASS": [] if root is None else [(root.error_class,)],
        "BLAME": [] if root is None else [(root.blame,)],
        "FAILED_PHASE": failed[:1],
    }


def _error(rows: Rows, event: Any) -> Label:
    group = related.TO_ONE["BuildEvent", "errorGroup"](rows, event)
    return (None, None) if group is None else (group.fingerprint, group.text)


def _of_build(rows: Rows, build: Any) -> Labels:
    return _of_run(rows, build, build, related.newest_attempt(rows, build))


def _of_attempt(rows: Rows, attempt: Any) -> Labels:
    build = rows.get(models.Build, attempt.build_id)
    return _of_run(rows, attempt, build, attempt) | {
        "SPACK_VERSION": [(attempt.spack_version,)],
        "ERROR_NEWS": [(errors.news(rows, attempt),)],
    }


def _within(own: Callable[[Rows, Any], Labels]) -> Callable[[Rows, Any], Labels]:
    """The labels of something in a run, and those of the run."""
    return lambda rows, row: _of_attempt(rows, rows.get(models.Attempt, row.attempt_id)) | own(rows, row)


def _of_edge(rows: Rows, edge: Any) -> Labels:
    parent, child = (rows.get(models.Spec, one) for one in (edge.parent_id, edge.child_id))
    below = _of_spec(rows, child)
    return {
        "PARENT": _of_spec(rows, parent)["PACKAGE"],
        "CHILD": below["PACKAGE"],
        "CHILD_VERSION": below["VERSION"],
        "VIRTUAL": [(one,) for one in json.loads(edge.virtuals)],
    }


_LABELS: dict[str, Callable[[Rows, Any], Labels]] = {
    "Attempt": _of_attempt,
    "Build": _of_build,
    "BuildEvent": _within(
        lambda rows, event: {
            "KIND": [(event.kind,)],
            "ERROR_GROUP": [_error(rows, event)],
            "ERROR_CLASS": [(event.error_class,)],
            "BLAME": [(event.blame,)],
            "ROLE": [(event.role,)],
            "TOOL": [(event.tool,)],
            "SOURCE_FILE": [(event.source_file,)],
        }
    ),
    "BuildPhase": _within(
        lambda rows, phase: {
            "NAME": [(phase.name,)],
            "STATUS": [(fields.value(rows, "BuildPhase", "status", phase),)],
        }
    ),
    "Dependency": _of_edge,
    "InstallFile": lambda rows, file: {
        "TYPE": [(file.type,)],
        "PATH": [(file.path,)],
        "HASH": [(file.hash,)],
    },
    "Spec": _of_spec,
}
