"""What an error of a database means: who is held, who is told at once, and how often is tried."""

import asyncio
import sqlite3
from pathlib import Path

import psycopg.errors
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from spackmon.database import Database
from spackmon.database.outcome import BeingPrepared, Outcome, classify
from spackmon.database.undone import note_undone
from spackmon.errors import Code, Refused
from tests.databases import PostgresqlServer

# By what PostgreSQL calls them; whatever is not here fails again when it is tried again.
PASSING = {
    "AdminShutdown", "CannotConnectNow", "ConnectionDoesNotExist", "ConnectionException", "ConnectionFailure",
    "CrashShutdown", "DatabaseDropped", "DiskFull", "IdleSessionTimeout", "InsufficientPrivilege", "IoError",
    "ProtocolViolation", "ReadOnlySqlTransaction", "SqlclientUnableToEstablishSqlconnection",
    "SqlserverRejectedEstablishmentOfSqlconnection", "TransactionResolutionUnknown",
}  # fmt: skip
BUSY = {
    "DeadlockDetected", "IdleInTransactionSessionTimeout", "InsufficientResources", "LockNotAvailable",
    "OutOfMemory", "SerializationFailure", "TooManyConnections",
}  # fmt: skip
TOO_SLOW = {"ConfigurationLimitExceeded", "QueryCanceled", "TransactionTimeout"}


def test_every_error_of_postgresql_has_one_meaning() -> None:
    named = {
        name: classify(error())
        for name, error in vars(psycopg.errors).items()
        if isinstance(error, type) and issubclass(error, psycopg.Error) and error.sqlstate
    }
    by_outcome = {
        outcome: {name for name, trouble in named.items() if trouble.outcome is outcome}
        for outcome in Outcome
    }
    assert by_outcome[Outcome.PASSING] == PASSING
    assert by_outcome[Outcome.BUSY] == BUSY
    assert by_outcome[Outcome.TOO_SLOW] == TOO_SLOW
    assert len(by_outcome[Outcome.BROKEN]) > 200


def test_a_read_that_needs_too_much_is_tried_once(private_postgresql: PostgresqlServer) -> None:
    database = Database(private_postgresql.url)
    with database.engine.begin() as connection:
        connection.execute(text("CREATE SEQUENCE tries"))
        connection.execute(text("ALTER DATABASE postgres SET temp_file_limit = '64kB'"))
        connection.execute(text("ALTER DATABASE postgres SET work_mem = '64kB'"))
    # The first row counts the try, also if it fails; all of them are sorted on the disk.
    statement = """
        SELECT max(i)::text FROM (
            SELECT i FROM (SELECT nextval('tries') AS i UNION ALL SELECT generate_series(1, 200000)) rows
            ORDER BY -i OFFSET 0) sorted
    """

    async def ask() -> None:
        async with database.reader() as reader:
            await reader.fetch(statement, {})

    with pytest.raises(Refused) as refused:
        asyncio.run(ask())
    assert refused.value.code == "STATEMENT_TIMEOUT"
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT last_value FROM tries")).scalar_one() == 1
    database.close()


def test_errors_of_sqlite_mean_the_same(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    small = sqlite3.connect(path, isolation_level=None, timeout=0)
    small.execute("PRAGMA journal_mode = WAL")
    small.execute("CREATE TABLE t (x)")
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    met = {"busy": met_by(small, "INSERT INTO t VALUES (1)")}
    other.execute("ROLLBACK")
    pages = small.execute("PRAGMA page_count").fetchone()[0]
    small.execute(f"PRAGMA max_page_count = {pages}")
    met["full"] = met_by(small, "INSERT INTO t VALUES (zeroblob(100000))")
    small.set_progress_handler(lambda: True, 10)
    met["stopped"] = met_by(small, "SELECT count(*) FROM t a, t b, t c, (VALUES (1), (2), (3), (4))")
    small.set_progress_handler(None, 0)
    small.execute("PRAGMA query_only = ON")
    met["read-only"] = met_by(small, "INSERT INTO t VALUES (1)")
    met["broken"] = met_by(small, "SELECT FROM WHERE")
    (tmp_path / "text").write_text("This is no database, and long enough for its header to be read." * 20)
    met["damaged"] = met_by(sqlite3.connect(tmp_path / "text"), "SELECT * FROM t")
    with pytest.raises(sqlite3.Error) as missing:
        sqlite3.connect(tmp_path / "nowhere" / "file.db")
    met["no file"] = missing.value
    assert {name: (classify(error).outcome, classify(error).is_away) for name, error in met.items()} == {
        "busy": (Outcome.BUSY, False),
        "full": (Outcome.PASSING, False),
        "stopped": (Outcome.TOO_SLOW, False),
        "read-only": (Outcome.PASSING, False),
        "broken": (Outcome.BROKEN, False),
        "damaged": (Outcome.PASSING, False),
        "no file": (Outcome.PASSING, True),
    }


def met_by(connection: sqlite3.Connection, statement: str) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as error:
        connection.execute(statement).fetchall()
    return error.value


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (BeingPrepared(), "info"),
        (Refused(Code.DATABASE_BUSY, "too many are using the database at once: try again later"), "info"),
        (psycopg.OperationalError("the connection is closed"), "info"),
        (KeyError("of the program"), "error"),
    ],
)
def test_work_beside_requests_that_met_an_outage_is_no_fault_in_the_log(error: Exception, level: str) -> None:
    with capture_logs() as lines:
        note_undone("counts_not_folded", error)
    (line,) = lines
    assert (line["log_level"], "exc_info" in line) == (level, level == "error")
