"""Builds, their runs, phases and logs."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query import expressions
from spackmon.query.containment import build_contains_dependency
from spackmon.query.fields import column, connection, embedded, expression, listing, predicate, relation
from spackmon.schema.analysis import Analysis, EnvironmentVariable, InstallFile
from spackmon.schema.connection import Connection
from spackmon.schema.spec import DependencyFilter, Spec
from spackmon.status import BuildStatus

strawberry.enum(BuildStatus, description="How a build or one run of it stands.")


@strawberry.type(description="The machine a build ran on.")
class BuildEnvironment:
    """The machine a build ran on."""

    hostname: str = column(models.BuildEnvironment.hostname, description="The machine's name.")
    platform: str = column(models.BuildEnvironment.platform, description="As `linux`.")
    operating_system: str = column(models.BuildEnvironment.operating_system, description="As `debian12`.")
    target: str = column(models.BuildEnvironment.target, description="The machine's own microarchitecture.")
    kernel_version: str = column(models.BuildEnvironment.kernel_version, description="The kernel's version.")


@strawberry.type(description="Somebody who reports builds.")
class Person:
    """Somebody who reports builds."""

    name: str = column(models.Person.name, description="The account's name.")


@strawberry.type(description="A word that a client gave to builds.")
class Tag:
    """A word that a client gave to builds."""

    name: str = column(models.Tag.name, description="The word.")


@strawberry.type(description="What a phase printed.")
class Log:
    """What a phase printed."""

    text: str = expression(expressions.log_text, is_json=True, description="The whole text.")
    tail: str = expression(
        expressions.log_tail, is_json=True, description="The text's last lines, 200 kB of it at most."
    )
    size_bytes: int = expression(expressions.log_size, is_json=True, description="Its size as UTF-8.")


@strawberry.type(description="A phase of a build, as `configure`.")
class BuildPhase:
    """A phase of a build."""

    id: strawberry.ID = expression(
        expressions.global_id("BuildPhase"), is_json=True, description="Its id in this schema."
    )
    name: str = column(models.Phase.name, description="Its name, as Spack reports it.")
    status: str = column(models.Phase.status, description="As Spack reports it: SUCCESS or ERROR.")
    position: int = column(models.Phase.position, description="Its place among the phases, from 1.")
    reported_at: datetime = column(models.Phase.reported_at, description="When its end was reported.")
    log: Log | None = embedded(
        present=expressions.has_log, description="What it printed; null if nothing was sent."
    )


@strawberry.type(description="One run of a build.")
class Attempt:
    """One run of a build."""

    number: int = column(models.Attempt.number, description="Which run of the build, from 1.")
    status: BuildStatus = column(models.Attempt.status, description="How the run ended, or stands.")
    spack_version: str | None = column(models.Attempt.spack_version, description="The Spack that ran it.")
    started_at: datetime = column(models.Attempt.started_at, description="When it was first reported.")
    finished_at: datetime | None = column(
        models.Attempt.finished_at, description="When its end was reported."
    )
    phases: list[BuildPhase] = listing(
        models.Phase,
        belongs=lambda attempt, phase: phase[models.Phase.attempt_id] == attempt[models.Attempt.id],
        order=[models.Phase.position, models.Phase.id],
        description="Its phases in their order.",
    )


@strawberry.input(description="Which builds; all that is given must hold.")
class BuildFilter:
    """Which builds; all that is given must hold."""

    dependency: DependencyFilter | None = predicate(
        build_contains_dependency, description="Whose spec depends on this, at any depth, by any deptype."
    )


@strawberry.type(description="One installation of a spec in one environment, as its owner reported it.")
class Build:
    """One installation of a spec in one environment, as its owner reported it."""

    id: strawberry.ID = expression(
        expressions.number,
        is_json=True,
        description="Its number, as clients, logs and page addresses know it.",
    )
    spec: Spec = relation(models.Build.spec_id, description="What is built.")
    environment: BuildEnvironment = relation(models.Build.environment_id, description="Where it is built.")
    owner: Person = relation(models.Build.owner_id, description="Who reports it.")
    status: BuildStatus = column(models.Build.status, description="The newest attempt's status.")
    created_at: datetime = column(models.Build.created_at, description="When it was first reported.")
    updated_at: datetime = column(models.Build.updated_at, description="When it was last reported on.")
    tags: list[Tag] = listing(
        models.Tag,
        belongs=expressions.has_tag,
        order=[models.Tag.name],
        description="The words its clients gave it.",
    )
    attempts: list[Attempt] = listing(
        models.Attempt,
        belongs=lambda build, attempt: attempt[models.Attempt.build_id] == build[models.Build.id],
        order=[models.Attempt.number],
        description="Its runs, the first one first.",
    )
    phases: list[BuildPhase] = listing(
        models.Phase,
        belongs=lambda build, phase: phase[models.Phase.attempt_id] == expressions.newest_attempt(build),
        order=[models.Phase.position, models.Phase.id],
        description="The newest attempt's phases in their order.",
    )
    configure_arguments: str | None = column(
        models.Build.configure_arguments, description="The arguments its configure phase was given."
    )
    environment_variables: list[EnvironmentVariable] = listing(
        models.EnvironmentVariable,
        belongs=lambda build, variable: (
            variable[models.EnvironmentVariable.build_id] == build[models.Build.id]
        ),
        order=[models.EnvironmentVariable.name],
        description="The environment it was built in, by name.",
    )
    install_files: Connection[InstallFile] = connection(
        models.InstallFile,
        belongs=lambda build, file: file[models.InstallFile.build_id] == build[models.Build.id],
        description="What it installed.",
    )
    analyses: list[Analysis] = listing(
        models.Analysis,
        belongs=lambda build, analysis: analysis[models.Analysis.build_id] == build[models.Build.id],
        order=[models.Analysis.analyzer],
        description="What analyzers found out about it, by analyzer.",
    )
