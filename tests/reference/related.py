"""Which rows each row leads to, said in Python: one other, or several in whatever order."""

from collections.abc import Callable, Iterable
from typing import Any

from spackmon import models
from tests.reference import advisories, errors, failures
from tests.reference.rows import Rows
from tests.reference.walks import above

MODELS: dict[str, Any] = {
    "Advisory": models.Advisory,
    "Analysis": models.Analysis,
    "AnalysisResult": models.Attribute,
    "Architecture": models.Architecture,
    "Buildcache": models.Buildcache,
    "BuildcacheEntry": models.BuildcacheEntry,
    "Attempt": models.Attempt,
    "Build": models.Build,
    "BuildEnvironment": models.BuildEnvironment,
    "BuildEvent": models.BuildEvent,
    "BuildPhase": models.Phase,
    "CiJob": models.CiJob,
    "CiRun": models.CiRun,
    "Claim": models.Claim,
    "Compiler": models.Compiler,
    "ConcretizationFailure": models.ConcretizationFailure,
    "Dependency": models.Dependency,
    "EarlierResult": models.EarlierAttribute,
    "EnvironmentVariable": models.EnvironmentVariable,
    "ErrorGroup": models.ErrorGroup,
    "ErrorGroupRuling": models.ErrorGroupRuling,
    "InstallFile": models.InstallFile,
    "LockFile": models.LockFile,
    "LockFileRoot": models.LockFileRoot,
    "LogEvent": models.LogEvent,
    "NotificationChannel": models.NotificationChannel,
    "NotificationDelivery": models.NotificationDelivery,
    "NotificationRule": models.NotificationRule,
    "Package": models.Package,
    "PackageVersion": models.PackageVersion,
    "Person": models.Person,
    "SpackEnvironment": models.SpackEnvironment,
    "Spec": models.Spec,
    "SpecCompiler": models.SpecCompiler,
    "SpecHash": models.SpecHash,
    "Tag": models.Tag,
    "Target": models.Target,
    "TransitiveDependency": models.Closure,
}
"""The tables behind the types whose objects are rows."""

Related = Callable[[Rows, Any], Iterable[Any]]


