"""What each field of each type is, said in Python: from a row to a value, another row, or several.

A field that is not named here is the column of its name in the row's own table.
"""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import inspect

from spackmon import models
from spackmon.graph.spec import Deptype
from spackmon.graph.spec_text import FLAG_NAMES
from tests.reference import errors, failures
from tests.reference.rows import Rows
from tests.reference.walks import above

MODELS: dict[str, Any] = {
    "Analysis": models.Analysis,
    "AnalysisResult": models.Attribute,
    "Architecture": models.Architecture,
    "Attempt": models.Attempt,
    "Build": models.Build,
    "BuildEnvironment": models.BuildEnvironment,
    "BuildEvent": models.BuildEvent,
    "BuildPhase": models.Phase,
    "Claim": models.Claim,
    "Compiler": models.Compiler,
    "ConcretizationFailure": models.ConcretizationFailure,
    "Dependency": models.Dependency,
    "EnvironmentVariable": models.EnvironmentVariable,
    "ErrorGroup": models.ErrorGroup,
    "InstallFile": models.InstallFile,
    "LogEvent": models.LogEvent,
    "Package": models.Package,
    "PackageVersion": models.PackageVersion,
    "Person": models.Person,
    "Spec": models.Spec,
    "SpecCompiler": models.SpecCompiler,
    "SpecHash": models.SpecHash,
    "Tag": models.Tag,
    "Target": models.Target,
    "TransitiveDependency": models.Closure,
}
"""The tables behind the types whose objects are rows."""

JSON_COLUMNS = {
    ("AnalysisResult", "jsonValue"), ("ConcretizationFailure", "document"), ("Dependency", "virtuals"),
    ("Spec", "external"), ("Target", "features"), ("Target", "parents"),
}  # fmt: skip

Arguments = dict[str, Any]
Related = Callable[[Rows, Any], Iterable[Any]]


def moment(value: datetime) -> str:
    """A moment as answers show it; of two, the later one is the greater text."""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _to(model: Any, *keys: str) -> Callable[[Rows, Any], Any]:
    """The row at the end of foreign keys; `model` is the last one's table."""
    tables = {
        "analysis_id": models.Analysis, "attempt_id": models.Attempt, "build_id": models.Build,
        "spec_id": models.Spec,
        "package_version_id": models.PackageVersion,
    }  # fmt: skip

    def follow(rows: Rows, row: Any) -> Any:
        for key in keys[:-1]:
            row = rows.get(tables[key], getattr(row, key))
        return rows.get(model, getattr(row, keys[-1]))

    return follow


def _build_spec(rows: Rows, spec: Any) -> Any:
    shown = [] if spec.built_as is None else rows.by(models.SpecHash, "value", spec.built_as)

    def order(one: Any) -> Any:
        named = rows.get(models.Spec, one.spec_id)
        return (one.value, one.kind) != (named.hash, named.hash_kind), named.hash, named.hash_kind

    return rows.get(models.Spec, min(shown, key=order).spec_id) if shown else None


def _root_event(rows: Rows, attempt: Any) -> Any:
    phases = rows.by(models.Phase, "attempt_id", attempt.id)
    for phase in sorted(phases, key=lambda phase: (phase.position, phase.id)):
        events = [] if phase.log_id is None else rows.by(models.LogEvent, "log_id", phase.log_id)
        first = next((event for event in events if event.is_first), None)
        if phase.status == "ERROR" and first is not None:
            return first
    return None


_package_of = _to(models.Package, "package_version_id", "package_id")
_version_of = _to(models.PackageVersion, "package_version_id")

