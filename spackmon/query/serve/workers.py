"""Work that takes the interpreter for long, off the event loop, a little at a time."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import anyio

from spackmon.errors import Code, Refused
from spackmon.garbage import uncollected
from spackmon.threads import in_thread

Result = TypeVar("Result")


class Workers:
    """So many threads at once, so many requests that wait for one, and each of them for so long."""

    def __init__(self, threads: int, waiting: int, wait_seconds: float = math.inf) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._threads = anyio.CapacityLimiter(threads)
        self._waiting, self._wait_seconds = waiting, wait_seconds

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What `work` gives back. Raises Refused BUSY (503), and what `work` raises."""
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise _busy()
        borrower = object()
        try:
            with anyio.fail_after(self._wait_seconds):
                await self._limiter.acquire_on_behalf_of(borrower)
        except TimeoutError:
            raise _busy() from None
        try:
            return await in_thread(_uncollected, work, *arguments, limiter=self._threads)
        finally:
            self._limiter.release_on_behalf_of(borrower)


def _uncollected(work: Callable[..., Result], *arguments: Any) -> Result:
    with uncollected():
        return work(*arguments)


def _busy() -> Refused:
    return Refused(Code.BUSY, "the server is reading other new questions: try again in a moment")
