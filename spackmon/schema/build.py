"""Builds."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.graph.build_changes import CHANGES, build_changes, specs_of_changes
from spackmon.query.graph.containment import build_contains_dependency, build_has_dependent
from spackmon.query.meanings.fields import (
    by,
    chosen,
    column,
    computed,
    condition,
    connection,
    identity,
    listing,
    relation,
    sorted_by,
    value,
)
from spackmon.query.rows.affected import advisories_of_build
from spackmon.query.rows.ci import ci_run_id
from spackmon.query.rows.events import (
    builds_of_group,
    first_error_group_id,
)
from spackmon.query.rows.failures import last_success, root_failure
from spackmon.query.rows.filters import compares_shared
from spackmon.query.rows.neighbours import next_build, previous_build, previous_success
from spackmon.query.rows.relations import (
    files_of_build,
    of_newest_attempt,
    refer_by,
    variables_of_build,
)
from spackmon.query.rows.tags import tags_of_build
from spackmon.query.speclang.expressions import installed_bytes
from spackmon.schema.advisory import Advisory
from spackmon.schema.analysis import Analysis, AnalysisResult
from spackmon.schema.attempt import Attempt
from spackmon.schema.changes import BuildChanges
from spackmon.schema.claim import Claim
from spackmon.schema.connection import Connection
from spackmon.schema.environment import BuildEnvironment, EnvironmentVariable
from spackmon.schema.filters import StringFilter
from spackmon.schema.groups import (
    AttemptConnection,
    BuildEventConnection,
    BuildPhaseConnection,
    InstallFileConnection,
)
from spackmon.schema.install_folder import InstallFolder, install_folder
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.package import Package
from spackmon.schema.person import Person
from spackmon.schema.scalars import Long
from spackmon.schema.spec import ContainedFilter, Spec
from spackmon.schema.status import BuildStatus, InstalledFrom
from spackmon.schema.tag import Tag

if TYPE_CHECKING:
    from spackmon.schema.ci import CiRun
    from spackmon.schema.event import ErrorGroup

_CiRun = Annotated["CiRun", strawberry.lazy("spackmon.schema.ci")]
_ErrorGroup = Annotated["ErrorGroup", strawberry.lazy("spackmon.schema.event")]

_ARGUMENTS = models.ConfigureArguments.text
_ATTEMPTS = refer_by(models.Attempt.build_id)
_ANALYSES = of_newest_attempt(models.Analysis.attempt_id)
_RESULTS = of_newest_attempt(models.Attribute.attempt_id)
_PHASES = of_newest_attempt(models.Phase.attempt_id)
_EVENTS = of_newest_attempt(models.BuildEvent.attempt_id)
_SOURCES = refer_by(models.Claim.attempt_id, models.Attempt.build_id)
_PACKAGE_VERSION = models.Build.spec_id, models.Spec.package_version_id


@noun("builds")
class Build(Node):
    """One installation of a spec in one environment, as its owner reported it."""

    id: strawberry.ID = identity(
        models.Build, is_bare=True, description="Its number, as clients, logs and page addresses know it."
    )
    spec: Spec | None = relation(
        models.Build.spec_id,
        filters=True,
        description="The spec that is built; null until it is known: some sources do not report it.",
    )
    package: Package | None = relation(
        models.Build.package_id,
        filters=True,
        description="The package that is built: the spec's, or, without a spec, the one that a source names.",
    )
    prefix: str | None = column(
        models.Build.prefix,
        filters=True,
        description="Where the newest attempt installed it; null if unknown.",
    )
    environment: BuildEnvironment = relation(
        models.Build.environment_id, filters=True, description="Where it is built."
    )
    owner: Person = relation(
        models.Build.owner_id, filters=True, sorts=models.Person.name, description="Who reports it."
    )
    status: BuildStatus = column(
        models.Build.status, filters=True, sorts=True, description="The newest attempt's status."
    )
    duration_seconds: float | None = column(
        models.Build.duration_seconds,
        filters=True,
        sorts=True,
        description="How long the newest attempt took; null if unknown.",
    )
    cpu_seconds: float | None = column(
        models.Build.cpu_seconds,
        filters=True,
        sorts=True,
        description="The newest attempt's CPU time; null if unknown.",
    )
    peak_memory_bytes: Long | None = column(
        models.Build.peak_memory_bytes,
        filters=True,
        sorts=True,
        description="The newest attempt's `peakMemoryBytes`; null if unknown.",
    )
    started_at: datetime | None = column(
        models.Build.started_at,
        filters=True,
        sorts=True,
        description="When the newest attempt began; null if no source says when it ran.",
    )
    finished_at: datetime | None = column(
        models.Build.finished_at, filters=True, sorts=True, description="When the newest attempt ended."
    )
    installed_from: InstalledFrom | None = column(
        models.Build.installed_from,
        filters=True,
        description="Where the files of the newest attempt came from; null if no source says so.",
    )
    created_at: datetime = column(
        models.Build.created_at, filters=True, sorts=True, description="When it was first reported."
    )
    updated_at: datetime = column(
        models.Build.updated_at, filters=True, sorts=True, description="When it was last reported on."
    )
    tags: Connection[Tag] = connection(
        models.Tag,
        belongs=tags_of_build,
        rows=10,
        order=[models.Tag.name],
        filters=True,
        description="The newest attempt's tags, by name.",
    )
    attempts: AttemptConnection = connection(
        models.Attempt,
        belongs=_ATTEMPTS,
        rows=2,
        order=[models.Attempt.number],
        filters=True,
        description="Its runs, oldest first.",
    )
    phases: BuildPhaseConnection = connection(
        models.Phase,
        belongs=_PHASES,
        rows=5,
        order=[(models.Phase.kind_id, models.PhaseKind.position)],
        filters=True,
        description="The newest attempt's phases in their order.",
    )
    previous: "Build | None" = chosen(
        models.Build,
        previous_build,
        description="The build of the package that ran last before this one, by the same owner on the "
        "machine of the same name.",
    )
    next: "Build | None" = chosen(
        models.Build,
        next_build,
        description="The build of the package that ran first after this one, by the same owner on the "
        "machine of the same name.",
    )
    previous_success: "Build | None" = chosen(
        models.Build, previous_success, description="The last one before it that succeeded, as in `previous`."
    )
    ci_run: _CiRun | None = chosen(
        models.CiRun,
        ci_run_id,
        filters=True,
        description="The CI run that the newest attempt was part of; null if no source says so.",
    )
    root_failure: Attempt | None = chosen(
        models.Attempt,
        root_failure,
        filters=True,
        description="The run that really broke, if this failed or was cancelled: "
        "of a failed build its own; of "
        "a cancelled one, of a spec that its own depends on, by the same owner on the machine of the same "
        "name, the one that failed last before it was cancelled. Null if none is known.",
    )
    last_success: Attempt | None = chosen(
        models.Attempt,
        last_success,
        description="The last run that succeeded before its newest began: of the package, by the same owner "
        "on the machine of the same name. It may be an earlier one of this build.",
    )
    changes_since_last_success: BuildChanges | None = computed(
        CHANGES,
        build_changes,
        specs=specs_of_changes,
        description="What differs between its newest run and `lastSuccess`; null if none succeeded.",
    )
    installed_bytes: Long | None = value(
        installed_bytes(models.Build.manifest_id),
        cost=10,
        filters=True,
        sorts=True,
        description="The total size of what the newest attempt installed; null if no list of files is known.",
    )
    events: BuildEventConnection = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        among=builds_of_group,
        filters=True,
        description="The newest attempt's errors and warnings.",
    )
    first_error_group: _ErrorGroup | None = chosen(
        models.ErrorGroup,
        first_error_group_id,
        filters=True,
        description="The group of the newest attempt's first error; null if there is none.",
    )
    error_count: int = column(
        models.Build.error_count, filters=True, description="How many errors the newest attempt has."
    )
    warning_count: int = column(
        models.Build.warning_count, filters=True, description="How many warnings the newest attempt has."
    )
    sources: list[Claim] = listing(
        models.Claim,
        belongs=_SOURCES,
        rows=2,
        order=[models.Claim.first_reported_at, models.Claim.id],
        filters=True,
        description="The claims of its runs' sources, oldest first.",
    )
    configure_arguments: str | None = column(
        models.Build.configure_arguments_id,
        _ARGUMENTS,
        filters=by(StringFilter, compares_shared(models.Build.configure_arguments_id, _ARGUMENTS)),
        description="The arguments of the newest attempt's configure phase.",
    )
    environment_variables: list[EnvironmentVariable] = listing(
        models.EnvironmentVariable,
        belongs=variables_of_build,
        order=[models.EnvironmentVariable.name],
        filters=True,
        has_where=True,
        description="The environment the newest attempt ran in, by name.",
    )
    install_folder: InstallFolder = install_folder(models.Build.manifest_id, models.Build.prefix)
    install_files: InstallFileConnection = connection(
        models.InstallFile,
        belongs=files_of_build,
        filters=True,
        description="What the newest attempt installed.",
    )
    analyses: list[Analysis] = listing(
        models.Analysis,
        belongs=_ANALYSES,
        order=[models.Analysis.analyzer],
        filters=True,
        description="The analyzers that ran over the newest attempt, by name.",
    )
    analysis_results: Connection[AnalysisResult] = connection(
        models.Attribute,
        belongs=_RESULTS,
        filters=True,
        description="The findings of analyzers about the newest attempt.",
    )
    advisories: Connection[Advisory] = connection(
        models.Advisory,
        belongs=advisories_of_build,
        filters=True,
        description="The known defects that its spec has, or something that the spec contains.",
    )

    class Filter:
        """What is no field."""

        dependency = condition(
            ContainedFilter,
            build_contains_dependency,
            description="Builds whose spec depends on this, at any depth, by any path by default.",
        )
        dependent = condition(
            ContainedFilter,
            build_has_dependent,
            description="Builds whose spec this depends on, at any depth, by any path by default.",
        )

    class Order:
        """What is no field."""

        name = sorted_by(models.Build.package_id, models.Package.name, description="The package's name.")
        version = sorted_by(
            *_PACKAGE_VERSION, models.PackageVersion.version_key, description="The version, in Spack's order."
        )
        hostname = sorted_by(
            models.Build.environment_id, models.BuildEnvironment.hostname, description="The machine's name."
        )
