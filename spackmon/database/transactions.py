"""Transactions: in this thread, or held through an outage."""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread
import structlog
from sqlalchemy import Connection, Engine, make_url, text

from spackmon.database.condition import Condition
from spackmon.database.engine import POSTGRESQL_CONNECTIONS, READS_ONLY, postgresql_engine, sqlite_engine
from spackmon.database.outcome import READ_ONLY, BeingPrepared, Outcome, Trouble, classify
from spackmon.database.postgresql_reader import PostgresqlReader
from spackmon.database.readers import RETRY_SECONDS, STATEMENT_TIMEOUT_SECONDS, Reader, unavailable
from spackmon.database.sqlite_reader import SqliteReader

Result = TypeVar("Result")
log = structlog.get_logger()

# PostgreSQL restarting takes seconds; 20 s are promised, and a client waits at least 60 s.
HOLD_SECONDS = 30.0
# An outage is waited for once: whoever comes later than its hold gets so long, for the moment of its end.
_LATER_HOLD_SECONDS = 2.0
# Threads are shared with everything else that must not wait for a writer: SQLite has one at a time.
_SQLITE_WRITERS = 8
_READERS = 8
_PROBE_SECONDS = 1.0
# So much must be free before a full disk counts as well again.
_PROBE_BYTES = 1 << 20
# About as much, and more than what a table that is there has free.
_PROBE = "CREATE TEMPORARY TABLE spackmon_probe ON COMMIT DROP AS SELECT i FROM generate_series(1, 30000) i"


