"""What an error of a database means: who is held, who is told at once, and how often is tried."""

import asyncio
import contextlib

import psycopg.errors
import pytest
from sqlalchemy import text

from spackmon.database import Database
from spackmon.database.outcome import Outcome, classify
from spackmon.errors import Refused
from tests.databases import PostgresqlServer

# By what PostgreSQL calls them; whatever is not here fails again when it is tried again.
PASSING = {
    "AdminShutdown", "CannotConnectNow", "ConnectionDoesNotExist", "ConnectionException", "ConnectionFailure",
    "CrashShutdown", "DatabaseDropped", "DiskFull", "IdleSessionTimeout", "InsufficientPrivilege", "IoError",
    "ProtocolViolation", "ReadOnlySqlTransaction", "SqlclientUnableToEstablishSqlconnection",
    "SqlserverRejectedEstablishmentOfSqlconnection", "TransactionResolutionUnknown",
}  # fmt: skip
BUSY = {
    "DeadlockDetected", "InsufficientResources", "LockNotAvailable", "OutOfMemory", "SerializationFailure",
    "TooManyConnections",
}  # fmt: skip
TOO_SLOW = {"ConfigurationLimitExceeded", "QueryCanceled"}


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


def test_a_write_for_which_no_connection_is_left_is_held_as_in_an_outage(postgresql_url: str) -> None:
    database = Database(postgresql_url, hold_seconds=0.1)

    async def write() -> int:
        one: int = await database.write_held(lambda c: c.execute(text("SELECT 1")).scalar_one())
        return one

    with contextlib.ExitStack() as taken:
        for _ in range(32):
            taken.enter_context(database.engine.connect())
        with pytest.raises(Refused) as refused:
            asyncio.run(write())
        assert refused.value.code == "DATABASE_UNAVAILABLE"
        # It is not away: others are using it.
        assert database.condition.trouble is None
    assert asyncio.run(write()) == 1
    database.close()
