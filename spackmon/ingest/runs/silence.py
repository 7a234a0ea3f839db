"""Runs whose client is gone: killed, or on a machine that went down, it never says how they ended.

After a long silence the claim of such a client is abandoned, and by it the run counts as CANCELLED. That is
an inference: a report that comes after all is about a run that goes on.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.rows import Statement
from spackmon.ingest.runs.resolution import rewrite_all
from spackmon.ingest.tables import claims, client_claims

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166303)")

# As much as one transaction takes: reports wait for the packages that it locks.
_AT_ONCE = 100


def end_silent_runs(connection: Connection, now: datetime, silence_seconds: float) -> int:
    """Abandon live claims that heard nothing for so long, some at a time; how many were.

    0 when there are none left, and while another process does it.
    """
    if not _TURN.run(connection)[0][-1]:
        return 0
    silence = timedelta(seconds=silence_seconds)
    silent = client_claims.silent(connection, now - silence, _AT_ONCE)
    share_graphs(connection)
    lock_packages(connection, (package_id for _, package_id in silent))
    abandoned = []
    # Read after the locks are held: a report may have come since.
    for stored in claims.load_claims(connection, (claim_id for claim_id, _ in silent)).values():
        claim = stored.claim
        if claim.has_ended or claim.last_reported_at >= now - silence:
            continue
        # When the silence was long enough, and not when somebody looked.
        ended = replace(claim, abandoned_at=claim.last_reported_at + silence)
        abandoned.append((stored, replace(stored, claim=ended)))
    if abandoned:
        rewrite_all(connection, abandoned, now)
    return len(abandoned)
