"""What a serving process does beside its requests, for as long as it runs."""

from collections.abc import Sequence
from functools import partial

import anyio
import structlog
from sqlalchemy import Connection

from spackmon.auth import tokens
from spackmon.auth.gate import Gate
from spackmon.auth.sessions import Sessions, note_session_uses
from spackmon.auth.signing_keys import LEARNT_SECONDS
from spackmon.database import Database
from spackmon.database.undone import note_undone
from spackmon.ingest.inbox import Reader
from spackmon.ingest.locks import own_graphs
from spackmon.ingest.runs import silence
from spackmon.ingest.tables import error_groups, facets, package_sets, totals
from spackmon.ingest.tables.packing import are_texts, pack_documents
from spackmon.ingest.tables.sealing import full_chunks, seal
from spackmon.log_bucket import LogBucket
from spackmon.models import utc_now
from spackmon.ops import log_objects, quotas, retention
from spackmon.ops.health import Watch
from spackmon.ops.jobs import Job, Jobs
from spackmon.ops.quotas import LatestUse
from spackmon.ops.spool import Spool
from spackmon.quota_rules import QuotaRule
from spackmon.retention_rules import RetentionRule
from spackmon.settings import Settings
from spackmon.threads import in_thread

log = structlog.get_logger()

_LOOK_SECONDS = 1.0
_SILENCE_LOOK_SECONDS = 600.0
_SEAL_LOOK_SECONDS = 600.0
_RETAIN_LOOK_SECONDS = 4 * 3600.0
_QUOTA_LOOK_SECONDS = 1_800.0
_MOVE_LOOK_SECONDS = 600.0
_PACK_LOOK_SECONDS = 0.2
_DOCUMENTS_TOLD = 10_000
# The start waits so long for the database; then the service answers, if only to say what it waits for.
_START_SECONDS = 2.0


async def first_look(watch: Watch) -> None:
    """Make the tables or see that they are there; without either the service starts all the same."""
    with anyio.move_on_after(_START_SECONDS):
        await watch.look()


async def see_end_of_trouble(watch: Watch) -> None:
    """See the end of an outage, also when nobody asks: what waits for it must not wait for a request."""
    while True:
        await anyio.sleep(_LOOK_SECONDS)
        if watch.database.condition.trouble is not None:
            try:
                await watch.look()
            except Exception as error:
                note_undone("database_not_looked_at", error)


async def drain(jobs: Jobs, spool: Spool, database: Database, read: Reader) -> None:
    """Apply what was spooled, also before this process began, as soon as the database can be used."""
    while True:
        if database.condition.trouble is None:
            with jobs.doing(Job.SPOOL, "spool_not_drained"):
                await in_thread(spool.drain, database, read)
        await anyio.sleep(_LOOK_SECONDS)


async def note_uses(jobs: Jobs, gate: Gate, sessions: Sessions, database: Database) -> None:
    """Write down which tokens and sessions were used; what cannot be written now is noted at the next use."""
    while True:
        await anyio.sleep(_LOOK_SECONDS)
        used, used_sessions = gate.take_used(), sessions.take_used()
        if (used or used_sessions) and database.condition.trouble is None:
            with jobs.doing(Job.USES, "uses_not_noted"):
                await database.write_held(partial(tokens.note_uses, used=used))
                await database.write_held(partial(note_session_uses, used=used_sessions))


async def learn_keys(jobs: Jobs, gate: Gate, database: Database) -> None:
    """Learn of keys of access tokens that were rotated, and know them before an outage."""
    while True:
        if database.condition.trouble is None:
            with jobs.doing(Job.KEYS, "keys_not_read"):
                await gate.read_keys()
        await anyio.sleep(LEARNT_SECONDS)


async def end_silent_runs(jobs: Jobs, database: Database, silence_seconds: float) -> None:
    """Cancel the runs whose clients are gone; 0 seconds: never."""
    while silence_seconds > 0:
        await anyio.sleep(min(_SILENCE_LOOK_SECONDS, silence_seconds / 4))
        if database.condition.trouble is None:
            with jobs.doing(Job.SILENCE, "silent_runs_not_ended"):
                await _end_all_silent_runs(database, silence_seconds)


