"""The two ways to the database: transactions that write, statements that read.

Writes go through SQLAlchemy Core in a worker thread and are held through a short outage, because an old
Spack client gives up its build on the first error (a monitor must never break a build). Reads go
through the bare driver: a compiled operation is one statement whose single value is the answer's text,
and any layer in between would cost more than the rest of the request.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

import anyio
import anyio.to_thread
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from spackmon.errors import Refused

Result = TypeVar("Result")
log = structlog.get_logger()

# PostgreSQL restarting takes seconds; 20 s are promised, and a client waits at least 60 s.
HELD_SECONDS = 30.0
_RETRY_SECONDS = 0.2
_SQLITE_BUSY_SECONDS = 30.0
_SERIALIZATION_FAILURE, _DEADLOCK_DETECTED = "40001", "40P01"
_READ_THREADS = 4
STATEMENT_TIMEOUT_SECONDS = 30.0
# Enough that a round trip is cheap beside it (on a busy machine it is a wait for a processor), little enough
# that it is small beside the process; the first rows come soon.
_STREAMED_BYTES = 1 << 20
_FIRST_STREAMED_ROWS, _MOST_STREAMED_ROWS = 500, 5_000
# Often enough for a limit in seconds; less often than any of it could be measured.
_SQLITE_STEPS_BETWEEN_LOOKS = 50_000
# What a client reports, a build's environment above all, may hold its secrets: errors do not quote it.
_NOT_IN_LOGS = True
_READS_ONLY = "spackmon_reads_only"


class Reader(Protocol):
    """Runs one reading statement; the answer is its only value."""

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        """The UTF-8 of the single text that `statement` (in the driver's own parameter style) selects."""

    def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        """The rows that `statement` selects, some at a time, out of one snapshot; closing it stops it."""

    async def close(self) -> None:
        """Give the connections back."""


class Database:
    """One database, SQLite or PostgreSQL, named by an SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        if self.url.get_backend_name() == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: Engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        # SQLite has one writer at a time: queueing here is fair and cheap, its busy loop is neither.
        self._sqlite_writer = threading.Lock()

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def write_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, in this thread; it is rolled back if it raises."""
        if not self.is_sqlite:
            with self.engine.begin() as connection:
                return work(connection)
        with self._sqlite_writer, self.engine.begin() as connection:
            return work(connection)

    def read_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work`, which only reads, in this thread; it waits for no writer."""
        with self.engine.connect() as connection:
            return work(connection.execution_options(**{_READS_ONLY: True}))

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """`write_once`, held through an outage of up to HELD_SECONDS; for the command line.

        Raises Refused DATABASE_UNAVAILABLE when the database stays away.
        """
        deadline = time.monotonic() + HELD_SECONDS
        while True:
            try:
                return self.write_once(work)
            except DBAPIError as error:
                _raise_unless_passing(error, deadline)
            time.sleep(_RETRY_SECONDS)

    async def write_held(self, work: Callable[[Connection], Result]) -> Result:
        """`write` for the server: the transaction runs in a worker thread, the waiting does not.

        `work` may run several times; it must not keep anything from a run that failed.
        """
        return await self._held(self.write_once, work)

    async def read_held(self, work: Callable[[Connection], Result]) -> Result:
        """`read_once` for the server, held through an outage as a write is."""
        return await self._held(self.read_once, work)

    async def _held(
        self, run: Callable[[Callable[[Connection], Result]], Result], work: Callable[[Connection], Result]
    ) -> Result:
        deadline = time.monotonic() + HELD_SECONDS
        while True:
            try:
                return await anyio.to_thread.run_sync(run, work)
            except DBAPIError as error:
                _raise_unless_passing(error, deadline)
            await anyio.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Close the writing connections."""
        self.engine.dispose()

    @asynccontextmanager
    async def reader(
        self, statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
    ) -> AsyncIterator[Reader]:
        """The reading side, for as long as the server runs; a slower statement is Refused."""
        opened: _SqliteReader | _PostgresqlReader
        if self.is_sqlite:
            opened = _SqliteReader(self.url.database or "", statement_timeout_seconds)
        else:
            opened = _PostgresqlReader(self.url, statement_timeout_seconds)
            await opened.open()
        try:
            yield opened
        finally:
            await opened.close()


def _raise_unless_passing(error: DBAPIError, deadline: float) -> None:
    """Return if the same work may succeed in a moment, otherwise raise."""
    state = getattr(error.orig, "sqlstate", None)
    conflict = state in (_SERIALIZATION_FAILURE, _DEADLOCK_DETECTED)
    # Class 57P: the server is stopping or starting; class 08 and no state at all: the connection is gone.
    away = isinstance(error, OperationalError | InterfaceError) and (
        state is None or state.startswith(("08", "57P")) or error.connection_invalidated
    )
    if isinstance(error.orig, sqlite3.Error):
        away = "locked" in str(error.orig)
    if not (conflict or away):
        raise error
    if time.monotonic() > deadline:
        raise _unavailable() from error
    log.warning("write_held", error=str(error.orig).strip().split("\n")[0])


def _unavailable() -> Refused:
    return Refused("DATABASE_UNAVAILABLE", 503, f"the database did not answer for {HELD_SECONDS:.0f} s")


def _postgresql_engine(url: URL) -> Engine:
    # Clients bring many short transactions; pre-ping would cost each a round trip, and a connection
    # that a restart killed is noticed and replaced by the retry.
    return create_engine(
        url, pool_size=8, max_overflow=24, pool_timeout=HELD_SECONDS, hide_parameters=_NOT_IN_LOGS,
        connect_args={"connect_timeout": 5},
    )  # fmt: skip


def _from_hexadecimal(digits: str | None) -> bytes | None:
    return None if digits is None else bytes.fromhex(digits)


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url, hide_parameters=_NOT_IN_LOGS,
        connect_args={"timeout": _SQLITE_BUSY_SECONDS, "check_same_thread": False},
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own BEGIN comes too late and too weak: see begin() below.
        connection.isolation_level = None
        # Built in from SQLite 3.41 on; ingest hands over bytes as JSON.
        connection.create_function("unhex", 1, _from_hexadecimal, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_READS_ONLY):
            return
        # A transaction that reads first and writes later fails at once when another wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _too_slow(limit_seconds: float) -> Refused:
    return Refused(
        "STATEMENT_TIMEOUT", 503, f"the database did not finish within {limit_seconds:g} s: ask for less"
    )


async def _stoppable(work: Coroutine[Any, Any, Result], stop: Callable[[], Awaitable[None]]) -> Result:
    """What `work` answers; when the caller is cancelled it is stopped and waited for, and only then left."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await stop()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


def _rows_to_follow(rows: list[tuple[bytes, ...]]) -> int:
    """How many rows like these make a batch."""
    size = sum(len(value) for row in rows for value in row)
    return max(1, min(_MOST_STREAMED_ROWS, len(rows) * _STREAMED_BYTES // max(size, 1)))


class _SqliteConnection:
    """A connection that cannot write and gives a statement, or a batch of rows, only so much time."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._connection = sqlite3.connect(path, timeout=_SQLITE_BUSY_SECONDS, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.text_factory = bytes
        self._connection.set_progress_handler(self._is_late, _SQLITE_STEPS_BETWEEN_LOOKS)
        self._timeout_seconds = timeout_seconds
        self._deadline = 0.0

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """What `work` reads; Refused when it takes too long."""
        self._deadline = time.monotonic() + self._timeout_seconds
        try:
            return work(self._connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT and self._is_late():
                raise _too_slow(self._timeout_seconds) from error
            # SQLite before 3.46 parses with a stack of 100 entries, of which a list takes about 15.
            if "parser stack overflow" not in str(error):
                raise
            sentence = (
                "the operation nests more lists than this server's SQLite can parse: ask in two operations"
            )
            raise Refused("QUERY_TOO_DEEP", 400, sentence) from error

    async def interrupt(self) -> None:
        """End what another thread is running."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class _SqliteReader:
    """Connections in threads of their own, so that no read waits for a writer."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._path, self._timeout_seconds = path, timeout_seconds
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="sqlite-read")

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        connection: _SqliteConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _SqliteConnection(self._path, self._timeout_seconds)
            self._local.connection = connection
        (value,) = connection.run(lambda opened: opened.execute(statement, parameters).fetchone())
        return bytes(value)

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._fetch, statement, parameters)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        connection = _SqliteConnection(self._path, self._timeout_seconds)

        async def run(work: Callable[[sqlite3.Connection], Result]) -> Result:
            # Not the threads above: whoever asks a question does not wait for exports.
            return await _stoppable(asyncio.to_thread(connection.run, work), connection.interrupt)

        try:
            cursor = await run(lambda opened: opened.execute(statement, parameters))
            cursor.arraysize = _FIRST_STREAMED_ROWS
            while rows := await run(lambda _: cursor.fetchmany()):
                yield rows
                cursor.arraysize = _rows_to_follow(rows)
        finally:
            connection.close()

    async def close(self) -> None:
        self._threads.shutdown(wait=True)


class _TextAsBytes(Loader):
    """The answer's text passes through to the socket: decoding and encoding it would cost twice."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


class _PostgresqlReader:
    """A pool of autocommit connections with every statement prepared."""

    def __init__(self, url: URL, timeout_seconds: float) -> None:
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._timeout_seconds = timeout_seconds
        self._pool = AsyncConnectionPool(
            self._address,
            min_size=1,
            max_size=16,
            open=False,
            timeout=HELD_SECONDS,
            configure=self._configure,
            kwargs={"autocommit": True, "connect_timeout": 5, "prepare_threshold": 0},
        )

    async def _configure(self, connection: AsyncConnection[Any]) -> None:
        connection.adapters.register_loader("text", _TextAsBytes)
        # Not as an option of the connection: a pooler between does not pass it on.
        milliseconds = str(round(self._timeout_seconds * 1000))
        await connection.execute("SELECT set_config('statement_timeout', %s, false)", [milliseconds])

    async def open(self) -> None:
        # Not waiting: the server starts while PostgreSQL is away, and readyz says so.
        await self._pool.open(wait=False)

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        deadline = time.monotonic() + HELD_SECONDS
        while True:
            try:
                return await self._fetch(statement, parameters)
            except psycopg.errors.QueryCanceled as error:
                raise _too_slow(self._timeout_seconds) from error
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise _unavailable() from error
            await anyio.sleep(_RETRY_SECONDS)

    async def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, parameters)
            ((value,),) = await cursor.fetchall()
            return cast(bytes, value)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        # Not one of the pool's: whoever asks a question does not wait for exports.
        try:
            connection = await AsyncConnection.connect(self._address, connect_timeout=5)
        except psycopg.OperationalError as error:
            raise Refused("DATABASE_UNAVAILABLE", 503, "the database does not answer") from error
        try:
            await self._configure(connection)
            cursor = connection.cursor(name="export")
            await _stoppable(cursor.execute(statement, parameters), connection.cancel_safe)
            cursor.arraysize = _FIRST_STREAMED_ROWS
            while rows := await _stoppable(cursor.fetchmany(), connection.cancel_safe):
                yield rows
                cursor.arraysize = _rows_to_follow(rows)
        except psycopg.errors.QueryCanceled as error:
            raise _too_slow(self._timeout_seconds) from error
        finally:
            await connection.close()

    async def close(self) -> None:
        await self._pool.close()
