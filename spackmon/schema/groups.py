"""Counting and grouping: connections that group their rows, and tables of counts."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.groups import group_keys as keys
from spackmon.query.groups.aggregates import aggregate, labels
from spackmon.query.groups.group_keys import through, value_of
from spackmon.query.groups.tabulating import cells, counted_in_cell
from spackmon.query.rows.events import error_news
from spackmon.query.rows.relations import attempt_id, newest_attempt_id
from spackmon.query.speclang.expressions import phase_status
from spackmon.query.sql.scope import Attribute
from spackmon.schema.connection import Connection
from spackmon.schema.grouping import GroupKey, groups, key_enum
from spackmon.schema.noun import object_type
from spackmon.schema.status import (
    Blame,
    BuildStatus,
    ErrorNews,
    EventKind,
    EventRole,
    InstalledFrom,
    PhaseStatus,
)

if TYPE_CHECKING:
    from spackmon.schema.attempt import Attempt, BuildPhase
    from spackmon.schema.build import Build
    from spackmon.schema.concretization import ConcretizationFailure
    from spackmon.schema.dependency import Dependency
    from spackmon.schema.event import BuildEvent
    from spackmon.schema.install_file import InstallFile
    from spackmon.schema.spec import Spec

_Attempt = Annotated["Attempt", strawberry.lazy("spackmon.schema.attempt")]
_Build = Annotated["Build", strawberry.lazy("spackmon.schema.build")]
_BuildEvent = Annotated["BuildEvent", strawberry.lazy("spackmon.schema.event")]
_BuildPhase = Annotated["BuildPhase", strawberry.lazy("spackmon.schema.attempt")]
_ConcretizationFailure = Annotated["ConcretizationFailure", strawberry.lazy("spackmon.schema.concretization")]
_Dependency = Annotated["Dependency", strawberry.lazy("spackmon.schema.dependency")]
_InstallFile = Annotated["InstallFile", strawberry.lazy("spackmon.schema.install_file")]
_Spec = Annotated["Spec", strawberry.lazy("spackmon.schema.spec")]


_SPEC_KEYS = {
    "PACKAGE": GroupKey(keys.package_name, "The package's name."),
    "VERSION": GroupKey(keys.version, "The package's version."),
    "COMPILER": GroupKey(
        keys.compiler,
        "The compiler, as `gcc@12.2.0`: the one that a document names (before spec format v5), otherwise "
        "that of C, without one that of C++, else that of Fortran.",
    ),
    "TARGET": GroupKey(
        value_of(models.Spec.architecture_id, models.Architecture.target_id, models.Target.name),
        "The microarchitecture that the spec is built for.",
    ),
    "OS": GroupKey(
        value_of(models.Spec.architecture_id, models.Architecture.operating_system),
        "The operating system that the spec is built for.",
    ),
    "PARAMETER": GroupKey(
        keys.parameter,
        "An element of a variant or of compiler flags, as `mpi=true`; what has several counts once for each.",
    ),
    "VIRTUAL": GroupKey(
        keys.virtual,
        "A virtual that a direct dependency provides, as `mpi`; what has several counts once for each.",
    ),
}
_RUN = {
    "STATUS": "Its status.",
    "TAG": "A tag of the run; what has several counts once for each.",
    "OWNER": "Who reports it.",
    "DAY": "The day (UTC) on which the run began, as `2026-03-01`.",
    "WEEK": "The ISO week (UTC) in which the run began, as `2026-W09`.",
    "MONTH": "The month (UTC) in which the run began, as `2026-03`.",
    "INSTALLED_FROM": "Where the files that the run installed came from.",
    "HOSTNAME": "The machine's name.",
    "ERROR_GROUP": "The run's first error: the text of its group.",
    "ERROR_CLASS": "The class of the run's error to read first.",
    "BLAME": "Whom that class concerns.",
    "FAILED_PHASE": "The run's first phase that failed.",
    "PACKAGE": "The package's name.",
    "SPEC": "The spec's hash.",
}
_FINGERPRINT = "error_fingerprint", "0", "The fingerprint of that group, to ask `errorGroup` for."
_OWNER = models.Build.owner_id, models.Person.name


def _keys_of_spec(*path: Attribute) -> dict[str, GroupKey]:
    """The keys of the spec that foreign keys lead to."""
    found = dict(_SPEC_KEYS)
    for key in reversed(path):
        found = {name: GroupKey(through(key, one.columns), one.description) for name, one in found.items()}
    return found


_BUILD_KEYS = {
    **_keys_of_spec(models.Build.spec_id),
    "PACKAGE": GroupKey(value_of(models.Build.package_id, models.Package.name), _RUN["PACKAGE"]),
    "SPEC": GroupKey(value_of(models.Build.spec_id, models.Spec.hash), _RUN["SPEC"]),
    "STATUS": GroupKey(value_of(models.Build.status), _RUN["STATUS"], BuildStatus),
    "TAG": GroupKey(keys.tag(models.Build.tag_set_id), _RUN["TAG"]),
    "OWNER": GroupKey(value_of(*_OWNER), _RUN["OWNER"]),
    "DAY": GroupKey(keys.day(models.Build.started_at), _RUN["DAY"]),
    "WEEK": GroupKey(keys.week(models.Build.started_at), _RUN["WEEK"]),
    "MONTH": GroupKey(keys.month(models.Build.started_at), _RUN["MONTH"]),
    "INSTALLED_FROM": GroupKey(value_of(models.Build.installed_from), _RUN["INSTALLED_FROM"], InstalledFrom),
    "HOSTNAME": GroupKey(
        value_of(models.Build.environment_id, models.BuildEnvironment.hostname), _RUN["HOSTNAME"]
    ),
    "ERROR_GROUP": GroupKey(keys.error_group, _RUN["ERROR_GROUP"], details=(_FINGERPRINT,)),
    "ERROR_CLASS": GroupKey(
        keys.root_fact(newest_attempt_id, models.BuildEvent.error_class), _RUN["ERROR_CLASS"]
    ),
    "BLAME": GroupKey(keys.root_fact(newest_attempt_id, models.BuildEvent.blame), _RUN["BLAME"], Blame),
    "FAILED_PHASE": GroupKey(keys.failed_phase(newest_attempt_id), _RUN["FAILED_PHASE"]),
}
BuildGroupKey = key_enum("BuildGroupKey", "builds", _BUILD_KEYS)

_ATTEMPT_KEYS = {
    **_keys_of_spec(models.Attempt.build_id, models.Build.spec_id),
    "PACKAGE": GroupKey(
        value_of(models.Attempt.build_id, models.Build.package_id, models.Package.name), _RUN["PACKAGE"]
    ),
    "SPEC": GroupKey(value_of(models.Attempt.build_id, models.Build.spec_id, models.Spec.hash), _RUN["SPEC"]),
    "STATUS": GroupKey(value_of(models.Attempt.status), _RUN["STATUS"], BuildStatus),
    "TAG": GroupKey(keys.tag(models.Attempt.tag_set_id), _RUN["TAG"]),
    "OWNER": GroupKey(value_of(models.Attempt.build_id, *_OWNER), _RUN["OWNER"]),
    "DAY": GroupKey(keys.day(models.Attempt.started_at), _RUN["DAY"]),
    "WEEK": GroupKey(keys.week(models.Attempt.started_at), _RUN["WEEK"]),
    "MONTH": GroupKey(keys.month(models.Attempt.started_at), _RUN["MONTH"]),
    "INSTALLED_FROM": GroupKey(
        value_of(models.Attempt.installed_from), _RUN["INSTALLED_FROM"], InstalledFrom
    ),
    "HOSTNAME": GroupKey(
        value_of(models.Attempt.environment_id, models.BuildEnvironment.hostname), _RUN["HOSTNAME"]
    ),
    "SPACK_VERSION": GroupKey(value_of(models.Attempt.spack_version), "The Spack that ran it."),
    "ERROR_GROUP": GroupKey(keys.error_group, _RUN["ERROR_GROUP"], details=(_FINGERPRINT,)),
    "ERROR_CLASS": GroupKey(keys.root_fact(attempt_id, models.BuildEvent.error_class), _RUN["ERROR_CLASS"]),
    "BLAME": GroupKey(keys.root_fact(attempt_id, models.BuildEvent.blame), _RUN["BLAME"], Blame),
    "ERROR_NEWS": GroupKey(
        lambda attempt, _: [error_news(attempt)],
        "Whether the run's error to read first was there before.",
        ErrorNews,
    ),
    "FAILED_PHASE": GroupKey(keys.failed_phase(attempt_id), _RUN["FAILED_PHASE"]),
}


def _keys_of_run(attempt: Attribute) -> dict[str, GroupKey]:
    """The keys of the run that something is part of, but for what only runs as a whole have."""
    names = ("PACKAGE", "VERSION", "COMPILER", "TAG", "OWNER", "DAY", "WEEK", "MONTH", "HOSTNAME")
    return {
        name: GroupKey(through(attempt, _ATTEMPT_KEYS[name].columns), _ATTEMPT_KEYS[name].description)
        for name in names
    }


_PHASE_KEYS = {
    "NAME": GroupKey(value_of(models.Phase.kind_id, models.PhaseKind.name), "The phase's name."),
    "STATUS": GroupKey(lambda phase, _: [phase_status(phase)], "How it ended.", PhaseStatus),
    **_keys_of_run(models.Phase.attempt_id),
}
_EVENT_KEYS = {
    "KIND": GroupKey(value_of(models.BuildEvent.kind), "Whether they are errors or warnings.", EventKind),
    "ERROR_GROUP": GroupKey(
        keys.own_error_group, "The text of the group of equal errors.", details=(_FINGERPRINT,)
    ),
    "ERROR_CLASS": GroupKey(
        value_of(models.BuildEvent.error_class), "Why builds fail by them, a class of docs/logs.md."
    ),
    "BLAME": GroupKey(value_of(models.BuildEvent.blame), "Whom their class concerns.", Blame),
    "ROLE": GroupKey(value_of(models.BuildEvent.role), "Whether they only follow from others.", EventRole),
    "TOOL": GroupKey(value_of(models.BuildEvent.tool), "What printed them."),
    "SOURCE_FILE": GroupKey(value_of(models.BuildEvent.source_file), "The file of source code."),
    **_keys_of_run(models.BuildEvent.attempt_id),
}
_DEPENDENCY_KEYS = {
    "PARENT": GroupKey(through(models.Dependency.parent_id, keys.package_name), "What needs the other."),
    "CHILD": GroupKey(through(models.Dependency.child_id, keys.package_name), "What is needed."),
    "CHILD_VERSION": GroupKey(through(models.Dependency.child_id, keys.version), "Its version."),
    "VIRTUAL": GroupKey(
        keys.virtual_of_edge, "A virtual that the child provides; what has several counts once for each."
    ),
}
_FILE_KEYS = {
    "TYPE": GroupKey(value_of(models.InstallFile.type), "`file`, `dir` or `link`."),
    "PATH": GroupKey(value_of(models.InstallFile.path), "The absolute path."),
    "HASH": GroupKey(value_of(models.InstallFile.hash), "The hash of the content."),
}


@groups("specs", _SPEC_KEYS, facts={"parameter_set_id": lambda spec: spec[models.Spec.parameter_set_id]})
class SpecConnection(Connection[_Spec]):
    """A page of a list of specs, newest first unless ordered."""


@groups(
    "builds",
    _BUILD_KEYS,
    key_type=BuildGroupKey,
    facts={
        "status": lambda build: build[models.Build.status],
        "duration_seconds": lambda build: build[models.Build.duration_seconds],
        "cpu_seconds": lambda build: build[models.Build.cpu_seconds],
        "peak_memory_bytes": lambda build: build[models.Build.peak_memory_bytes],
        "owner_id": lambda build: build[models.Build.owner_id],
    },
    installed_from=lambda build: build[models.Build.installed_from],
    faceted=True,
)
class BuildConnection(Connection[_Build]):
    """A page of a list of builds, newest first unless ordered."""


@groups(
    "runs",
    _ATTEMPT_KEYS,
    facts={
        "status": lambda attempt: attempt[models.Attempt.status],
        "duration_seconds": lambda attempt: attempt[models.Attempt.duration_seconds],
        "cpu_seconds": lambda attempt: attempt[models.Attempt.cpu_seconds],
        "peak_memory_bytes": lambda attempt: attempt[models.Attempt.peak_memory_bytes],
    },
    installed_from=lambda attempt: attempt[models.Attempt.installed_from],
)
class AttemptConnection(Connection[_Attempt]):
    """A page of a list of runs, newest first unless ordered."""


@groups(
    "phases",
    _PHASE_KEYS,
    facts={
        "status": lambda phase: phase.follow(models.Phase.kind_id)[models.PhaseKind.status],
        "duration_seconds": lambda phase: phase[models.Phase.duration_seconds],
        "cpu_seconds": lambda phase: phase[models.Phase.cpu_seconds],
        "peak_memory_bytes": lambda phase: phase[models.Phase.peak_memory_bytes],
    },
)
class BuildPhaseConnection(Connection[_BuildPhase]):
    """A page of a list of phases."""


@groups("events", _EVENT_KEYS)
class BuildEventConnection(Connection[_BuildEvent]):
    """A page of a list of errors and warnings."""


@groups("dependencies", _DEPENDENCY_KEYS)
class DependencyConnection(Connection[_Dependency]):
    """A page of a list of dependencies."""


@groups("files", _FILE_KEYS, facts={"size_bytes": lambda file: file[models.InstallFile.size_bytes]})
class InstallFileConnection(Connection[_InstallFile]):
    """A page of a list of installed files, directories and links."""


@object_type
class MatrixCell:
    """What one row and one column have in common: builds, each once, and failures to concretize."""

    row: str | None = aggregate("row", description="The row's label.")
    column: str | None = aggregate("column", description="The column's label.")
    count: int = aggregate("count", description="How many there are.")
    succeeded: int = aggregate("succeeded", description="How many of the builds are SUCCESS.")
    failed: int = aggregate("failed", description="How many of the builds are FAILED.")
    success_rate: float | None = aggregate(
        "success_rate",
        description="The share of SUCCESS, from 0 to 1, among those that have ended; null if there are none.",
    )
    latest_status: BuildStatus | None = aggregate(
        "latest_status", description="The status of the build that ran last; null if there is none."
    )
    failed_to_concretize: int | None = aggregate(
        "failed_to_concretize",
        description="How many requests, of what the row and the column say, could not be concretized; null "
        "where the matrix does not count them.",
    )
    builds: BuildConnection = counted_in_cell(models.Build, description="The builds that are counted here.")
    concretization_failures: Connection[_ConcretizationFailure] = counted_in_cell(
        models.ConcretizationFailure, description="The failures to concretize that are counted here."
    )


@object_type
class Matrix:
    """Builds counted in rows and columns."""

    rows: list[str | None] = labels("row", description="The rows' labels in their order.")
    columns: list[str | None] = labels("column", description="The columns' labels in their order.")
    cells: list[MatrixCell] = cells(
        description="The cells that have builds or failures to concretize, row by row."
    )
