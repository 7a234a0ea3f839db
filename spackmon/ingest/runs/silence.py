"""Runs whose client is gone: killed, or on a machine that went down, it never says how they ended.

After a long silence the claim of such a client is abandoned, and by it the run counts as CANCELLED. That is
an inference: a report that comes after all is about a run that goes on.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.rows import Statement
from spackmon.ingest.runs.resolution import rewrite
from spackmon.ingest.tables import claims

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166303)")

# As much as one transaction takes: reports wait for the packages that it locks.
_AT_ONCE = 100

# A client that builds is silent within a phase. One that has more to build says nothing of what is to come
# while it builds something else: as long as its owner reports from that machine, that may still be run.
_SILENT = Statement(
    """
    SELECT c.id, c.package_id FROM claim c
    WHERE c.status IN ('RUNNING', 'NOTRUN') AND c.kind IN ('MS1', 'EXTENSION')
        AND c.abandoned_at IS NULL AND c.cancelled_at IS NULL AND c.last_reported_at < :silent_since_at
        AND (c.is_live OR c.status = 'RUNNING')
        AND (c.status = 'RUNNING' OR NOT EXISTS (
            SELECT 1 FROM claim other
            WHERE other.owner_id = c.owner_id AND other.environment_id = c.environment_id
                AND other.last_reported_at >= :silent_since_at))
    ORDER BY c.last_reported_at, c.id
    LIMIT :at_once
    """
)


def end_silent_runs(connection: Connection, now: datetime, silence_seconds: float) -> int:
    """Abandon live claims that heard nothing for so long, some at a time; how many were.

    0 when there are none left, and while another process does it.
    """
    if not _TURN.run(connection)[0][-1]:
        return 0
    silence = timedelta(seconds=silence_seconds)
    rows = _SILENT.run(connection, silent_since_at=now - silence, at_once=_AT_ONCE)
    share_graphs(connection)
    lock_packages(connection, (row.package_id for row in rows))
    ended = 0
    # Read after the locks are held: a report may have come since.
    for stored in claims.load_claims(connection, (row.id for row in rows)).values():
        claim = stored.claim
        if claim.has_ended or claim.last_reported_at >= now - silence:
            continue
        # When the silence was long enough, and not when somebody looked.
        abandoned = replace(claim, abandoned_at=claim.last_reported_at + silence)
        rewrite(connection, stored, replace(stored, claim=abandoned), now)
        ended += 1
    return ended
