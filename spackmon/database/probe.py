"""Whether the database could be written now, seen by writing: for /readyz, in a thread of its own.

A full disk is not seen by reading, and a read-only one by nothing but a write. One that succeeded a moment
ago is proof enough.
"""

import os
import sqlite3
import tempfile
import time
from pathlib import Path

from sqlalchemy import text

from spackmon.database.outcome import READ_ONLY, Outcome, classify
from spackmon.database.transactions import Database

_PROBE_SECONDS = 1.0
# So much must be free before a full disk counts as well again.
_PROBE_BYTES = 1 << 20
# About as much, and more than what a table that is there has free.
_PROBE = "CREATE TEMPORARY TABLE spackmon_probe ON COMMIT DROP AS SELECT i FROM generate_series(1, 30000) i"


def probe(database: Database) -> str | None:
    """Why nothing could be written now, or None. Raises what is no trouble of the database."""
    condition = database.condition
    if condition.trouble is None and time.monotonic() < database.wrote_at_seconds + _PROBE_SECONDS:
        return None
    try:
        with database.turn():
            (_probe_sqlite if database.is_sqlite else _probe_postgresql)(database)
    except Exception as error:
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise
        database.failed(trouble, error)
        if trouble.outcome is not Outcome.PASSING and condition.trouble is None:
            return trouble.reason
    return None if condition.trouble is None else condition.trouble.reason


def _probe_sqlite(database: Database) -> None:
    # Whoever is writing will see for themselves: a probe waits for nobody.
    with database.only_writer() as is_only:
        if is_only and (has_room := _write_sqlite(database)) is not None:
            database.wrote(has_room=has_room)


def _write_sqlite(database: Database) -> bool | None:
    """Whether there is room, where that is in doubt; None where nothing could be seen."""
    try:
        has_room = _has_room(database)
        connection = sqlite3.connect(database.url.database or "", timeout=0, isolation_level=None)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            # The number that is there, but a page of the write-ahead log.
            connection.execute(f"PRAGMA user_version = {version}")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if classify(error).outcome is not Outcome.BUSY:
            raise
        return None
    except OSError:
        # Still as it was.
        return None
    return has_room


def _has_room(database: Database) -> bool:
    """See whether the disk of the SQLite file has room, where that is in doubt. Raises OSError."""
    trouble = database.condition.trouble
    if trouble is None or not trouble.lacks_room:
        return False
    directory = Path(database.url.database or "").absolute().parent
    with tempfile.TemporaryFile(dir=directory, prefix=".spackmon-room-") as file:
        os.posix_fallocate(file.fileno(), 0, _PROBE_BYTES)
    return True


def _probe_postgresql(database: Database) -> None:
    with database.health_engine.begin() as connection:
        if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
            database.failed(READ_ONLY, RuntimeError("transaction_read_only is on"))
            return
        if has_room := database.condition.trouble is not None:
            connection.execute(text(_PROBE))
    database.condition.worked(wrote=True, has_room=has_room)
