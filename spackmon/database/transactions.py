"""Transactions: in this thread, or held through an outage."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TypeVar

import anyio
import sqlalchemy.exc
import structlog
from sqlalchemy import URL, Connection, Engine

from spackmon.database.condition import Condition
from spackmon.database.engine import READS_ONLY, engine_for
from spackmon.database.outcome import BeingPrepared, Crowded, Outcome, Trouble, Unprepared, classify
from spackmon.database.postgresql_reader import PostgresqlReader
from spackmon.database.readers import RETRY_SECONDS, STATEMENT_TIMEOUT_SECONDS, Hold, Reader
from spackmon.database.refusals import refusal
from spackmon.database.roles import ADMISSION, COMMAND, HEALTH, Role
from spackmon.database.sqlite_reader import SqliteReader
from spackmon.database.turns import Turns
from spackmon.database_urls import parsed
from spackmon.errors import Refused
from spackmon.threads import in_thread

Result = TypeVar("Result")
log = structlog.get_logger()

# PostgreSQL restarting takes seconds; 20 s are promised, and a client waits at least 60 s.
HOLD_SECONDS = 30.0
# An outage is waited for once: whoever comes later than its hold gets so long, for the moment of its end.
_LATER_HOLD_SECONDS = 2.0
_TRY_SECONDS = 1.0
# One writes; the next stands ready.
_SQLITE_WRITERS = 2


class Database:
    """One database, SQLite or PostgreSQL, named by an SQLAlchemy URL."""

    def __init__(
        self,
        url: str,
        *,
        role: Role = COMMAND,
        hold_seconds: float = HOLD_SECONDS,
        prepare: Callable[[], None] | None = None,
        check: Callable[[Connection], Refused | None] | None = None,
        direct_url: str = "",
    ) -> None:
        """`role` is whose transactions these are. `prepare` sees to the tables, before the first of them.

        It raises Unprepared where the database is not as this program needs it, and is held as they are.
        `check` says why the tables are not this program's, where a statement meets that they are not.
        `direct_url` is set where `url` leads to a pooler that lends a session for one transaction.
        """
        self.url = _by_psycopg(parsed(url))
        self.direct_url = _by_psycopg(parsed(direct_url)) if direct_url else self.url
        """Where a session is one's own."""
        self.is_pooled = bool(direct_url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        # Nobody behind a lock is held for longer than behind an outage.
        role = replace(role, lock_seconds=min(role.lock_seconds, hold_seconds))
        self.engine: Engine = engine_for(self.url, role, is_pooled=self.is_pooled)
        self._admission_engine = engine_for(self.url, ADMISSION, is_pooled=self.is_pooled)
        self.health_engine = engine_for(self.url, HEALTH, is_pooled=self.is_pooled)
        self.condition = Condition()
        self.hold_seconds = hold_seconds
        self._role = role
        # SQLite has one writer at a time: queueing here is cheap, its busy loop is not.
        self._sqlite_writer = threading.Lock()
        self._writers = Turns(_SQLITE_WRITERS if self.is_sqlite else role.connections)
        self._admissions = Turns(ADMISSION.connections)
        self._prepare, self._check = prepare, check
        self._preparing, self._one_by_one = threading.Lock(), threading.Lock()
        self._reader: SqliteReader | PostgresqlReader | None = None
        self.wrote_at_seconds = 0.0
        self.on_write: list[Callable[[], None]] = []
        """Called after each transaction that wrote, in its thread; must not raise."""

    @property
    def dialect_name(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def turns(self) -> dict[str, Turns]:
        """Who shares connections, by what for: `write`, `admit`; while it is read, `read` and `export`."""
        found = {"write": self._writers, "admit": self._admissions}
        if self._reader is not None:
            found |= {"read": self._reader.reads, "export": self._reader.exports}
        return found

    def write_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, in this thread; it is rolled back if it raises."""
        with self._of_this_revision(), self.turn(), self._writer(), self.engine.begin() as connection:
            result = work(connection)
        self.wrote()
        for call in self.on_write:
            call()
        return result

    def read_once(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work`, which only reads, in this thread; it waits for no writer."""
        return self._read(work, self.engine)

    def look_once(self, work: Callable[[Connection], Result]) -> Result:
        """`read_once` for who looks after the database: by connections that nobody else uses."""
        return self._read(work, self.health_engine)

    def _admit_once(self, work: Callable[[Connection], Result]) -> Result:
        return self._read(work, self._admission_engine)

    def _read(self, work: Callable[[Connection], Result], engine: Engine) -> Result:
        with self._of_this_revision(), self.turn(), engine.connect() as connection:
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
        Raises Refused, too, DATABASE_BUSY when others write for so long and STATEMENT_TIMEOUT.
        """
        return await self._held(self.write_once, work, self._writers, impatient)

    async def write_tried(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in one transaction, once, in a worker thread: for what is done otherwise if it fails.

        It waits for a turn and for locks only for as long as others do who do not hang. Raises what it met;
        for a statement that ran into a limit Refused, which nobody should try again.
        """

        def hurried(connection: Connection) -> Result:
            if not self.is_sqlite:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(_TRY_SECONDS * 1000)}")
            return work(connection)

        try:
            async with self._writers.turn(time.monotonic() + _TRY_SECONDS):
                return await in_thread(self.write_once, hurried, limiter=self._writers.threads)
        except Exception as error:
            trouble = classify(error)
            self.failed(trouble, error)
            if trouble.outcome is Outcome.TOO_SLOW:
                raise refusal(trouble, 0, self._role.statement_seconds) from error
            raise

    async def admit_held(self, work: Callable[[Connection], Result], *, impatient: bool = False) -> Result:
        """Look up who sends something, or how far they have come; held through an outage as a write is.

        By threads and connections of its own: it waits for no writer.
        """
        return await self._held(self._admit_once, work, self._admissions, impatient)

    async def _held(
        self,
        run: Callable[[Callable[[Connection], Result]], Result],
        work: Callable[[Connection], Result],
        turns: Turns,
        impatient: bool,
    ) -> Result:
        hold_seconds = self.hold_seconds
        if impatient:
            left = hold_seconds - self.condition.standing_seconds()
            hold_seconds = min(hold_seconds, max(left, _LATER_HOLD_SECONDS))
        began = time.monotonic()
        while True:
            try:
                async with turns.turn(began + hold_seconds):
                    return await in_thread(run, work, limiter=turns.threads)
            except Exception as error:
                self._raise_unless_passing(error, began, hold_seconds)
            await anyio.sleep(RETRY_SECONDS)

    def _raise_unless_passing(self, error: Exception, began_seconds: float, hold_seconds: float) -> None:
        """Return if the same work may succeed in a moment, otherwise raise."""
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise error
        self.failed(trouble, error)
        waited_seconds = time.monotonic() - began_seconds
        if trouble.outcome is Outcome.TOO_SLOW or waited_seconds > hold_seconds:
            # In an outage those who have turns wait, too.
            standing = self.condition.trouble if isinstance(error, Crowded) else None
            raise refusal(standing or trouble, waited_seconds, self._role.statement_seconds) from error

    def failed(self, trouble: Trouble, error: Exception) -> None:
        """Note what somebody met who used the database."""
        self.condition.failed(trouble, error)
        if trouble.outcome is Outcome.BUSY:
            log.info("transaction_retried", reason=trouble.reason)
        if trouble.outlives_connection:
            self._close_idle()

    def wrote(self, *, has_room: bool = False) -> None:
        """Note that something was written; `has_room` as in `Condition.worked`."""
        self.wrote_at_seconds = time.monotonic()
        self.condition.worked(wrote=True, has_room=has_room)

    @contextmanager
    def _writer(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._sqlite_writer.acquire(timeout=self._role.lock_seconds or threading.TIMEOUT_MAX):
            raise Crowded
        try:
            yield
        finally:
            self._sqlite_writer.release()

    @contextmanager
    def only_writer(self) -> Iterator[bool]:
        """Whether nobody else of this process writes to SQLite; they wait meanwhile."""
        is_only = self._sqlite_writer.acquire(blocking=False)
        try:
            yield is_only
        finally:
            if is_only:
                self._sqlite_writer.release()

    @contextmanager
    def turn(self) -> Iterator[None]:
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
        self._dispose()
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

    def close(self) -> None:
        """Close the writing connections."""
        self._dispose()

    def _dispose(self) -> None:
        for engine in (self.engine, self._admission_engine, self.health_engine):
            engine.dispose()

    @asynccontextmanager
    async def reader(
        self, statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS
    ) -> AsyncIterator[Reader]:
        """The reading side, for as long as the server runs; a slower statement is Refused."""
        hold = Hold(self.condition, self.hold_seconds, statement_timeout_seconds)
        opened: SqliteReader | PostgresqlReader
        if self.is_sqlite:
            opened = SqliteReader(self.url.database or "", statement_timeout_seconds, hold, self.turn)
        else:
            opened = PostgresqlReader(
                self.url, statement_timeout_seconds, hold, self._prepared_in_thread, is_pooled=self.is_pooled
            )
            await opened.open()
        self._reader = opened
        try:
            yield opened
        finally:
            await opened.close()

    @contextmanager
    def _of_this_revision(self) -> Iterator[None]:
        """Raise Unprepared in place of what a statement meets in tables that were changed under the program.

        Between the upgrade of a database and the reload the old program still serves.
        """
        try:
            yield
        except sqlalchemy.exc.DBAPIError as error:
            if self._check is not None and classify(error).outcome is Outcome.BROKEN:
                with self.health_engine.connect() as connection:
                    refused = self._check(connection.execution_options(**{READS_ONLY: True}))
                if refused is not None:
                    raise Unprepared(refused.sentence) from error
            raise

    async def _prepared_in_thread(self) -> None:
        if self._prepare is not None:
            await in_thread(self._prepared, limiter=self._admissions.threads)


def _by_psycopg(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url
