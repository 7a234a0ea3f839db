"""Work that takes the interpreter for long, off the event loop, a little at a time."""

from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from spackmon.errors import Code, Refused

Result = TypeVar("Result")


class Workers:
    """So many threads at once, and so many requests that wait for one."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._limiter = anyio.CapacityLimiter(threads)
        self._waiting = waiting

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """What `work` gives back. Raises Refused BUSY (503), and what `work` raises."""
        if self._limiter.statistics().tasks_waiting >= self._waiting:
            raise Refused(Code.BUSY, "the server is reading other new questions: try again in a moment")
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._limiter)
