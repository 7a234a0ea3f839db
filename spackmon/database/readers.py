"""What the reading sides of both databases have in common."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import anyio

from spackmon.database.condition import Condition
from spackmon.database.outcome import Crowded, Outcome, classify
from spackmon.database.refusals import refusal
from spackmon.database.turns import Turns
from spackmon.errors import Refused

Result = TypeVar("Result")

STATEMENT_TIMEOUT_SECONDS = 30.0
RETRY_SECONDS = 0.2
# Enough that a round trip is cheap beside it (on a busy machine it is a wait for a processor), little enough
# that it is small beside the process; the first rows come soon.
_STREAMED_BYTES = 1 << 20
FIRST_STREAMED_ROWS, _MOST_STREAMED_ROWS = 500, 5_000
# A statement that many others are in the way of may succeed soon; one that needs too much never does.
_TRIES_IF_BUSY = 3


class Reader(Protocol):
    """Runs one reading statement; the answer is its only value."""

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        """The UTF-8 of the single text that `statement` (in the driver's own parameter style) selects.

        Raises Refused: DATABASE_UNAVAILABLE when the database stays away, DATABASE_BUSY when others use all
        of it, STATEMENT_TIMEOUT when the statement ran into a limit.
        """

    def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        """The rows that `statement` selects, some at a time, out of one snapshot; closing it stops it.

        Raises Refused as `fetch` does; once there were rows, without waiting.
        """

    async def close(self) -> None:
        """Give the connections back."""


class Hold:
    """How reads wait: for their turn, and for a database in trouble."""

    def __init__(self, condition: Condition, hold_seconds: float, limit_seconds: float) -> None:
        """`limit_seconds` is what one statement may take."""
        self._condition, self._hold_seconds, self._limit_seconds = condition, hold_seconds, limit_seconds

    @asynccontextmanager
    async def turn(self, turns: Turns) -> AsyncIterator[None]:
        """A turn, waited for as long as an outage is. Raises Refused DATABASE_BUSY."""
        try:
            async with turns.turn(time.monotonic() + self._hold_seconds):
                yield
        except Crowded as error:
            # In an outage those who have turns wait, too.
            trouble = self._condition.trouble or classify(error)
            raise refusal(trouble, self._hold_seconds, self._limit_seconds) from error

    async def held(
        self, read: Callable[[], Awaitable[Result]], lost: Callable[[], Awaitable[None]]
    ) -> Result:
        """What `read` answers, again and again while the database is away.

        `lost` is done when it is: what was connected is so no more. A full disk is no reason to wait: the
        statement that met it needed the space itself.
        """
        began = time.monotonic()
        tries = 0
        while True:
            try:
                answer = await read()
            except Exception as error:
                tries += 1
                trouble = classify(error)
                waited_seconds = time.monotonic() - began
                is_worth_it = trouble.is_away or (trouble.outcome is Outcome.BUSY and tries < _TRIES_IF_BUSY)
                if not is_worth_it or waited_seconds > self._hold_seconds:
                    raise self.refused(error, waited_seconds) from error
                self._condition.failed(trouble, error)
                if trouble.is_away:
                    await lost()
            else:
                self._condition.worked(wrote=False)
                return answer
            await anyio.sleep(RETRY_SECONDS)

    def refused(self, error: Exception, waited_seconds: float = 0.0) -> Refused:
        """The answer to an error that is not waited out. Raises one that is no trouble of the database."""
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise error
        if trouble.is_away:
            self._condition.failed(trouble, error)
        return refusal(trouble, waited_seconds, self._limit_seconds)


async def stoppable(work: Awaitable[Result], stop: Callable[[], Awaitable[None]]) -> Result:
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


def rows_to_follow(rows: list[tuple[bytes, ...]]) -> int:
    """How many rows like these make a batch."""
    size = sum(len(value) for row in rows for value in row)
    return max(1, min(_MOST_STREAMED_ROWS, len(rows) * _STREAMED_BYTES // max(size, 1)))
