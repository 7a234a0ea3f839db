"""The reading side of SQLite: threads with connections that cannot write."""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from spackmon.database.engine import protect_files
from spackmon.database.readers import FIRST_STREAMED_ROWS, Hold, rows_to_follow, stoppable
from spackmon.database.refusals import too_slow
from spackmon.database.roles import EXPORT, READER
from spackmon.database.turns import Turns
from spackmon.errors import Code, Refused

Result = TypeVar("Result")

_READ_THREADS = 4
# Frequent enough to enforce limits in seconds, rare enough to cost nothing measurable.
_STEPS_BETWEEN_LOOKS = 50_000


class _SqliteConnection:
    """A connection that cannot write and gives a statement, or a batch of rows, only so much time."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        protect_files(path)
        self._connection = sqlite3.connect(path, timeout=READER.lock_seconds, check_same_thread=False)
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.text_factory = bytes
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_LOOKS)
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
                raise too_slow(self._timeout_seconds) from error
            # SQLite before 3.46 parses with a stack of 100 entries, of which a list takes about 15.
            if "parser stack overflow" not in str(error):
                raise
            sentence = (
                "the operation nests more lists than this server's SQLite can parse: ask in two operations"
            )
            raise Refused(Code.QUERY_TOO_DEEP, sentence) from error

    async def interrupt(self) -> None:
        """End what another thread is running."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close it."""
        self._connection.close()


class SqliteReader:
    """Connections in threads of their own, so that no read waits for a writer."""

    def __init__(
        self,
        path: str,
        timeout_seconds: float,
        hold: Hold,
        turn: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`turn` is entered around everything that uses the file; entering may raise what a statement may."""
        self._path, self._timeout_seconds, self._hold, self._turn = path, timeout_seconds, hold, turn
        self._idle: deque[_SqliteConnection] = deque()
        self.reads, self.exports = Turns(_READ_THREADS), Turns(EXPORT.connections)
        self._threads = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="sqlite-read")
        # Whoever asks a question does not wait for exports.
        self._export_threads = ThreadPoolExecutor(EXPORT.connections, thread_name_prefix="sqlite-export")

    def _fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        with self._turn():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = _SqliteConnection(self._path, self._timeout_seconds)
            (value,) = connection.run(lambda opened: opened.execute(statement, parameters).fetchone())
            # One that met an error is not used again: it may have been opened when it could not be written.
            self._idle.append(connection)
        return bytes(value)

    def close_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().close()

    async def _lost(self) -> None:
        self.close_idle()

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        loop = asyncio.get_running_loop()

        async def once() -> bytes:
            return await loop.run_in_executor(self._threads, self._fetch, statement, parameters)

        async with self._hold.turn(self.reads):
            return await self._hold.held(once, self._lost)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        async with self._hold.turn(self.exports):
            connection = await self._hold.held(self._connection_for_export, self._lost)

            async def run(work: Callable[[sqlite3.Connection], Result]) -> Result:
                running = asyncio.get_running_loop().run_in_executor(
                    self._export_threads, connection.run, work
                )
                return await stoppable(running, connection.interrupt)

            try:
                cursor = await run(lambda opened: opened.execute(statement, parameters))
                cursor.arraysize = FIRST_STREAMED_ROWS
                while rows := await run(lambda _: cursor.fetchmany()):
                    yield rows
                    cursor.arraysize = rows_to_follow(rows)
            except Exception as error:
                raise self._hold.refused(error) from error
            finally:
                connection.close()

    async def _connection_for_export(self) -> _SqliteConnection:
        def connection() -> _SqliteConnection:
            with self._turn():
                return _SqliteConnection(self._path, self._timeout_seconds)

        return await asyncio.get_running_loop().run_in_executor(self._export_threads, connection)

    async def close(self) -> None:
        # They end soon: a statement is interrupted at its limit.
        for threads in (self._threads, self._export_threads):
            await asyncio.to_thread(threads.shutdown, wait=True)
        self.close_idle()
