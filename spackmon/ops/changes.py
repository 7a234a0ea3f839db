"""Word of changes from whoever writes to whoever subscribed: within a process, and between processes.

Nothing is lost where a word is: who subscribed looks once a second all the same. So a word that cannot be
given fails nobody's report, and no report waits for it: PostgreSQL's NOTIFY is sent by a task of its own, as
a transaction that sends one holds all others up as they commit.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import structlog
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.database.listening import Listening
from spackmon.database.undone import note_undone
from spackmon.ingest.tables.changes import are_waiting, forget_changes, number_changes
from spackmon.models import utc_now
from spackmon.ops.notifications.rules import least_position
from spackmon.threads import in_thread

log = structlog.get_logger()

CHANNEL = "spackmon_changes"
_WORDS_APART_SECONDS = 0.1
_RETRY_SECONDS = 5.0
_FORGET_LOOK_SECONDS = 300.0

_NOTIFY = text(f"NOTIFY {CHANNEL}")
# Who is notified looks, and finds what is committed: there is nothing to lose with the word.
_NOT_TO_DISK = text("SET LOCAL synchronous_commit = off")


async def number(database: Database) -> None:
    """Give a position to every change that is committed; SQLite's have one. Raises Refused."""
    if database.is_sqlite:
        return
    while await database.admit_held(are_waiting, impatient=True):
        await database.write_held(number_changes, impatient=True)


async def announce(database: Database) -> None:
    """Say in PostgreSQL that this process wrote, some times a second at most."""
    wrote = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_write() -> None:
        # The loop may be gone as the process ends.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(wrote.set)

    database.on_write.append(on_write)
    try:
        while True:
            await wrote.wait()
            wrote.clear()
            if not database.is_sqlite and database.condition.trouble is None:
                try:
                    await in_thread(_notify, database)
                except Exception as error:
                    log.info("changes_not_announced", reason=type(error).__name__)
            await asyncio.sleep(_WORDS_APART_SECONDS)
    finally:
        database.on_write.remove(on_write)


def _notify(database: Database) -> None:
    with database.health_engine.begin() as connection:
        connection.execute(_NOT_TO_DISK)
        connection.execute(_NOTIFY)


async def listen(database: Database, wake: Callable[[], None], used: asyncio.Event) -> None:
    """Wake whoever subscribed, once somebody did, at the word of another process."""
    while not database.is_sqlite:
        await used.wait()
        try:
            async with Listening(database.direct_url, CHANNEL) as words:
                async for _ in words:
                    wake()
        except Exception as error:
            log.info("changes_not_heard", reason=type(error).__name__)
        await asyncio.sleep(_RETRY_SECONDS)


async def forget_old(database: Database, kept_seconds: float) -> None:
    """Delete the changes of longer ago, some at a time, so that nobody waits."""
    while True:
        await asyncio.sleep(min(_FORGET_LOOK_SECONDS, kept_seconds))
        if database.condition.trouble is None:
            try:
                await number(database)
                while await database.write_held(_forgetting(utc_now(), kept_seconds), impatient=True):
                    pass
            except Exception as error:
                note_undone("changes_not_forgotten", error)


def _forgetting(now: datetime, kept_seconds: float) -> Callable[[Connection], bool]:
    # What a rule has not judged yet is there until it has.
    return lambda connection: forget_changes(connection, now, kept_seconds, least_position(connection))