# One other row.
TO_ONE: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("Analysis", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Analysis", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("AnalysisResult", "analysis"): _to(models.Analysis, "analysis_id"),
    ("AnalysisResult", "attempt"): _to(models.Attempt, "attempt_id"),
    ("AnalysisResult", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("AnalysisResult", "installFile"): _to(models.InstallFile, "install_file_id"),
    ("Architecture", "target"): _to(models.Target, "target_id"),
    ("Attempt", "build"): _to(models.Build, "build_id"),
    ("Attempt", "firstErrorGroup"): errors.first_error_group,
    ("Attempt", "rootEvent"): _root_event,
    ("Attempt", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Build", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Build", "lastSuccess"): failures.last_success,
    ("Build", "firstErrorGroup"): lambda rows, build: errors.first_error_group(
        rows, newest_attempt(rows, build)
    ),
    ("Build", "owner"): _to(models.Person, "owner_id"),
    ("Build", "package"): _to(models.Package, "package_id"),
    ("Build", "rootFailure"): failures.root_failure,
    ("Build", "spec"): _to(models.Spec, "spec_id"),
    ("BuildEvent", "attempt"): _to(models.Attempt, "attempt_id"),
    ("BuildEvent", "errorGroup"): _to(models.ErrorGroup, "error_group_id"),
    ("BuildPhase", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Claim", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Claim", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("Claim", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Claim", "owner"): _to(models.Person, "owner_id"),
    ("ConcretizationFailure", "owner"): _to(models.Person, "owner_id"),
    ("ConcretizationFailure", "package"): _to(models.Package, "package_id"),
    ("Dependency", "child"): _to(models.Spec, "child_id"),
    ("Dependency", "parent"): _to(models.Spec, "parent_id"),
    ("PackageVersion", "package"): _to(models.Package, "package_id"),
    ("Spec", "buildSpec"): _build_spec,
    ("Spec", "architecture"): _to(models.Architecture, "architecture_id"),
    ("Spec", "compiler"): _to(models.Compiler, "compiler_id"),
    ("SpecCompiler", "compiler"): _to(models.Compiler, "compiler_id"),
    ("TransitiveDependency", "child"): _to(models.Spec, "descendant_id"),
    ("TransitiveDependency", "parent"): _to(models.Spec, "ancestor_id"),
    ("Spec", "package"): _package_of,
    ("Spec", "packageVersion"): _version_of,
}


def _each(model: Any, key: str) -> Related:
    return lambda rows, row: rows.by(model, key, row.id)


def _specs_of_package(rows: Rows, package: Any) -> list[Any]:
    versions = rows.by(models.PackageVersion, "package_id", package.id)
    return [spec for version in versions for spec in rows.by(models.Spec, "package_version_id", version.id)]


def _compiled(rows: Rows, compiler: Any) -> list[Any]:
    ids = {one.spec_id for one in rows.by(models.SpecCompiler, "compiler_id", compiler.id)}
    return [rows.get(models.Spec, spec_id) for spec_id in ids]


def _compilers(rows: Rows, spec: Any) -> list[Any]:
    ids = {one.compiler_id for one in rows.by(models.SpecCompiler, "spec_id", spec.id)}
    return [rows.get(models.Compiler, compiler_id) for compiler_id in ids]


def _results_of_spec(rows: Rows, spec: Any) -> list[Any]:
    builds = rows.by(models.Build, "spec_id", spec.id)
    attempts = [attempt for build in builds for attempt in rows.by(models.Attempt, "build_id", build.id)]
    return [one for attempt in attempts for one in rows.by(models.Attribute, "attempt_id", attempt.id)]


def _claims_of_build(rows: Rows, build: Any) -> list[Any]:
    attempts = rows.by(models.Attempt, "build_id", build.id)
    return [claim for attempt in attempts for claim in rows.by(models.Claim, "attempt_id", attempt.id)]


def _same(model: Any, key: str) -> Related:
    """The rows that refer to what the row refers to."""

    def related(rows: Rows, row: Any) -> list[Any]:
        content_id = getattr(row, key)
        return [] if content_id is None else rows.by(model, key, content_id)

    return related


def _tags(rows: Rows, attempt: Any) -> list[Any]:
    return [tag for tag in rows.all(models.Tag) if tag.id in rows.tags_of_attempts[attempt.id]]


def newest_attempt(rows: Rows, build: Any) -> Any:
    """The build's last run; one that was announced and has not begun is none, unless there is no other."""
    attempts = rows.by(models.Attempt, "build_id", build.id)
    begun = [attempt for attempt in attempts if attempt.status != "NOTRUN"]
    return max(begun or attempts, key=lambda attempt: int(attempt.number))


def _of_newest_attempt(model: Any) -> Related:
    return lambda rows, build: rows.by(model, "attempt_id", newest_attempt(rows, build).id)


# Several rows: the elements of a list or of a connection, whatever its order.
TO_MANY: dict[tuple[str, str], Related] = {
    ("Analysis", "results"): _each(models.Attribute, "analysis_id"),
    ("Architecture", "specs"): _each(models.Spec, "architecture_id"),
    ("Attempt", "events"): _each(models.BuildEvent, "attempt_id"),
    ("Attempt", "phases"): _each(models.Phase, "attempt_id"),
    ("Attempt", "analyses"): _each(models.Analysis, "attempt_id"),
    ("Attempt", "environmentVariables"): _same(models.EnvironmentVariable, "environment_set_id"),
    ("Attempt", "installFiles"): _same(models.InstallFile, "manifest_id"),
    ("Attempt", "sources"): _each(models.Claim, "attempt_id"),
    ("Attempt", "tags"): _tags,
    ("Build", "analyses"): _of_newest_attempt(models.Analysis),
    ("Build", "analysisResults"): _of_newest_attempt(models.Attribute),
    ("Build", "attempts"): _each(models.Attempt, "build_id"),
    ("Build", "environmentVariables"): _same(models.EnvironmentVariable, "environment_set_id"),
    ("Build", "events"): _of_newest_attempt(models.BuildEvent),
    ("Build", "installFiles"): _same(models.InstallFile, "manifest_id"),
    ("Build", "phases"): _of_newest_attempt(models.Phase),
    ("Build", "sources"): _claims_of_build,
    ("Build", "tags"): lambda rows, build: _tags(rows, newest_attempt(rows, build)),
    ("BuildEnvironment", "builds"): _each(models.Build, "environment_id"),
    ("BuildPhase", "logEvents"): _same(models.LogEvent, "log_id"),
    ("LogEvent", "phases"): _same(models.Phase, "log_id"),
    ("Compiler", "specs"): _compiled,
    ("ErrorGroup", "builds"): errors.builds_of_group,
    ("ErrorGroup", "events"): _each(models.BuildEvent, "error_group_id"),
    ("InstallFile", "analysisResults"): _each(models.Attribute, "install_file_id"),
    ("InstallFile", "attempts"): _same(models.Attempt, "manifest_id"),
    ("InstallFile", "builds"): _same(models.Build, "manifest_id"),
    ("Package", "builds"): _each(models.Build, "package_id"),
    ("Package", "concretizationFailures"): _each(models.ConcretizationFailure, "package_id"),
    ("Package", "specs"): _specs_of_package,
    ("Package", "versions"): _each(models.PackageVersion, "package_id"),
    ("PackageVersion", "specs"): _each(models.Spec, "package_version_id"),
    ("Person", "builds"): _each(models.Build, "owner_id"),
    ("Spec", "analysisResults"): _results_of_spec,
    ("Spec", "builds"): _each(models.Build, "spec_id"),
    ("Spec", "compilers"): _each(models.SpecCompiler, "spec_id"),
    ("Spec", "dependencies"): _each(models.Dependency, "parent_id"),
    ("Spec", "allDependents"): lambda rows, spec: above(rows, spec.id),
    ("Spec", "dependents"): _each(models.Dependency, "child_id"),
    ("Spec", "transitiveDependencies"): _each(models.Closure, "ancestor_id"),
    ("Spec", "transitiveDependents"): _each(models.Closure, "descendant_id"),
    ("Spec", "hashes"): _each(models.SpecHash, "spec_id"),
    ("Spec", "splicedSpecs"): lambda rows, spec: (
        one for one in rows.all(models.Spec) if _build_spec(rows, one) is spec
    ),
    ("Tag", "builds"): lambda rows, tag: (
        build
        for build in rows.all(models.Build)
        if tag.id in rows.tags_of_attempts[newest_attempt(rows, build).id]
    ),
    ("Target", "architectures"): _each(models.Architecture, "target_id"),
}


class Element(NamedTuple):
    """An element of a variant or of flags; `value` is ABSENT for a variant that has none."""

    name: str
    value: Any


ABSENT = object()


def _parameters(rows: Rows, spec: Any) -> list[Element]:
    found = []
    for name, value in VALUES["Spec", "parameters"](rows, spec).items():
        if isinstance(value, str) and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        found += [Element(name, one) for one in (value if isinstance(value, list) else [value])]
        if value == [] and name not in FLAG_NAMES:
            found.append(Element(name, ABSENT))
    return found


# What filters alone know.
FILTERED_TO_ANY: dict[tuple[str, str], Related] = {("Spec", "compiler"): _compilers}
FILTERED_TO_MANY: dict[tuple[str, str], Related] = {
    ("Spec", "parameters"): _parameters,
}

# The order of what is a list, not a connection.
LIST_ORDER: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("Attempt", "analyses"): lambda rows, analysis: analysis.analyzer,
    ("Attempt", "environmentVariables"): lambda rows, variable: variable.name,
    ("Attempt", "sources"): lambda rows, source: (source.first_reported_at, source.id),
    ("Build", "analyses"): lambda rows, analysis: analysis.analyzer,
    ("Build", "environmentVariables"): lambda rows, variable: variable.name,
    ("Build", "sources"): lambda rows, source: (source.first_reported_at, source.id),
    ("Spec", "compilers"): lambda rows, one: (
        one.language, rows.get(models.Compiler, one.compiler_id).name,
        rows.get(models.Compiler, one.compiler_id).version_key,
    ),
    ("Spec", "hashes"): lambda rows, one: (one.kind, one.value),
}  # fmt: skip


def _document(rows: Rows, spec: Any) -> Any:
    documents = rows.by(models.SpecDocument, "spec_id", spec.id)

    def first(one: Any) -> Any:
        return one.format_version, -len(one.document), bytes(one.digest)

    return json.loads(min(documents, key=first).document)


def _events(attempt_of: Callable[[Rows, Any], Any], kind: str) -> Callable[[Rows, Any], int]:
    def count(rows: Rows, row: Any) -> int:
        events = rows.by(models.BuildEvent, "attempt_id", attempt_of(rows, row).id)
        return sum(event.kind == kind for event in events)

    return count


def _itself(rows: Rows, row: Any) -> Any:
    return row


def _seen(choose: Callable[..., Any]) -> Callable[[Rows, Any], str | None]:
    def seen(rows: Rows, group: Any) -> str | None:
        attempts = errors.attempts_of_group(rows, group)
        began = [moment(attempt.started_at) for attempt in attempts if attempt.started_at is not None]
        return choose(began, default=None)

    return seen


def _installed_bytes(rows: Rows, run: Any) -> int | None:
    if run.manifest_id is None:
        return None
    return sum(file.size_bytes or 0 for file in rows.by(models.InstallFile, "manifest_id", run.manifest_id))


# Values that are not a column of the row.
VALUES: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("AnalysisResult", "analyzer"): lambda rows, result: (
        rows.get(models.Analysis, result.analysis_id).analyzer
    ),
    ("Attempt", "errorCount"): _events(_itself, "ERROR"),
    ("Attempt", "warningCount"): _events(_itself, "WARNING"),
    ("Build", "errorCount"): _events(newest_attempt, "ERROR"),
    ("Build", "id"): lambda rows, build: str(build.id),
    ("Build", "warningCount"): _events(newest_attempt, "WARNING"),
    ("BuildPhase", "reportedStatus"): lambda rows, phase: phase.status,
    ("BuildPhase", "status"): lambda rows, phase: (
        phase.status if phase.status in ("SUCCESS", "ERROR") else "OTHER"
    ),
    ("Dependency", "deptypes"): lambda rows, edge: [
        one.name for one in Deptype if one & edge.deptypes and one.name
    ],
    ("Attempt", "installedBytes"): _installed_bytes,
    ("Build", "installedBytes"): _installed_bytes,
    ("Spec", "buildSpecHash"): lambda rows, spec: spec.built_as,
    ("Spec", "externalPath"): lambda rows, spec: json.loads(spec.external or "{}").get("path"),
    ("Spec", "dependentCount"): lambda rows, spec: len(rows.by(models.Closure, "descendant_id", spec.id)),
    ("ErrorGroup", "buildCount"): lambda rows, group: len(errors.builds_of_group(rows, group)),
    ("ErrorGroup", "eventCount"): lambda rows, group: len(errors.attempts_of_group(rows, group)),
    ("ErrorGroup", "runCount"): lambda rows, group: len(set(errors.attempts_of_group(rows, group))),
    ("ErrorGroup", "firstSeen"): _seen(min),
    ("ErrorGroup", "lastSeen"): _seen(max),
    ("Parameter", "name"): lambda rows, element: element.name,
    ("Parameter", "value"): lambda rows, element: element.value,
    ("Log", "base64"): lambda _, log: log.base64(),
    ("Log", "digest"): lambda _, log: log.row.digest.hex(),
    ("Log", "lineCount"): lambda _, log: log.count,
    ("Log", "plainText"): lambda _, log: log.plain_text(),
    ("Log", "sizeBytes"): lambda _, log: log.row.size_bytes,
    # The site's logs are shorter than a tail may be.
    ("Log", "tail"): lambda _, log: log.whole.decode("utf-8", "replace"),
    ("Log", "text"): lambda _, log: log.text(),
    ("Spec", "document"): _document,
    ("Spec", "name"): lambda rows, spec: _package_of(rows, spec).name,
    ("Spec", "parameters"): lambda rows, spec: json.loads(
        rows.get(models.ParameterSet, spec.parameter_set_id).document
    ),
    ("Spec", "version"): lambda rows, spec: _version_of(rows, spec).version,
}  # fmt: skip


def snake(name: str) -> str:
    """A field's name as columns are named."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def is_value(type_name: str, field: str) -> bool:
    """Whether `value` knows this field."""
    if (type_name, field) in VALUES:
        return True
    model = MODELS.get(type_name)
    return model is not None and snake(field) in inspect(model).column_attrs


def value(rows: Rows, type_name: str, field: str, row: Any) -> Any:
    """A field that is neither a row nor several, as an answer shows it."""
    special = VALUES.get((type_name, field))
    if special is not None:
        return special(rows, row)
    if field == "id":
        return f"{type_name}:{row.id}"
    found = getattr(row, snake(field))
    if found is not None and (type_name, field) in JSON_COLUMNS:
        return json.loads(found)
    if isinstance(found, datetime):
        return moment(found)
    return found.hex() if isinstance(found, bytes) else found
