"""Runs of a CI system and their jobs: one row for each, completed by whoever says more of it."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, get_or_create
from spackmon.submission import CiJob


def _longer(column: str) -> str:
    """The longer of two texts, of equal ones the greater: the same in any order."""
    new = f"CAST(:{column} AS text)"
    return f"""
        {column} = CASE
            WHEN {new} IS NULL THEN {column}
            WHEN {column} IS NULL OR length({column}) < length({new}) THEN {new}
            WHEN length({column}) = length({new}) AND {column} < {new} THEN {new}
            ELSE {column}
        END
    """


_FIND_RUN = Statement(
    """
    SELECT id, url, ref, commit_sha FROM ci_run
    WHERE provider = :provider AND project = :project AND pipeline_id = :pipeline_id AND stack = :stack
    """
)
_INSERT_RUN = Statement(
    """
    INSERT INTO ci_run (provider, project, pipeline_id, stack, url, ref, commit_sha, created_at)
    VALUES (:provider, :project, :pipeline_id, :stack, :url, :ref, :commit_sha, :now)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)
_COMPLETE_RUN = Statement(
    f"UPDATE ci_run SET {_longer('url')}, {_longer('ref')}, {_longer('commit_sha')} WHERE id = :id"  # noqa: S608 -- of our own constants
)
_FIND_JOB = Statement("SELECT id, name, url FROM ci_job WHERE ci_run_id = :ci_run_id AND job_id = :job_id")
_INSERT_JOB = Statement(
    """
    INSERT INTO ci_job (ci_run_id, job_id, name, url) VALUES (:ci_run_id, :job_id, :name, :url)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)
_COMPLETE_JOB = Statement(
    f"UPDATE ci_job SET {_longer('name')}, {_longer('url')} WHERE id = :id"  # noqa: S608 -- as above
)


def ci_job_of(connection: Connection, job: CiJob, now: datetime) -> int:
    """The id of a job, which and whose run are created and completed as is needed."""
    run = {
        "provider": job.provider.value, "project": job.project, "pipeline_id": job.pipeline_id,
        "stack": job.stack,
    }  # fmt: skip
    facts = {"url": job.pipeline_url, "ref": job.ref, "commit_sha": job.commit}
    run_id = _put(connection, (_FIND_RUN, _INSERT_RUN, _COMPLETE_RUN), run, facts, now=now)
    names = {"ci_run_id": run_id, "job_id": job.job_id}
    facts = {"name": job.job_name, "url": job.job_url}
    return _put(connection, (_FIND_JOB, _INSERT_JOB, _COMPLETE_JOB), names, facts)


def _put(
    connection: Connection, statements: tuple[Statement, Statement, Statement], identity: dict[str, Any],
    facts: dict[str, Any], **more: Any,
) -> int:  # fmt: skip
    find, insert, complete = statements
    row_id, is_new = get_or_create(
        lambda: find.run(connection, **identity), lambda: insert.run(connection, **identity, **facts, **more)
    )
    if not is_new:
        (row,) = find.run(connection, **identity)
        # All jobs of a run say the same of it: only who says more writes.
        if any(value is not None and value != getattr(row, name) for name, value in facts.items()):
            complete.run(connection, id=row_id, **facts)
    return row_id
