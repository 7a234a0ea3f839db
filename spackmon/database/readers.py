"""What the reading sides of both databases have in common."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import anyio

from spackmon.database.condition import Condition
from spackmon.database.outcome import AWAY, Outcome, classify
from spackmon.errors import Code, Refused

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

        Raises Refused: DATABASE_UNAVAILABLE when the database stays away, STATEMENT_TIMEOUT when the
        statement ran into a limit.
        """

    def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        """The rows that `statement` selects, some at a time, out of one snapshot; closing it stops it."""

    async def close(self) -> None:
        """Give the connections back."""


async def held(
    fetch: Callable[[], Awaitable[Result]], condition: Condition, hold_seconds: float, limit_seconds: float
) -> Result:
    """What `fetch` answers, again and again while the database is away; it must only read.

    A full disk is no reason to wait: the statement that met it needed the space itself.
    """
    began = time.monotonic()
    tries = 0
    while True:
        try:
            answer = await fetch()
        except Exception as error:
            trouble = classify(error)
            tries += 1
            if trouble.outcome is Outcome.BROKEN:
                raise
            if trouble.outcome is Outcome.TOO_SLOW:
                raise too_slow(limit_seconds) from error
            if trouble.is_away:
                condition.failed(trouble, error)
            is_worth_it = trouble.is_away or (trouble.outcome is Outcome.BUSY and tries < _TRIES_IF_BUSY)
            if not is_worth_it or time.monotonic() > began + hold_seconds:
                raise unavailable(time.monotonic() - began, trouble.reason) from error
        else:
            condition.worked(wrote=False)
            return answer
        await anyio.sleep(RETRY_SECONDS)


def unavailable(held_seconds: float, reason: str) -> Refused:
    """The answer when the database could not be had, and for how long that was tried."""
    if reason == AWAY.reason and held_seconds >= 1:
        sentence = f"the database did not answer for {held_seconds:.0f} s"
    else:
        sentence = f"{reason}: try again later"
    return Refused(Code.DATABASE_UNAVAILABLE, sentence)


@contextmanager
def opening() -> Iterator[None]:
    """Around what opens a connection. Raises Refused DATABASE_UNAVAILABLE where that fails."""
    try:
        yield
    except Exception as error:
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise
        raise unavailable(0, trouble.reason) from error


def too_slow(limit_seconds: float) -> Refused:
    """The answer to a statement that ran into a limit."""
    return Refused(
        Code.STATEMENT_TIMEOUT, f"the database did not finish within {limit_seconds:g} s: ask for less"
    )


async def stoppable(work: Coroutine[Any, Any, Result], stop: Callable[[], Awaitable[None]]) -> Result:
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
