"""Runs that are removed for good: their claims end, and what follows from those that stay is derived anew."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages, share_graphs
from spackmon.ingest.runs.resolution import resettle
from spackmon.ingest.tables import attempts, builds, claims, numbers, retention
from spackmon.ingest.tables.changes import note_changes
from spackmon.ingest.tables.elf_files import delete_unused_files
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.facets import Settled
from spackmon.ingest.tables.neighbours import neighbours
from spackmon.ingest.tables.orphans import delete_unused
from spackmon.ingest.tables.run_events import delete_events_of_logs


def remove_runs(connection: Connection, attempt_ids: Collection[int], now: datetime) -> int:
    """Remove runs with all that sources told of them, and builds that have no others; how many builds went.

    A build's number is never given again, and leads nowhere.
    """
    share_graphs(connection)
    rows = retention.rows_of_runs(connection, attempt_ids)
    lock_packages(connection, {row.package_id for row in rows})
    claim_ids = {row.claim_id for row in rows if row.claim_id is not None}
    stored = claims.load_claims(connection, claim_ids)
    # What one of them kept apart may be of one run now.
    pairs = neighbours(connection, [one.claim for one in stored.values()]).pairs
    near = {other for _, other in pairs} - claim_ids
    logs = {phase.log_id for one in stored.values() for phase in one.claim.phases}
    elf_files = retention.elf_files_of(connection, claim_ids)
    attempts_gone = {row.attempt_id for row in rows}
    delete_events_of_logs(connection, attempts_gone)
    _end(connection, claim_ids, attempts_gone)
    removed = _settle(connection, {row.build_id for row in rows}, now)
    for claim_id in sorted(near):
        resettle(connection, claim_id, now)
    delete_unused(connection, "log", logs)
    delete_unused(connection, "manifest", {row.manifest_id for row in rows})
    delete_unused(connection, "environment_set", {row.environment_set_id for row in rows})
    environments = {
        one
        for row in rows
        for one in (row.environment_id, row.build_environment_id, row.claim_environment_id)
    }
    delete_unused(connection, "build_environment", environments)
    delete_unused_files(connection, elf_files)
    return removed


def _end(connection: Connection, claim_ids: Collection[int], attempt_ids: Collection[int]) -> None:
    """A claim and its run refer to each other's rows: counted events and results go with their claims."""
    retention.end_claims(connection, claim_ids)
    attempts.delete_attempts(connection, attempt_ids)


def _settle(connection: Connection, build_ids: Collection[int], now: datetime) -> int:
    """Write builds that lost runs anew; how many have none left and are no more."""
    settled = Settled()
    empty = [
        build_id
        for build_id in sorted(build_ids)
        if not builds.settle_builds(connection, [build_id], now, settled)
    ]
    settled.count(connection)
    count_errors(connection, build_ids)
    for build_id in empty:
        numbers.end_build(connection, build_id)
    note_changes(connection, builds=set(build_ids) - set(empty))
    return len(empty)
