"""Runs of builds, their phases and logs."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query import expressions
from spackmon.query.events import errors_of_attempt, warnings_of_attempt
from spackmon.query.fields import (
    column,
    connection,
    embedded,
    expression,
    identity,
    listing,
    predicate,
    relation,
    sorted_by,
)
from spackmon.query.filters import compares, compares_value, related, through
from spackmon.query.relations import refer_by, share, tags_of_attempt
from spackmon.schema import later
from spackmon.schema.claim import Claim, ClaimFilter
from spackmon.schema.connection import Connection
from spackmon.schema.environment import (
    BuildEnvironment,
    BuildEnvironmentFilter,
    EnvironmentVariable,
    EnvironmentVariableFilter,
)
from spackmon.schema.event import BuildEvent, BuildEventFilter, BuildEventOrder
from spackmon.schema.filters import (
    DateTimeFilter,
    Direction,
    FloatFilter,
    IntFilter,
    StringFilter,
)
from spackmon.schema.inputs import Quantified, filter_input, order_input
from spackmon.schema.node import Node
from spackmon.schema.status import (
    BuildStatus,
    BuildStatusFilter,
    InstalledFrom,
    InstalledFromFilter,
)

_PHASES = refer_by(models.Phase.attempt_id)
_EVENTS = refer_by(models.BuildEvent.attempt_id)
_SOURCES = refer_by(models.Claim.attempt_id)
_VARIABLES = share(models.Attempt.environment_set_id, models.EnvironmentVariable.environment_set_id)
_FILES = share(models.Attempt.manifest_id, models.InstallFile.manifest_id)
_ANALYSES = refer_by(models.Analysis.attempt_id)


@filter_input
class BuildPhaseFilter:
    """Which phases of builds."""

    name: StringFilter | None = predicate(
        compares(models.Phase.name), description="Its name, as Spack reports it."
    )
    status: StringFilter | None = predicate(
        compares(models.Phase.status), description="As Spack reports it: SUCCESS or ERROR."
    )
    position: IntFilter | None = predicate(
        compares(models.Phase.position), description="Its place among the phases, from 1."
    )
    duration_seconds: FloatFilter | None = predicate(
        compares(models.Phase.duration_seconds), description="How long it took, where that is known."
    )
    reported_at: DateTimeFilter | None = predicate(
        compares(models.Phase.reported_at), description="When its end was reported."
    )
    attempt: later.AttemptFilter | None = predicate(
        through("AttemptFilter", models.Phase.attempt_id), description="The run it is part of."
    )


@order_input
class BuildPhaseOrder:
    """What phases of builds are sorted by."""

    name: Direction | None = sorted_by(models.Phase.name, description="Its name, as Spack reports it.")
    status: Direction | None = sorted_by(
        models.Phase.status, description="As Spack reports it: SUCCESS or ERROR."
    )
    duration_seconds: Direction | None = sorted_by(
        models.Phase.duration_seconds, description="How long it took, where that is known."
    )
    reported_at: Direction | None = sorted_by(
        models.Phase.reported_at, description="When its end was reported."
    )


@filter_input
class AttemptFilter:
    """Which runs of builds."""

    number: IntFilter | None = predicate(
        compares(models.Attempt.number), description="Which run of the build, from 1."
    )
    status: BuildStatusFilter | None = predicate(
        compares(models.Attempt.status), description="How the run ended, or stands."
    )
    spack_version: StringFilter | None = predicate(
        compares(models.Attempt.spack_version), description="The Spack that ran it."
    )
    spack_revision: StringFilter | None = predicate(
        compares(models.Attempt.spack_revision), description="That Spack's own commit, where that is known."
    )
    started_at: DateTimeFilter | None = predicate(
        compares(models.Attempt.started_at),
        description="When it began; null where no source says when it ran.",
    )
    finished_at: DateTimeFilter | None = predicate(
        compares(models.Attempt.finished_at), description="When it ended."
    )
    reported_at: DateTimeFilter | None = predicate(
        compares(models.Attempt.reported_at), description="When it was first reported."
    )
    duration_seconds: FloatFilter | None = predicate(
        compares(models.Attempt.duration_seconds), description="How long it took, where that is known."
    )
    installed_from: InstalledFromFilter | None = predicate(
        compares(models.Attempt.installed_from),
        description="Where what it installed came from; null where no source says it.",
    )
    environment: BuildEnvironmentFilter | None = predicate(
        through("BuildEnvironmentFilter", models.Attempt.environment_id), description="Where it ran."
    )
    prefix: StringFilter | None = predicate(
        compares(models.Attempt.prefix), description="Where it was installed, where that is known."
    )
    configure_arguments: StringFilter | None = predicate(
        compares(models.Attempt.configure_arguments),
        description="The arguments its configure phase was given.",
    )
    environment_variables: Quantified[EnvironmentVariableFilter] | None = predicate(
        related("EnvironmentVariableFilter", models.EnvironmentVariable, _VARIABLES),
        description="The environment it ran in, by name.",
    )
    tags: Quantified[later.TagFilter] | None = predicate(
        related("TagFilter", models.Tag, tags_of_attempt), description="The words its clients gave it."
    )
    install_files: Quantified[later.InstallFileFilter] | None = predicate(
        related("InstallFileFilter", models.InstallFile, _FILES), description="What it installed."
    )
    analyses: Quantified[later.AnalysisFilter] | None = predicate(
        related("AnalysisFilter", models.Analysis, _ANALYSES),
        description="The analyzers that ran over it, by name.",
    )
    build: later.BuildFilter | None = predicate(
        through("BuildFilter", models.Attempt.build_id), description="The build."
    )
    phases: Quantified[BuildPhaseFilter] | None = predicate(
        related("BuildPhaseFilter", models.Phase, _PHASES), description="Its phases in their order."
    )
    events: Quantified[BuildEventFilter] | None = predicate(
        related("BuildEventFilter", models.BuildEvent, _EVENTS), description="Its errors and warnings."
    )
    error_count: IntFilter | None = predicate(
        compares_value(errors_of_attempt), description="How many errors it has."
    )
    warning_count: IntFilter | None = predicate(
        compares_value(warnings_of_attempt), description="How many warnings it has."
    )
    sources: Quantified[ClaimFilter] | None = predicate(
        related("ClaimFilter", models.Claim, _SOURCES),
        description="What each source reported of it, the first one first.",
    )


@order_input
class AttemptOrder:
    """What runs of builds are sorted by."""

    number: Direction | None = sorted_by(models.Attempt.number, description="Which run of the build, from 1.")
    started_at: Direction | None = sorted_by(
        models.Attempt.started_at, description="When it began; null where no source says when it ran."
    )
    finished_at: Direction | None = sorted_by(models.Attempt.finished_at, description="When it ended.")
    reported_at: Direction | None = sorted_by(
        models.Attempt.reported_at, description="When it was first reported."
    )
    duration_seconds: Direction | None = sorted_by(
        models.Attempt.duration_seconds, description="How long it took, where that is known."
    )


@strawberry.type(description="What a phase printed.")
class Log:
    """What a phase printed."""

    text: str = expression(
        expressions.log_text,
        is_json=True,
        cost=500,
        description="The whole text, with U+FFFD for bytes that are not UTF-8.",
    )
    base64: str = expression(
        expressions.log_base64, is_json=True, cost=500, description="Its exact bytes, in base64."
    )
    tail: str = expression(
        expressions.log_tail,
        is_json=True,
        cost=100,
        description="The text's last lines, 200 kB of it at most.",
    )
    size_bytes: int = expression(expressions.log_size, is_json=True, description="Its size in bytes.")


@strawberry.type(description="A phase of a build, as `configure`.")
class BuildPhase(Node):
    """A phase of a build."""

    id: strawberry.ID = identity(models.Phase)
    name: str = column(models.Phase.name, description="Its name, as Spack reports it.")
    status: str = column(models.Phase.status, description="As Spack reports it: SUCCESS or ERROR.")
    position: int = column(models.Phase.position, description="Its place among the phases, from 1.")
    duration_seconds: float | None = column(
        models.Phase.duration_seconds, description="How long it took, where that is known."
    )
    reported_at: datetime = column(models.Phase.reported_at, description="When its end was reported.")
    log: Log | None = embedded(
        present=expressions.has_log, description="What it printed; null if nothing was sent."
    )
    attempt: later.Attempt = relation(models.Phase.attempt_id, description="The run it is part of.")


@strawberry.type(description="One run of a build.")
class Attempt(Node):
    """One run of a build."""

    id: strawberry.ID = identity(models.Attempt)
    number: int = column(models.Attempt.number, description="Which run of the build, from 1.")
    status: BuildStatus = column(models.Attempt.status, description="How the run ended, or stands.")
    spack_version: str | None = column(models.Attempt.spack_version, description="The Spack that ran it.")
    spack_revision: str | None = column(
        models.Attempt.spack_revision, description="That Spack's own commit, where that is known."
    )
    started_at: datetime | None = column(
        models.Attempt.started_at, description="When it began; null where no source says when it ran."
    )
    finished_at: datetime | None = column(models.Attempt.finished_at, description="When it ended.")
    end_is_inferred: bool = column(
        models.Attempt.end_is_inferred,
        description="Whether `finishedAt` is when it was last heard of, because no source said how it ended.",
    )
    reported_at: datetime = column(models.Attempt.reported_at, description="When it was first reported.")
    duration_seconds: float | None = column(
        models.Attempt.duration_seconds, description="How long it took, where that is known."
    )
    installed_from: InstalledFrom | None = column(
        models.Attempt.installed_from,
        description="Where what it installed came from; null where no source says it.",
    )
    environment: BuildEnvironment = relation(models.Attempt.environment_id, description="Where it ran.")
    prefix: str | None = column(
        models.Attempt.prefix, description="Where it was installed, where that is known."
    )
    configure_arguments: str | None = column(
        models.Attempt.configure_arguments, description="The arguments its configure phase was given."
    )
    environment_variables: list[EnvironmentVariable] = listing(
        models.EnvironmentVariable,
        belongs=_VARIABLES,
        order=[models.EnvironmentVariable.name],
        description="The environment it ran in, by name.",
    )
    tags: list[later.Tag] = listing(
        models.Tag,
        belongs=tags_of_attempt,
        order=[models.Tag.name],
        description="The words its clients gave it.",
    )
    install_files: Connection[later.InstallFile] = connection(
        models.InstallFile,
        belongs=_FILES,
        where=later.InstallFileFilter,
        order_by=later.InstallFileOrder,
        description="What it installed.",
    )
    analyses: list[later.Analysis] = listing(
        models.Analysis,
        belongs=_ANALYSES,
        order=[models.Analysis.analyzer],
        description="The analyzers that ran over it, by name.",
    )
    build: later.Build = relation(models.Attempt.build_id, description="The build.")
    phases: list[BuildPhase] = listing(
        models.Phase,
        belongs=_PHASES,
        rows=5,
        order=[models.Phase.position, models.Phase.id],
        description="Its phases in their order.",
    )
    events: Connection[BuildEvent] = connection(
        models.BuildEvent,
        belongs=_EVENTS,
        where=BuildEventFilter,
        order_by=BuildEventOrder,
        description="Its errors and warnings.",
    )
    error_count: int = expression(
        lambda row, json: errors_of_attempt(row), cost=5, description="How many errors it has."
    )
    warning_count: int = expression(
        lambda row, json: warnings_of_attempt(row), cost=5, description="How many warnings it has."
    )
    sources: list[Claim] = listing(
        models.Claim,
        belongs=_SOURCES,
        rows=2,
        order=[models.Claim.first_reported_at, models.Claim.id],
        description="What each source reported of it, the first one first.",
    )
