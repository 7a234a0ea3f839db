"""A limit to how many use the database at once; the others wait in their order, and not for ever."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from spackmon.database.outcome import Crowded


class Turns:
    """So many at once. Whoever has a turn may take a thread: its number is limited by this."""

    def __init__(self, at_once: int) -> None:
        self._turns = anyio.CapacityLimiter(at_once)
        # Threads of their own: those that everything shares may all be taken.
        self.threads = anyio.CapacityLimiter(at_once)

    @property
    def in_use(self) -> int:
        """How many have a turn now."""
        return self._turns.borrowed_tokens

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return self._turns.statistics().tasks_waiting

    @asynccontextmanager
    async def turn(self, until_seconds: float) -> AsyncIterator[None]:
        """Wait for a turn, up to a moment of the monotonic clock. Raises Crowded."""
        borrower = object()
        try:
            self._turns.acquire_on_behalf_of_nowait(borrower)
        except anyio.WouldBlock:
            with anyio.move_on_after(max(0.0, until_seconds - time.monotonic())) as waiting:
                await self._turns.acquire_on_behalf_of(borrower)
            if waiting.cancelled_caught:
                raise Crowded from None
        try:
            yield
        finally:
            self._turns.release_on_behalf_of(borrower)
