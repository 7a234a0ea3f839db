"""The reading side of SQLite: threads with connections that cannot write."""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any, TypeVar

from spackmon.database.condition import Condition
from spackmon.database.engine import SQLITE_BUSY_SECONDS, protect_files
from spackmon.database.readers import (
    FIRST_STREAMED_ROWS,
    held,
    opening,
    rows_to_follow,
    stoppable,
    too_slow,
)
from spackmon.errors import Code, Refused

Result = TypeVar("Result")

_READ_THREADS = 4
# Frequent enough to enforce limits in seconds, rare enough to cost nothing measurable.
_STEPS_BETWEEN_LOOKS = 50_000


class _SqliteConnection:
    """A connection that cannot write and gives a statement, or a batch of rows, only so much time."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        protect_files(path)
        self._connection = sqlite3.connect(path, timeout=SQLITE_BUSY_SECONDS, check_same_thread=False)
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
        hold_seconds: float,
        condition: Condition,
        turn: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`turn` is entered around everything that uses the file; entering may raise what a statement may."""
        self._path, self._timeout_seconds, self._hold_seconds = path, timeout_seconds, hold_seconds
        self._condition, self._turn = condition, turn
        self._idle: deque[_SqliteConnection] = deque()
        self._threads = ThreadPoolExecutor(_READ_THREADS, thread_name_prefix="sqlite-read")

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

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        loop = asyncio.get_running_loop()

        async def once() -> bytes:
            return await loop.run_in_executor(self._threads, self._fetch, statement, parameters)

        return await held(once, self._condition, self._hold_seconds, self._timeout_seconds)

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        connection = await asyncio.to_thread(self._connection_for_export)

        async def run(work: Callable[[sqlite3.Connection], Result]) -> Result:
            # Not the threads above: whoever asks a question does not wait for exports.
            return await stoppable(asyncio.to_thread(connection.run, work), connection.interrupt)

        try:
            cursor = await run(lambda opened: opened.execute(statement, parameters))
            cursor.arraysize = FIRST_STREAMED_ROWS
            while rows := await run(lambda _: cursor.fetchmany()):
                yield rows
                cursor.arraysize = rows_to_follow(rows)
        finally:
            connection.close()

    def _connection_for_export(self) -> _SqliteConnection:
        with opening(), self._turn():
            return _SqliteConnection(self._path, self._timeout_seconds)

    async def close(self) -> None:
        self._threads.shutdown(wait=True)
        self.close_idle()
