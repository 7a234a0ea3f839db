"""Builds."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.containment import build_contains_dependency
from spackmon.query.events import errors_of_build, warnings_of_build
from spackmon.query.fields import (
    column,
    connection,
    expression,
    identity,
    listing,
    predicate,
    relation,
    sorted_by,
)
from spackmon.query.filters import compares, compares_value, related, through
from spackmon.query.relations import of_newest_attempt, refer_by, share, tags_of_build
from spackmon.schema.analysis import (
    Analysis,
    AnalysisFilter,
    AnalysisResult,
    AnalysisResultFilter,
    AnalysisResultOrder,
)
from spackmon.schema.attempt import (
    Attempt,
    AttemptFilter,
    BuildPhase,
    BuildPhaseFilter,
)
from spackmon.schema.claim import Claim, ClaimFilter
from spackmon.schema.connection import Connection
from spackmon.schema.environment import (
    BuildEnvironment,
    BuildEnvironmentFilter,
    EnvironmentVariable,
    EnvironmentVariableFilter,
)
from spackmon.schema.event import BuildEvent, BuildEventFilter, BuildEventOrder
from spackmon.schema.filters import DateTimeFilter, Direction, FloatFilter, IntFilter, StringFilter
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.install_file import InstallFile, InstallFileFilter, InstallFileOrder
from spackmon.schema.node import Node
from spackmon.schema.package import Package, PackageFilter
from spackmon.schema.person import Person, PersonFilter
from spackmon.schema.spec import ContainedFilter, Spec, SpecFilter
from spackmon.schema.status import (
    BuildStatus,
    BuildStatusFilter,
    InstalledFrom,
    InstalledFromFilter,
)
from spackmon.schema.tag import Tag, TagFilter

_ATTEMPTS = refer_by(models.Attempt.build_id)
_VARIABLES = share(models.Build.environment_set_id, models.EnvironmentVariable.environment_set_id)
_FILES = share(models.Build.manifest_id, models.InstallFile.manifest_id)
_ANALYSES = of_newest_attempt(models.Analysis.attempt_id)
_RESULTS = of_newest_attempt(models.Attribute.attempt_id)
_PHASES = of_newest_attempt(models.Phase.attempt_id)
_EVENTS = of_newest_attempt(models.BuildEvent.attempt_id)
_SOURCES = refer_by(models.Claim.attempt_id, models.Attempt.build_id)
_PACKAGE_VERSION = models.Build.spec_id, models.Spec.package_version_id


@filter_input
class BuildFilter:
    """Which builds."""

    spec: SpecFilter | None = predicate(
        through("SpecFilter", models.Build.spec_id),
        description="What is built; null until it is known: some sources, as CDash, do not tell.",
    )
    package: PackageFilter | None = predicate(
        through("PackageFilter", models.Build.package_id),
        description="The package that is built: the spec's, or what was told where no spec is known.",
    )
    prefix: StringFilter | None = predicate(
        compares(models.Build.prefix),
        description="Where the newest attempt installed it, where that is known.",
    )
    environment: BuildEnvironmentFilter | None = predicate(
        through("BuildEnvironmentFilter", models.Build.environment_id), description="Where it is built."
    )
    owner: PersonFilter | None = predicate(
        through("PersonFilter", models.Build.owner_id), description="Who reports it."
    )
    status: BuildStatusFilter | None = predicate(
        compares(models.Build.status), description="The newest attempt's status."
    )
    duration_seconds: FloatFilter | None = predicate(
        compares(models.Build.duration_seconds),
        description="How long the newest attempt took, where that is known.",
    )
    started_at: DateTimeFilter | None = predicate(
        compares(models.Build.started_at),
        description="When the newest attempt began; null where no source says when it ran.",
    )
    finished_at: DateTimeFilter | None = predicate(
        compares(models.Build.finished_at), description="When the newest attempt ended."
    )
    installed_from: InstalledFromFilter | None = predicate(
        compares(models.Build.installed_from),
        description="Where what the newest attempt installed came from; null where no source says it.",
    )
    created_at: DateTimeFilter | None = predicate(
        compares(models.Build.created_at), description="When it was first reported."
    )
    updated_at: DateTimeFilter | None = predicate(
        compares(models.Build.updated_at), description="When it was last reported on."
    )
    tags: Quantified[TagFilter] | None = predicate(
        related("TagFilter", models.Tag, tags_of_build),
        description="The words its clients gave the newest attempt.",
    )
    attempts: Quantified[AttemptFilter] | None = predicate(
        related("AttemptFilter", models.Attempt, _ATTEMPTS), description="Its runs, the first one first."
    )
    phases: Quantified[BuildPhaseFilter] | None = predicate(
        related("BuildPhaseFilter", models.Phase, _PHASES),
        description="The newest attempt's phases in their order.",
    )
    events: Quantified[BuildEventFilter] | None = predicate(
        related("BuildEventFilter", models.BuildEvent, _EVENTS),
        description="The newest attempt's errors and warnings.",
    )
    error_count: IntFilter | None = predicate(
        compares_value(errors_of_build), description="How many errors the newest attempt has."
    )
    warning_count: IntFilter | None = predicate(
        compares_value(warnings_of_build), description="How many warnings the newest attempt has."
    )
    sources: Quantified[ClaimFilter] | None = predicate(
        related("ClaimFilter", models.Claim, _SOURCES),
        description="What each source reported of its runs, the first one first.",
    )
    configure_arguments: StringFilter | None = predicate(
        compares(models.Build.configure_arguments),
        description="The arguments the newest attempt's configure phase was given.",
    )
    environment_variables: Quantified[EnvironmentVariableFilter] | None = predicate(
        related("EnvironmentVariableFilter", models.EnvironmentVariable, _VARIABLES),
        description="The environment the newest attempt ran in, by name.",
    )
    install_files: Quantified[InstallFileFilter] | None = predicate(
        related("InstallFileFilter", models.InstallFile, _FILES),
        description="What the newest attempt installed.",
    )
    analyses: Quantified[AnalysisFilter] | None = predicate(
        related("AnalysisFilter", models.Analysis, _ANALYSES),
        description="The analyzers that ran over the newest attempt, by name.",
    )
    dependency: ContainedFilter | None = predicate(
        build_contains_dependency, description="Whose spec depends on this, at any depth, by any deptype."
    )


@order_input
class BuildOrder:
    """What builds are sorted by."""

    owner: Direction | None = sorted_by(
        models.Build.owner_id, models.Person.name, description="Who reports it."
    )
    status: Direction | None = sorted_by(models.Build.status, description="The newest attempt's status.")
    duration_seconds: Direction | None = sorted_by(
        models.Build.duration_seconds, description="How long the newest attempt took, where that is known."
    )
    started_at: Direction | None = sorted_by(
        models.Build.started_at,
        description="When the newest attempt began; null where no source says when it ran.",
    )
    finished_at: Direction | None = sorted_by(
        models.Build.finished_at, description="When the newest attempt ended."
    )
    created_at: Direction | None = sorted_by(
        models.Build.created_at, description="When it was first reported."
    )
    updated_at: Direction | None = sorted_by(
        models.Build.updated_at, description="When it was last reported on."
    )
    name: Direction | None = sorted_by(
        models.Build.package_id, models.Package.name, description="The package's name."
    )
    version: Direction | None = sorted_by(
        *_PACKAGE_VERSION, models.PackageVersion.version_key, description="The version, in Spack's order."
    )
    hostname: Direction | None = sorted_by(
        models.Build.environment_id, models.BuildEnvironment.hostname, description="The machine's name."
    )


@strawberry.type(description="One installation of a spec in one environment, as its owner reported it.")
class Build(Node):
    """One installation of a spec in one environment, as its owner reported it."""

    id: strawberry.ID = identity(
        models.Build,
        is_bare=True,
        description="Its number, as clients, logs and page addresses know it.",
    )
    spec: Spec | None = relation(
        models.Build.spec_id,
        description="What is built; null until it is known: some sources, as CDash, do not tell.",
    )
    package: Package | None = relation(
        models.Build.package_id,
        description="The package that is built: the spec's, or what was told where no spec is known.",
    )
    prefix: str | None = column(
        models.Build.prefix, description="Where the newest attempt installed it, where that is known."
    )
    environment: BuildEnvironment = relation(models.Build.environment_id, description="Where it is built.")
    owner: Person = relation(models.Build.owner_id, description="Who reports it.")
    status: BuildStatus = column(models.Build.status, description="The newest attempt's status.")
    duration_seconds: float | None = column(
        models.Build.duration_seconds, description="How long the newest attempt took, where that is known."
    )
    started_at: datetime | None = column(
        models.Build.started_at,
        description="When the newest attempt began; null where no source says when it ran.",
    )
    finished_at: datetime | None = column(
        models.Build.finished_at, description="When the newest attempt ended."
    )
    installed_from: InstalledFrom | None = column(
        models.Build.installed_from,
        description="Where what the newest attempt installed came from; null where no source says it.",
    )
    created_at: datetime = column(models.Build.created_at, description="When it was first reported.")
    updated_at: datetime = column(models.Build.updated_at, description="When it was last reported on.")
    tags: list[Tag] = listing(
        models.Tag,
        belongs=tags_of_build,
        order=[models.Tag.name],
        description="The words its clients gave the newest attempt.",
    )
    attempts: list[Attempt] = listing(
        models.Attempt,
        belongs=_ATTEMPTS,
        rows=2,
        order=[models.Attempt.number],
        description="Its runs, the first one first.",
    )
    phases: list[BuildPhase] = listing(
        models.Phase,
        belongs=_PHASES,
        rows=5,
        order=[models.Phase.position, models.Phase.id],
        description="The newest attempt's phases in their order.",
    )
    events: Connection[BuildEvent] = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        where=BuildEventFilter,
        order_by=BuildEventOrder,
        description="The newest attempt's errors and warnings.",
    )
    error_count: int = expression(
        lambda row, json: errors_of_build(row),
        cost=5,
        description="How many errors the newest attempt has.",
    )
    warning_count: int = expression(
        lambda row, json: warnings_of_build(row),
        cost=5,
        description="How many warnings the newest attempt has.",
    )
    sources: list[Claim] = listing(
        models.Claim,
        belongs=_SOURCES,
        rows=2,
        order=[models.Claim.first_reported_at, models.Claim.id],
        description="What each source reported of its runs, the first one first.",
    )
    configure_arguments: str | None = column(
        models.Build.configure_arguments,
        description="The arguments the newest attempt's configure phase was given.",
    )
    environment_variables: list[EnvironmentVariable] = listing(
        models.EnvironmentVariable,
        belongs=_VARIABLES,
        order=[models.EnvironmentVariable.name],
        description="The environment the newest attempt ran in, by name.",
    )
    install_files: Connection[InstallFile] = connection(
        models.InstallFile,
        belongs=_FILES,
        where=InstallFileFilter,
        order_by=InstallFileOrder,
        description="What the newest attempt installed.",
    )
    analyses: list[Analysis] = listing(
        models.Analysis,
        belongs=_ANALYSES,
        order=[models.Analysis.analyzer],
        description="The analyzers that ran over the newest attempt, by name.",
    )
    analysis_results: Connection[AnalysisResult] = connection(
        models.Attribute,
        belongs=_RESULTS,
        where=AnalysisResultFilter,
        order_by=AnalysisResultOrder,
        description="What analyzers found out about the newest attempt.",
    )
