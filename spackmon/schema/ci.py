"""Runs of a CI system, with what they built."""

from datetime import datetime

import strawberry

from spackmon import models
from spackmon.query.meanings.fields import column, connection, identity, relation
from spackmon.query.rows.ci import builds_of_ci_run, roots_of_ci_run
from spackmon.query.rows.relations import refer_by
from spackmon.schema.connection import Connection
from spackmon.schema.groups import AttemptConnection, BuildConnection
from spackmon.schema.node import Node
from spackmon.schema.noun import noun
from spackmon.schema.status import CiProvider


@noun("jobs of CI runs")
class CiJob(Node):
    """A job of a CI run."""

    id: strawberry.ID = identity(models.CiJob)
    job_id: str = column(
        models.CiJob.job_id,
        filters=True,
        sorts=True,
        description="Its id in the CI system; of GitHub Actions its key in the workflow. Empty if unknown.",
    )
    name: str | None = column(models.CiJob.name, filters=True, description="Its name; null if unknown.")
    url: str | None = column(models.CiJob.url, filters=True, description="Its page; null if unknown.")
    ci_run: "CiRun" = relation(models.CiJob.ci_run_id, filters=True, description="The CI run.")
    attempts: AttemptConnection = connection(
        models.Attempt, belongs=refer_by(models.Attempt.ci_job_id), description="The runs that were in it."
    )


@noun("CI runs")
class CiRun(Node):
    """A pipeline of GitLab or a workflow run of GitHub Actions: of one with several stacks, that of one."""

    id: strawberry.ID = identity(models.CiRun)
    provider: CiProvider = column(models.CiRun.provider, filters=True, description="The CI system.")
    project: str = column(
        models.CiRun.project, filters=True, description="The project, by its address where that is known."
    )
    pipeline_id: str = column(
        models.CiRun.pipeline_id,
        filters=True,
        description="The pipeline's id in the CI system; of GitHub Actions the workflow run's.",
    )
    stack: str = column(
        models.CiRun.stack,
        filters=True,
        sorts=True,
        description="The stack that it builds, as `SPACK_CI_STACK_NAME` names it; empty if unknown.",
    )
    url: str | None = column(models.CiRun.url, filters=True, description="Its page; null if unknown.")
    ref: str | None = column(
        models.CiRun.ref, filters=True, description="The branch or the tag that it ran for; null if unknown."
    )
    commit: str | None = column(
        models.CiRun.commit_sha, filters=True, description="The commit that it ran for; null if unknown."
    )
    created_at: datetime = column(
        models.CiRun.created_at, filters=True, sorts=True, description="When it was first reported."
    )
    jobs: Connection[CiJob] = connection(
        models.CiJob, belongs=refer_by(models.CiJob.ci_run_id), filters=True, description="Its jobs."
    )
    attempts: AttemptConnection = connection(
        models.Attempt,
        belongs=refer_by(models.Attempt.ci_job_id, models.CiJob.ci_run_id),
        filters=True,
        description="The runs of builds that were part of it.",
    )
    builds: BuildConnection = connection(
        models.Build, belongs=builds_of_ci_run, filters=True, description="What ran in it."
    )
    roots: AttemptConnection = connection(
        models.Attempt,
        belongs=roots_of_ci_run,
        description="The last runs in it of specs that nothing else in it depends on.",
    )
