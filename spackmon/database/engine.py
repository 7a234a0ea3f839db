"""The engines of SQLAlchemy, and how SQLite's files are opened."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from spackmon.database.roles import ISOLATION, Role, connection_parameters, session_settings

READS_ONLY = "spackmon_reads_only"
# A commit is on the disk before it is acknowledged: in WAL mode, NORMAL syncs at checkpoints alone, and a
# power failure takes the minutes since the last one (docs/decisions/0008-a-commit-is-on-the-disk.md).
SYNCHRONOUS = "FULL"
# Another process may write for as long as this; a command has nobody behind it.
SQLITE_BUSY_SECONDS = 30.0
# Waiting for a connection keeps a thread from others; whoever gets none is held as in an outage.
_POOL_SECONDS = 5.0
# What a client reports, a build's environment above all, may hold its secrets: errors do not quote it.
_NOT_IN_LOGS = True
_OWNER_ALONE = 0o600
_NOT_THE_OWNER = stat.S_IRWXG | stat.S_IRWXO


def engine_for(url: URL, role: Role, *, is_pooled: bool = False) -> Engine:
    """For transactions of a role; `is_pooled`: `url` leads to a pooler that lends sessions for one each."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, role)
    return _postgresql_engine(url, role, is_pooled)


def _postgresql_engine(url: URL, role: Role, is_pooled: bool) -> Engine:
    # Clients bring many short transactions; pre-ping would cost each a round trip, and a connection
    # that a restart killed is noticed and replaced by the retry.
    engine = create_engine(
        url, pool_size=min(8, role.connections), max_overflow=role.connections - min(8, role.connections),
        pool_timeout=_POOL_SECONDS, hide_parameters=_NOT_IN_LOGS,
        # A pooler's settings are the transaction's.
        isolation_level=ISOLATION if role.writes or is_pooled else "AUTOCOMMIT",
        connect_args=connection_parameters(role, url, is_pooled=is_pooled),
    )  # fmt: skip

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(*session_settings(role, is_pooled=True))

    def begin_session(connection: Any, _: object) -> None:
        autocommit, connection.autocommit = connection.autocommit, True
        connection.execute(*session_settings(role))
        connection.autocommit = autocommit

    if is_pooled:
        event.listen(engine, "begin", begin_transaction)
    else:
        event.listen(engine, "connect", begin_session)
    return engine


def _sqlite_engine(url: URL, role: Role) -> Engine:
    """Each transaction that writes begins with the lock of the one writer there can be."""
    engine = create_engine(
        url, pool_size=role.connections, max_overflow=0, pool_timeout=_POOL_SECONDS,
        hide_parameters=_NOT_IN_LOGS,
        connect_args={"timeout": role.lock_seconds or SQLITE_BUSY_SECONDS, "check_same_thread": False},
    )  # fmt: skip

    @event.listens_for(engine, "do_connect")
    def protect(*_: Any) -> None:
        protect_files(url.database or "")

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own BEGIN comes too late and too weak: see begin() below.
        connection.isolation_level = None
        # Built in from SQLite 3.41 on; ingest hands over bytes as JSON.
        connection.create_function("unhex", 1, _from_hexadecimal, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
        # Of macOS, whose fsync leaves the data in the disk's cache; elsewhere they mean nothing.
        connection.execute("PRAGMA fullfsync = ON")
        connection.execute("PRAGMA checkpoint_fullfsync = ON")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = {-1024 * role.sqlite_cache_mb}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READS_ONLY):
            return
        # A transaction that reads first and writes later fails at once when another wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def protect_files(database: str) -> None:
    """See to it that nobody but its owner can read the SQLite file and what stands beside it.

    SQLite makes files by the umask, and -wal and -shm with the mode of the database. What cannot be made
    or changed is left to SQLite, whose error is the better one.
    """
    path = Path(database)
    try:
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _OWNER_ALONE))
        for file in (path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal"))):
            if file.exists() and file.stat().st_mode & _NOT_THE_OWNER:
                file.chmod(_OWNER_ALONE)
    except OSError:
        return


def _from_hexadecimal(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)