class Database:
    """One database, SQLite or PostgreSQL, named by an SQLAlchemy URL."""

    def __init__(
        self, url: str, *, hold_seconds: float = HOLD_SECONDS, prepare: Callable[[], None] | None = None
    ) -> None:
        """`prepare` sees to the tables, before the first transaction; it is held as that is.

        It raises Unprepared where the database is not as this program needs it.
        """
        self.url = make_url(url)
        if self.url.get_backend_name() == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine: Engine = sqlite_engine(self.url) if self.is_sqlite else postgresql_engine(self.url)
        self.condition = Condition()
        self.hold_seconds = hold_seconds
        # SQLite has one writer at a time: queueing here is fair and cheap, its busy loop is neither.
        self._sqlite_writer = threading.Lock()
        writers = _SQLITE_WRITERS if self.is_sqlite else POSTGRESQL_CONNECTIONS - _READERS
        self._writers, self._readers = anyio.CapacityLimiter(writers), anyio.CapacityLimiter(_READERS)
        self._prepare = prepare
        self._preparing, self._one_by_one = threading.Lock(), threading.Lock()
        self._reader: SqliteReader | PostgresqlReader | None = None
        self._wrote_at_seconds = 0.0

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    def write_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, in this thread; it is rolled back if it raises."""
        writer = self._sqlite_writer if self.is_sqlite else nullcontext()
        with self._turn(), writer, self.engine.begin() as connection:
            result = work(connection)
        self._wrote_at_seconds = time.monotonic()
        self.condition.worked(wrote=True)
        return result

    def read_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work`, which only reads, in this thread; it waits for no writer."""
        with self._turn(), self.engine.connect() as connection:
            result = work(connection.execution_options(**{READS_ONLY: True}))
        self.condition.worked(wrote=False)
        return result

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """`write_once`, held while the database is away, up to HOLD_SECONDS; for the command line.

        Raises Refused DATABASE_UNAVAILABLE when it stays away, and at once when it cannot be written.
        """
        began = time.monotonic()
        while True:
            try:
                return self.write_once(work)
            except Exception as error:
                trouble = classify(error)
                can_wait = trouble.is_away or trouble.outcome is Outcome.BUSY
                self._raise_unless_passing(error, began, self.hold_seconds if can_wait else 0)
            time.sleep(RETRY_SECONDS)

    async def write_held(self, work: Callable[[Connection], Result], *, impatient: bool = False) -> Result:
        """`write` for the server: the transaction runs in a worker thread, the waiting does not.

        `work` may run several times; it must not keep anything from a run that failed. `impatient`:
        the caller can do without the database, and does not wait for an outage that others have waited for.
        """
        return await self._held(self.write_once, work, self._writers, impatient)

    async def read_held(self, work: Callable[[Connection], Result], *, impatient: bool = False) -> Result:
        """`read_once` for the server, held through an outage as a write is."""
        return await self._held(self.read_once, work, self._readers, impatient)

    async def _held(
        self,
        run: Callable[[Callable[[Connection], Result]], Result],
        work: Callable[[Connection], Result],
        limiter: anyio.CapacityLimiter,
        impatient: bool,
    ) -> Result:
        hold_seconds = self.hold_seconds
        if impatient:
            left = hold_seconds - self.condition.standing_seconds()
            hold_seconds = min(hold_seconds, max(left, _LATER_HOLD_SECONDS))
        began = time.monotonic()
        while True:
            try:
                return await anyio.to_thread.run_sync(run, work, limiter=limiter)
            except Exception as error:
                self._raise_unless_passing(error, began, hold_seconds)
            await anyio.sleep(RETRY_SECONDS)

    def _raise_unless_passing(self, error: Exception, began_seconds: float, hold_seconds: float) -> None:
        """Return if the same work may succeed in a moment, otherwise raise."""
        trouble = classify(error)
        if trouble.outcome not in (Outcome.PASSING, Outcome.BUSY):
            raise error
        self._failed(trouble, error)
        waited_seconds = time.monotonic() - began_seconds
        if waited_seconds > hold_seconds:
            raise unavailable(waited_seconds, trouble.reason) from error

    def _failed(self, trouble: Trouble, error: Exception) -> None:
        self.condition.failed(trouble, error)
        if trouble.outcome is Outcome.BUSY:
            log.info("transaction_retried", reason=trouble.reason)
        if trouble.outlives_connection:
            self._close_idle()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Around everything that uses the database, which is prepared then.

        SQLite's connections of one process share what they have opened: as long as one of them is left from
        when the file could only be read, no other can write. Then it is one after the other, by new ones.
        """
        trouble = self.condition.trouble
        if not self.is_sqlite or trouble is None or not trouble.outlives_connection:
            self._prepared()
            yield
            return
        with self._one_by_one:
            self._close_idle()
            try:
                self._prepared()
                yield
            finally:
                self._close_idle()

    def _close_idle(self) -> None:
        self.engine.dispose()
        if isinstance(self._reader, SqliteReader):
            self._reader.close_idle()

    def _prepared(self) -> None:
        if self._prepare is None:
            return
        # Whoever waited here would wait once more for each of those that fail before.
        if not self._preparing.acquire(blocking=False):
            raise BeingPrepared
        try:
            if self._prepare is not None:
                self._prepare()
                self._prepare = None
        finally:
            self._preparing.release()

    def probe(self) -> str | None:
        """Why nothing could be written now, or None; for /readyz, in a thread of its own.

        A full disk is not seen by reading, and a read-only one by nothing but a write. One that succeeded a
        moment ago is proof enough.
        """
        if self.condition.trouble is None and time.monotonic() < self._wrote_at_seconds + _PROBE_SECONDS:
            return None
        try:
            with self._turn():
                if self.is_sqlite:
                    self._probe_sqlite()
                else:
                    self._probe_postgresql()
        except Exception as error:
            trouble = classify(error)
            if trouble.outcome is Outcome.BROKEN:
                raise
            self._failed(trouble, error)
        return None if self.condition.trouble is None else self.condition.trouble.reason

    def _has_room(self) -> bool:
        """See whether the disk of the SQLite file has room, where that is in doubt. Raises OSError."""
        trouble = self.condition.trouble
        if trouble is None or not trouble.lacks_room:
            return False
        directory = Path(self.url.database or "").absolute().parent
        with tempfile.TemporaryFile(dir=directory, prefix=".spackmon-room-") as file:
            os.posix_fallocate(file.fileno(), 0, _PROBE_BYTES)
        return True

    def _probe_sqlite(self) -> None:
        # Whoever is writing will see for themselves: a probe waits for nobody.
        if not self._sqlite_writer.acquire(blocking=False):
            return
        try:
            has_room = self._has_room()
            connection = sqlite3.connect(self.url.database or "", timeout=0, isolation_level=None)
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                # The number that is there, but a page of the write-ahead log.
                connection.execute(f"PRAGMA user_version = {version}")
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            if classify(error).outcome is not Outcome.BUSY:
                raise
            return
        except OSError:
            # Still as it was.
            return
        finally:
            self._sqlite_writer.release()
        self._wrote_at_seconds = time.monotonic()
        self.condition.worked(wrote=True, has_room=has_room)

    def _probe_postgresql(self) -> None:
        with self.engine.begin() as connection:
            if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
                self._failed(READ_ONLY, RuntimeError("transaction_read_only is on"))
                return
            if has_room := self.condition.trouble is not None:
                connection.execute(text(_PROBE))
        self.condition.worked(wrote=True, has_room=has_room)

    def close(self) -> None:
        """Close the writing connections."""
        self.engine.dispose()

    @asynccontextmanager
    async def reader(
        self, statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
    ) -> AsyncIterator[Reader]:
        """The reading side, for as long as the server runs; a slower statement is Refused."""
        limits = (statement_timeout_seconds, self.hold_seconds, self.condition)
        opened: SqliteReader | PostgresqlReader
        if self.is_sqlite:
            opened = SqliteReader(self.url.database or "", *limits, self._turn)
        else:
            opened = PostgresqlReader(self.url, *limits, self._prepared_in_thread)
            await opened.open()
        self._reader = opened
        try:
            yield opened
        finally:
            await opened.close()

    async def _prepared_in_thread(self) -> None:
        if self._prepare is not None:
            await anyio.to_thread.run_sync(self._prepared, limiter=self._readers)