def _to(model: Any, *keys: str) -> Callable[[Rows, Any], Any]:
    """The row at the end of foreign keys; `model` is the last one's table."""
    tables = {
        "analysis_id": models.Analysis, "claim_id": models.Claim, "attempt_id": models.Attempt,
        "build_id": models.Build, "spec_id": models.Spec,
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


def root_event(rows: Rows, attempt: Any) -> Any:
    """The error of a run to read first, or None."""
    events = rows.by(models.BuildEvent, "attempt_id", attempt.id)
    return next((event for event in events if event.is_first), None)


def _phase_of(rows: Rows, event: Any) -> Any:
    found = rows.get(models.LogEvent, event.log_event_id)
    phases = [] if found is None else rows.by(models.Phase, "attempt_id", event.attempt_id)
    of_log = [phase for phase in phases if phase.log_id == found.log_id]
    return min(of_log, key=lambda phase: (phase.position, phase.id), default=None)


def ci_run(rows: Rows, attempt: Any) -> Any:
    """The CI run that a run was part of, or None."""
    job = rows.get(models.CiJob, attempt.ci_job_id)
    return None if job is None else rows.get(models.CiRun, job.ci_run_id)


def _attempts_of_ci_run(rows: Rows, run: Any) -> list[Any]:
    jobs = rows.by(models.CiJob, "ci_run_id", run.id)
    return [attempt for job in jobs for attempt in rows.by(models.Attempt, "ci_job_id", job.id)]


def _builds_of_ci_run(rows: Rows, run: Any) -> list[Any]:
    ids = {attempt.build_id for attempt in _attempts_of_ci_run(rows, run)}
    return [rows.get(models.Build, build_id) for build_id in ids]


def _roots_of_ci_run(rows: Rows, run: Any) -> list[Any]:
    attempts = _attempts_of_ci_run(rows, run)
    last = {one.build_id: one for one in sorted(attempts, key=lambda one: one.number)}
    specs = {rows.get(models.Build, build_id).spec_id for build_id in last} - {None}
    below = {edge.descendant_id for spec in specs for edge in rows.by(models.Closure, "ancestor_id", spec)}
    return [one for one in last.values() if rows.get(models.Build, one.build_id).spec_id not in below]


package_of = _to(models.Package, "package_version_id", "package_id")
version_of = _to(models.PackageVersion, "package_version_id")

# One other row.
TO_ONE: dict[tuple[str, str], Callable[[Rows, Any], Any]] = {
    ("Analysis", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Analysis", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("AnalysisResult", "analysis"): _to(models.Analysis, "analysis_id"),
    ("AnalysisResult", "reportedBy"): _to(models.Person, "analysis_id", "claim_id", "owner_id"),
    ("AnalysisResult", "attempt"): _to(models.Attempt, "attempt_id"),
    ("AnalysisResult", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("AnalysisResult", "installFile"): _to(models.InstallFile, "install_file_id"),
    ("Architecture", "target"): _to(models.Target, "target_id"),
    ("Attempt", "build"): _to(models.Build, "build_id"),
    ("Attempt", "ciJob"): _to(models.CiJob, "ci_job_id"),
    ("Attempt", "ciRun"): ci_run,
    ("Attempt", "firstErrorGroup"): errors.first_error_group,
    ("Attempt", "rootEvent"): root_event,
    ("Attempt", "rootFailure"): failures.root_failure_of_run,
    ("Attempt", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Build", "ciRun"): lambda rows, build: ci_run(rows, newest_attempt(rows, build)),
    ("CiJob", "ciRun"): _to(models.CiRun, "ci_run_id"),
    ("Build", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Build", "lastSuccess"): failures.last_success,
    ("Build", "firstErrorGroup"): lambda rows, build: errors.first_error_group(
        rows, newest_attempt(rows, build)
    ),
    ("Build", "owner"): _to(models.Person, "owner_id"),
    ("Build", "package"): _to(models.Package, "package_id"),
    ("Build", "rootFailure"): failures.root_failure,
    ("Build", "spec"): _to(models.Spec, "spec_id"),
    ("Buildcache", "owner"): _to(models.Person, "owner_id"),
    ("BuildcacheEntry", "buildcache"): _to(models.Buildcache, "buildcache_id"),
    ("BuildcacheEntry", "spec"): _to(models.Spec, "spec_id"),
    ("BuildEvent", "attempt"): _to(models.Attempt, "attempt_id"),
    ("BuildEvent", "errorGroup"): _to(models.ErrorGroup, "error_group_id"),
    ("BuildEvent", "phase"): _phase_of,
    ("BuildPhase", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Claim", "attempt"): _to(models.Attempt, "attempt_id"),
    ("Claim", "build"): _to(models.Build, "attempt_id", "build_id"),
    ("Claim", "environment"): _to(models.BuildEnvironment, "environment_id"),
    ("Claim", "owner"): _to(models.Person, "owner_id"),
    ("ConcretizationFailure", "owner"): _to(models.Person, "owner_id"),
    ("ConcretizationFailure", "package"): _to(models.Package, "package_id"),
    ("Dependency", "child"): _to(models.Spec, "child_id"),
    ("Dependency", "parent"): _to(models.Spec, "parent_id"),
    ("ErrorGroup", "mergedInto"): _to(models.ErrorGroup, "merged_into_id"),
    ("ErrorGroupRuling", "errorGroup"): _to(models.ErrorGroup, "error_group_id"),
    ("ErrorGroupRuling", "person"): _to(models.Person, "person_id"),
    ("LockFile", "environment"): _to(models.SpackEnvironment, "environment_id"),
    ("LockFileRoot", "lockFile"): _to(models.LockFile, "lock_file_id"),
    ("LockFileRoot", "spec"): _to(models.Spec, "spec_id"),
    ("NotificationChannel", "rule"): _to(models.NotificationRule, "rule_id"),
    ("NotificationDelivery", "channel"): _to(models.NotificationChannel, "channel_id"),
    ("NotificationRule", "owner"): _to(models.Person, "owner_id"),
    ("SpackEnvironment", "owner"): _to(models.Person, "owner_id"),
    ("PackageVersion", "package"): _to(models.Package, "package_id"),
    ("Spec", "buildSpec"): _build_spec,
    ("Spec", "architecture"): _to(models.Architecture, "architecture_id"),
    ("Spec", "compiler"): _to(models.Compiler, "compiler_id"),
    ("SpecCompiler", "compiler"): _to(models.Compiler, "compiler_id"),
    ("TransitiveDependency", "child"): _to(models.Spec, "descendant_id"),
    ("TransitiveDependency", "parent"): _to(models.Spec, "ancestor_id"),
    ("Spec", "package"): package_of,
    ("Spec", "packageVersion"): version_of,
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


def _available(rows: Rows, spec: Any) -> list[Any]:
    entries = [] if spec is None else rows.by(models.BuildcacheEntry, "spec_id", spec.id)
    return [
        one
        for one in entries
        if one.stated_hash is None and one.has_spec_file is not False and one.has_archive is not False
    ]


# Several rows: the elements of a list or of a connection, whatever its order.
TO_MANY: dict[tuple[str, str], Related] = {
    **advisories.TO_MANY,
    ("Analysis", "earlierResults"): _each(models.EarlierAttribute, "analysis_id"),
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
    ("CiJob", "attempts"): _each(models.Attempt, "ci_job_id"),
    ("CiRun", "attempts"): _attempts_of_ci_run,
    ("CiRun", "builds"): _builds_of_ci_run,
    ("CiRun", "jobs"): _each(models.CiJob, "ci_run_id"),
    ("CiRun", "roots"): _roots_of_ci_run,
    ("BuildPhase", "logEvents"): _same(models.LogEvent, "log_id"),
    ("LogEvent", "phases"): _same(models.Phase, "log_id"),
    ("Compiler", "specs"): _compiled,
    ("ErrorGroup", "builds"): errors.builds_of_group,
    ("ErrorGroup", "events"): _each(models.BuildEvent, "error_group_id"),
    ("ErrorGroup", "rulings"): _each(models.ErrorGroupRuling, "error_group_id"),
    ("InstallFile", "analysisResults"): _each(models.Attribute, "install_file_id"),
    ("InstallFile", "copies"): _same(models.InstallFile, "hash"),
    ("InstallFile", "attempts"): _same(models.Attempt, "manifest_id"),
    ("InstallFile", "builds"): _same(models.Build, "manifest_id"),
    ("Buildcache", "entries"): _each(models.BuildcacheEntry, "buildcache_id"),
    ("Spec", "availableIn"): _available,
    ("Spec", "buildcacheEntries"): _each(models.BuildcacheEntry, "spec_id"),
    ("LockFile", "roots"): _each(models.LockFileRoot, "lock_file_id"),
    ("SpackEnvironment", "lockFiles"): _each(models.LockFile, "environment_id"),
    ("NotificationChannel", "deliveries"): _each(models.NotificationDelivery, "channel_id"),
    ("NotificationRule", "channels"): _each(models.NotificationChannel, "rule_id"),
    ("NotificationRule", "deliveries"): lambda rows, rule: (
        message
        for channel in rows.by(models.NotificationChannel, "rule_id", rule.id)
        for message in rows.by(models.NotificationDelivery, "channel_id", channel.id)
    ),
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

# What filters alone know.
FILTERED_TO_ANY: dict[tuple[str, str], Related] = {("Spec", "compiler"): _compilers}

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
