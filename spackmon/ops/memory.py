"""One budget of memory for all bodies that are being read: whoever would exceed it waits for the others."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from spackmon.errors import Code, Refused

# With what the service takes by itself, within 300 MB.
BUDGET_BYTES = 144 << 20
_LOGS_AT_ONCE = 2


class Memory:
    """Hands out shares of so many bytes, in the order in which they are asked for."""

    def __init__(self, budget_bytes: int = BUDGET_BYTES) -> None:
        self._budget_bytes = self._left_bytes = budget_bytes
        self._waiting: deque[tuple[int, asyncio.Event]] = deque()
        # Each that looks through a large log takes ten megabytes, and they share one interpreter.
        self.log_readers = anyio.CapacityLimiter(_LOGS_AT_ONCE)

    @property
    def used_bytes(self) -> int:
        """What is handed out."""
        return self._budget_bytes - self._left_bytes

    @asynccontextmanager
    async def share(self, size_bytes: int, wait_seconds: float) -> AsyncIterator[None]:
        """Around what takes so much memory; what takes more than there is does it alone.

        Raises Refused BUSY where the others do not leave so much in time.
        """
        share_bytes = min(size_bytes, self._budget_bytes)
        await self._take(share_bytes, wait_seconds)
        try:
            yield
        finally:
            self._left_bytes += share_bytes
            self._hand_on()

    async def _take(self, share_bytes: int, wait_seconds: float) -> None:
        if not self._waiting and share_bytes <= self._left_bytes:
            self._left_bytes -= share_bytes
            return
        waiter = (share_bytes, asyncio.Event())
        self._waiting.append(waiter)
        try:
            with anyio.fail_after(wait_seconds):
                await waiter[1].wait()
        except BaseException as error:
            if waiter[1].is_set():
                self._left_bytes += share_bytes
            else:
                self._waiting.remove(waiter)
            self._hand_on()
            if isinstance(error, TimeoutError):
                raise Refused(Code.BUSY, "the server has no memory left for this: try again later") from None
            raise

    def _hand_on(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left_bytes:
            share_bytes, is_taken = self._waiting.popleft()
            self._left_bytes -= share_bytes
            is_taken.set()