async def fold_counts(jobs: Jobs, database: Database) -> None:
    """Put what reports changed of what is counted into the counts."""
    while True:
        await anyio.sleep(_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.COUNTS, "counts_not_folded"):
                for folding in (error_groups.FOLDING, facets.FOLDING, totals.FOLDING):
                    if await in_thread(database.look_once, folding.waits):
                        await database.write_held(folding.fold)


async def pack_all_documents(jobs: Jobs, database: Database) -> None:
    """Pack the documents that an older program stored as texts, some at a time, so that nobody waits."""
    packed, is_done = 0, False
    while not is_done:
        await anyio.sleep(_PACK_LOOK_SECONDS)
        if database.condition.trouble is None:
            found = 0
            with jobs.doing(Job.DOCUMENTS, "documents_not_packed"):
                is_done = not await in_thread(database.look_once, are_texts)
                found = 0 if is_done else await database.write_held(_pack_documents, impatient=True)
            packed += found
            if packed and (is_done or packed % _DOCUMENTS_TOLD < found):
                log.info("documents_packed", documents=packed, is_all=is_done)


async def learn_package_sets(jobs: Jobs, database: Database) -> None:
    """See which packages are below what an older program stored, some at a time, so that nobody waits."""
    is_done = False
    while not is_done:
        await anyio.sleep(_PACK_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.PACKAGES, "package_sets_not_learnt"):
                is_done = not await in_thread(database.look_once, package_sets.are_unknown)
                if not is_done:
                    await database.write_held(package_sets.learn_some, impatient=True)


def _pack_documents(connection: Connection) -> int:
    own_graphs(connection)
    return pack_documents(connection)


async def seal_contents(jobs: Jobs, database: Database) -> None:
    """Put the contents of builds together where they are many; a chunk at a time, so that nobody waits."""
    while True:
        await anyio.sleep(_SEAL_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.CONTENTS, "contents_not_sealed"):
                for chunk in await in_thread(database.read_once, full_chunks):
                    await database.write_held(partial(seal, chunk=chunk), impatient=True)


async def retain(jobs: Jobs, database: Database, rules: str) -> None:
    """Remove what the rules of RETENTION say is old, a few runs at a time, so that nobody waits."""
    while rules:
        await anyio.sleep(_RETAIN_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.RETENTION, "old_data_not_removed"):
                await _retain(database, retention.rules_of(rules))


async def move_logs(jobs: Jobs, database: Database, bucket: LogBucket | None, settings: Settings) -> None:
    """Move texts of logs to the bucket, and remove the objects that no log refers to any longer."""
    while bucket is not None and not settings.log_bucket_read_only:
        await anyio.sleep(_MOVE_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.LOGS, "logs_not_moved"):
                moved = await in_thread(lambda: sum(log_objects.move_all(database, bucket)))
                removed = await in_thread(
                    lambda: sum(log_objects.remove_unused(database, bucket, settings.log_bucket_kept_days))
                )
                if moved or removed:
                    log.info("logs_moved", moved=moved, removed=removed)


async def keep_to_quotas(jobs: Jobs, database: Database, rules: str, latest: LatestUse) -> None:
    """Remove the oldest beyond QUOTAS, a few at a time, and note how much there is."""
    while rules:
        await anyio.sleep(_QUOTA_LOOK_SECONDS)
        if database.condition.trouble is None:
            with jobs.doing(Job.QUOTAS, "quotas_not_kept"):
                of_site = quotas.quotas_of(rules)
                for rule in of_site:
                    await _keep_to(database, rule)
                latest.used = await in_thread(quotas.use, database, of_site)


async def _keep_to(database: Database, rule: QuotaRule) -> None:
    removed = 0
    for work in await in_thread(lambda: list(quotas.works(database, rule))):
        removed += await database.write_held(work, impatient=True)
    if removed:
        log.info("quota_exceeded", rule=str(rule), removed=removed)


async def _retain(database: Database, rules: Sequence[RetentionRule]) -> None:
    for step in await in_thread(lambda: list(retention.steps(database, rules))):
        total = 0
        while count := await database.write_held(partial(retention.remove_some, step=step), impatient=True):
            total += count
        if total:
            log.info("old_data_removed", rule=str(step.rule), removed=total)


async def _end_all_silent_runs(database: Database, silence_seconds: float) -> None:
    while ended := await database.write_held(
        lambda connection: silence.end_silent_runs(connection, utc_now(), silence_seconds)
    ):
        log.info("silent_runs_ended", runs=ended)
