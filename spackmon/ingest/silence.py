"""Runs whose client is gone: killed, or on a machine that went down, it never says how they ended.

After a long silence such a run counts as CANCELLED. That is an inference, so that the attempt has no
`finished_at`, and a report that comes after all is about a run that goes on.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_builds
from spackmon.ingest.rows import Statement, over_rows

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166302)")

# A client that builds is silent within a phase. One that has more to build says nothing of what is to come
# while it builds something else: as long as its owner reports from that machine, that may still be run.
_IS_SILENT = """
    a.status IN ('RUNNING', 'NOTRUN') AND a.started_at < :silent_since_at AND b.updated_at < :silent_since_at
    AND NOT EXISTS (
        SELECT 1 FROM phase p WHERE p.attempt_id = a.id AND p.reported_at >= :silent_since_at)
    AND NOT EXISTS (
        SELECT 1 FROM build_source s WHERE s.attempt_id = a.id AND s.last_reported_at >= :silent_since_at)
    AND (a.status = 'RUNNING' OR NOT EXISTS (
        SELECT 1 FROM build other
        WHERE other.owner_id = b.owner_id AND other.environment_id = b.environment_id
            AND other.updated_at >= :silent_since_at))
"""

_SILENT = Statement(
    f"SELECT DISTINCT b.id FROM attempt a JOIN build b ON b.id = a.build_id WHERE {_IS_SILENT}"  # noqa: S608
)

_END_ATTEMPTS = over_rows(
    "build_id bigint",
    f"""
    UPDATE attempt SET status = 'CANCELLED'
    WHERE id IN (
        SELECT a.id FROM {{input}} i JOIN build b ON b.id = i.build_id JOIN attempt a ON a.build_id = b.id
        WHERE {_IS_SILENT})
    RETURNING id, build_id, number
    """,  # noqa: S608
)

# A build has the status of its newest attempt.
_END_BUILDS = over_rows(
    "build_id bigint, number integer",
    """
    UPDATE build SET status = 'CANCELLED', updated_at = :now
    WHERE id IN (
        SELECT i.build_id FROM {input} i
        WHERE i.number = (SELECT max(a.number) FROM attempt a WHERE a.build_id = i.build_id))
    """,
)


def end_silent_runs(connection: Connection, now: datetime, silence_seconds: float) -> int:
    """End the runs of which nothing was reported for so long; how many. 0 while another process does it."""
    if not _TURN.run(connection)[0][-1]:
        return 0
    silent_since = now - timedelta(seconds=silence_seconds)
    silent = [(row.id,) for row in _SILENT.run(connection, silent_since_at=silent_since)]
    lock_builds(connection, (build_id for (build_id,) in silent))
    # Once more now that nobody can report about them.
    ended = _END_ATTEMPTS.run(connection, silent, silent_since_at=silent_since)
    _END_BUILDS.run(connection, [(row.build_id, row.number) for row in ended], now=now)
    return len(ended)
