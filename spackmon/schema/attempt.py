"""Runs of builds, their phases and logs."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import (
    argument,
    by,
    chosen,
    column,
    connection,
    embedded,
    identity,
    json_value,
    listing,
    relation,
    searched_log,
    value,
)
from spackmon.query.rows import logs
from spackmon.query.rows.events import (
    error_news,
    first_error_group_id,
    root_event,
)
from spackmon.query.rows.failures import root_failure_of_run
from spackmon.query.rows.filters import compares_shared
from spackmon.query.rows.relations import (
    files_of_attempt,
    refer_by,
    share,
    variables_of_attempt,
)
from spackmon.query.rows.tags import tags_of_attempt
from spackmon.query.speclang import expressions
from spackmon.query.speclang.expressions import installed_bytes
from spackmon.schema.claim import Claim
from spackmon.schema.connection import Connection
from spackmon.schema.environment import BuildEnvironment, EnvironmentVariable
from spackmon.schema.event import BuildEvent
from spackmon.schema.filters import StringFilter
from spackmon.schema.groups import BuildEventConnection, BuildPhaseConnection, InstallFileConnection
from spackmon.schema.install_folder import InstallFolder, install_folder
from spackmon.schema.log_event import LogEvent
from spackmon.schema.node import Node
from spackmon.schema.noun import noun, object_type
from spackmon.schema.scalars import Long
from spackmon.schema.searching import LineSearch
from spackmon.schema.status import BuildStatus, ErrorNews, InstalledFrom, PhaseStatus

if TYPE_CHECKING:
    from spackmon.schema.analysis import Analysis
    from spackmon.schema.build import Build
    from spackmon.schema.ci import CiJob, CiRun
    from spackmon.schema.event import ErrorGroup
    from spackmon.schema.install_file import InstallFile
    from spackmon.schema.tag import Tag

_Analysis = Annotated["Analysis", strawberry.lazy("spackmon.schema.analysis")]
_Build = Annotated["Build", strawberry.lazy("spackmon.schema.build")]
_CiJob = Annotated["CiJob", strawberry.lazy("spackmon.schema.ci")]
_CiRun = Annotated["CiRun", strawberry.lazy("spackmon.schema.ci")]
_ErrorGroup = Annotated["ErrorGroup", strawberry.lazy("spackmon.schema.event")]
_InstallFile = Annotated["InstallFile", strawberry.lazy("spackmon.schema.install_file")]
_Tag = Annotated["Tag", strawberry.lazy("spackmon.schema.tag")]


_LOG_EVENTS = share(models.Phase.log_id, models.LogEvent.log_id)
_ARGUMENTS = models.ConfigureArguments.text
_PHASES = refer_by(models.Phase.attempt_id)
_EVENTS = refer_by(models.BuildEvent.attempt_id)
_SOURCES = refer_by(models.Claim.attempt_id)
_ANALYSES = refer_by(models.Analysis.attempt_id)


@object_type
class Log:
    """What a phase printed, or some lines of it."""

    text: str = json_value(
        logs.log_text,
        cost=500,
        description="Its lines, with U+FFFD for bytes that are not UTF-8.",
    )
    plain_text: str = json_value(
        logs.log_plain_text,
        cost=500,
        description="Its lines as a person sees them: without colours and other sequences that steer a "
        "terminal, and of a line that was drawn again what was drawn last.",
    )
    base64: str = json_value(logs.log_base64, cost=500, description="The bytes of its lines, in base64.")
    tail: str = json_value(
        logs.log_tail, cost=100, description="The whole log's last lines, 200 kB of them at most."
    )
    line_count: int = json_value(
        logs.log_line_count,
        cost=50,
        description="How many lines the whole log has; they end at line feeds.",
    )
    size_bytes: int = json_value(logs.log_size, description="The whole log's size in bytes.")
    search: LineSearch = searched_log(
        [
            argument("text", str, "What is sought: words in one line, as a filter's `search`."),
            argument("from_line", int, "The first line that is looked at, from 1.", 1),
            argument("first", int, "How many lines at most, up to 100.", 20),
            argument("context", int, "How many lines above and below each, up to 10.", 0),
        ],
        description="Lines of the whole log, at most 16 MB of which are looked through in one answer.",
    )
    digest: str = value(logs.log_digest, description="The SHA-256 of the whole log's bytes, in hexadecimal.")
    removed_at: datetime | None = value(
        logs.log_removed_at,
        description="When its text was removed, by RETENTION; it has no lines then, and its errors and "
        "warnings are as they were.",
    )
    unlisted_event_count: int | None = json_value(
        logs.log_unlisted,
        description="How many errors and warnings in it are not listed, of which 200 each are; null if it "
        "was not read.",
    )


@noun("phases of builds")
class BuildPhase(Node):
    """A phase of a build, as `configure`."""

    id: strawberry.ID = identity(models.Phase)
    name: str = column(
        models.Phase.kind_id,
        models.PhaseKind.name,
        filters=True,
        sorts=True,
        description="Its name, as Spack reports it.",
    )
    status: PhaseStatus = value(
        expressions.phase_status, filters=True, sorts=True, description="How it ended."
    )
    reported_status: str = column(
        models.Phase.kind_id,
        models.PhaseKind.status,
        filters=True,
        description="The client's own word for that.",
    )
    position: int = column(
        models.Phase.kind_id,
        models.PhaseKind.position,
        filters=True,
        description="Its place among the phases, from 1.",
    )
    duration_seconds: float | None = column(
        models.Phase.duration_seconds,
        filters=True,
        sorts=True,
        description="How long it took; null if unknown.",
    )
    cpu_seconds: float | None = column(
        models.Phase.cpu_seconds,
        filters=True,
        sorts=True,
        description="The CPU time, in user and system mode, of all its processes; null if unknown.",
    )
    peak_memory_bytes: Long | None = column(
        models.Phase.peak_memory_bytes,
        filters=True,
        sorts=True,
        description="The most resident memory that one of its processes had, Spack's own among them; null if "
        "unknown.",
    )
    reported_at: datetime = column(
        models.Phase.reported_at, filters=True, sorts=True, description="When its end was reported."
    )
    log: Log | None = embedded(
        present=logs.has_log,
        arguments=[
            argument("from_line", int | None, "The first line, from 1; -100 is the last but 99."),
            argument("to_line", int | None, "The last line, counted alike."),
        ],
        limits=logs.line_limits,
        description="What it printed, or the lines that are asked for; null if nothing was sent.",
    )
    log_events: Connection[LogEvent] = connection(
        models.LogEvent,
        belongs=_LOG_EVENTS,
        order=[models.LogEvent.position],
        filters=True,
        description="What its log says went wrong, by line; empty if it has no log, or none that was read.",
    )
    attempt: "Attempt" = relation(models.Phase.attempt_id, filters=True, description="The run it is part of.")


@noun("runs of builds")
class Attempt(Node):
    """One run of a build."""

    id: strawberry.ID = identity(models.Attempt)
    number: int = column(
        models.Attempt.number,
        filters=True,
        sorts=True,
        description="The run's number within its build, from 1.",
    )
    status: BuildStatus = column(models.Attempt.status, filters=True, description="The run's status.")
    spack_version: str | None = column(
        models.Attempt.spack_version, filters=True, description="The Spack that ran it."
    )
    spack_revision: str | None = column(
        models.Attempt.spack_revision,
        filters=True,
        description="That Spack's commit; null if unknown.",
    )
    started_at: datetime | None = column(
        models.Attempt.started_at,
        filters=True,
        sorts=True,
        description="When it began; null if no source says when it ran.",
    )
    finished_at: datetime | None = column(
        models.Attempt.finished_at, filters=True, sorts=True, description="When it ended."
    )
    end_is_inferred: bool = column(
        models.Attempt.end_is_inferred,
        filters=True,
        description="Whether `finishedAt` is the time of the last report, because no source reported an end.",
    )
    reported_at: datetime = column(
        models.Attempt.reported_at, filters=True, sorts=True, description="When it was first reported."
    )
    duration_seconds: float | None = column(
        models.Attempt.duration_seconds,
        filters=True,
        sorts=True,
        description="How long it took; null if unknown.",
    )
    cpu_seconds: float | None = column(
        models.Attempt.cpu_seconds,
        filters=True,
        sorts=True,
        description="The CPU time of its phases together, as far as it is known; null if of none.",
    )
    peak_memory_bytes: Long | None = column(
        models.Attempt.peak_memory_bytes,
        filters=True,
        sorts=True,
        description="The most `peakMemoryBytes` of its phases; null if unknown.",
    )
    installed_from: InstalledFrom | None = column(
        models.Attempt.installed_from,
        filters=True,
        description="Where the installed files came from; null if no source says so.",
    )
    environment: BuildEnvironment = relation(
        models.Attempt.environment_id, filters=True, description="Where it ran."
    )
    ci_job: _CiJob | None = relation(
        models.Attempt.ci_job_id, filters=True, description="The job of a CI run that it was part of."
    )
    ci_run: _CiRun | None = relation(
        models.Attempt.ci_job_id,
        models.CiJob.ci_run_id,
        filters=True,
        description="The CI run that it was part of.",
    )
    prefix: str | None = column(
        models.Attempt.prefix, filters=True, description="Where it was installed; null if unknown."
    )
    configure_arguments: str | None = column(
        models.Attempt.configure_arguments_id,
        _ARGUMENTS,
        filters=by(StringFilter, compares_shared(models.Attempt.configure_arguments_id, _ARGUMENTS)),
        description="The arguments of its configure phase.",
    )
    environment_variables: list[EnvironmentVariable] = listing(
        models.EnvironmentVariable,
        belongs=variables_of_attempt,
        order=[models.EnvironmentVariable.name],
        filters=True,
        has_where=True,
        description="The environment it ran in, by name.",
    )
    tags: Connection[_Tag] = connection(
        models.Tag,
        belongs=tags_of_attempt,
        rows=10,
        order=[models.Tag.name],
        filters=True,
        description="Its tags, by name.",
    )
    install_folder: InstallFolder = install_folder(models.Attempt.manifest_id, models.Attempt.prefix)
    install_files: InstallFileConnection = connection(
        models.InstallFile, belongs=files_of_attempt, filters=True, description="What it installed."
    )
    analyses: list[_Analysis] = listing(
        models.Analysis,
        belongs=_ANALYSES,
        order=[models.Analysis.analyzer],
        filters=True,
        description="The analyzers that ran over it, by name.",
    )
    build: _Build = relation(models.Attempt.build_id, filters=True, description="The build.")
    phases: BuildPhaseConnection = connection(
        models.Phase,
        belongs=_PHASES,
        rows=5,
        order=[(models.Phase.kind_id, models.PhaseKind.position)],
        filters=True,
        description="Its phases in their order.",
    )
    installed_bytes: Long | None = value(
        installed_bytes(models.Attempt.manifest_id),
        cost=10,
        filters=True,
        sorts=True,
        description="The total size of what it installed; null if no list of files is known.",
    )
    events: BuildEventConnection = connection(
        models.BuildEvent, belongs=_EVENTS, filters=True, description="Its errors and warnings."
    )
    root_event: BuildEvent | None = chosen(
        models.BuildEvent,
        root_event,
        filters=True,
        description="The error to read first: of the reported ones, else in the log of its first failed "
        "phase that has one; null if there is none.",
    )
    root_failure: "Attempt | None" = chosen(
        models.Attempt,
        root_failure_of_run,
        filters=True,
        description="The run that really broke, if this failed or was cancelled, as `Build.rootFailure`: "
        "itself, or one of what it depends on.",
    )
    first_error_group: _ErrorGroup | None = chosen(
        models.ErrorGroup,
        first_error_group_id,
        filters=True,
        description="The group of its first error; null if there is none.",
    )
    error_news: ErrorNews | None = value(
        error_news,
        cost=10,
        filters=True,
        description="Whether runs of the site had the error of `rootEvent` before: equal errors of whatever "
        "package. Null without an error, or if no source says when the run began.",
    )
    error_count: int = column(models.Attempt.error_count, filters=True, description="How many errors it has.")
    warning_count: int = column(
        models.Attempt.warning_count, filters=True, description="How many warnings it has."
    )
    sources: list[Claim] = listing(
        models.Claim,
        belongs=_SOURCES,
        rows=2,
        order=[models.Claim.first_reported_at, models.Claim.id],
        filters=True,
        description="The claims of its sources, oldest first.",
    )
