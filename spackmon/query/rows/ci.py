"""What ran in a CI run."""

from typing import Any

from sqlalchemy import ColumnElement, and_, select

from spackmon.models import Attempt, Build, CiJob, Closure
from spackmon.query.sql.scope import Scope


def builds_of_ci_run(run: Scope, build: Scope) -> ColumnElement[bool]:
    """The builds of which a run was part of a CI run."""
    job, attempt = CiJob.__table__.alias(), Attempt.__table__.alias()
    found = select(attempt.c.build_id).where(attempt.c.ci_job_id == job.c.id, job.c.ci_run_id == run.row_id)
    return build.row_id.in_(found.correlate_except(job, attempt))


def roots_of_ci_run(run: Scope, attempt: Scope) -> ColumnElement[bool]:
    """The last runs in a CI run of specs that no other spec in it depends on."""
    job, other, later = CiJob.__table__.alias(), Attempt.__table__.alias(), Attempt.__table__.alias()
    again = CiJob.__table__.alias()
    build, above = Build.__table__.alias(), Closure.__table__.alias()
    is_needed = select(other.c.id).where(
        job.c.ci_run_id == run.row_id,
        other.c.ci_job_id == job.c.id,
        build.c.id == other.c.build_id,
        above.c.ancestor_id == build.c.spec_id,
        above.c.descendant_id == attempt.follow(Attempt.build_id)[Build.spec_id],
    )
    ran_again = select(later.c.id).where(
        later.c.build_id == attempt[Attempt.build_id],
        later.c.number > attempt[Attempt.number],
        again.c.id == later.c.ci_job_id,
        again.c.ci_run_id == run.row_id,
    )
    return and_(
        attempt.follow(Attempt.ci_job_id)[CiJob.ci_run_id] == run.row_id,
        ~is_needed.correlate_except(job, other, build, above).exists(),
        ~ran_again.correlate_except(later, again).exists(),
    )


def ci_run_id(build: Scope) -> ColumnElement[Any]:
    """The id of the CI run that a build's newest run was part of, or NULL."""
    attempt, job = Attempt.__table__.alias(), CiJob.__table__.alias()
    found = select(job.c.ci_run_id).where(
        attempt.c.id == build[Build.newest_attempt_id], job.c.id == attempt.c.ci_job_id
    )
    return found.correlate_except(attempt, job).scalar_subquery()
