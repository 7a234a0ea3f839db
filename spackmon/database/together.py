"""Writes that come while others are written go into one transaction: a commit costs more than a write.

Whoever comes while nobody writes is written at once, with those that were read at the same moment. Who comes
meanwhile waits for the end of that, and the first of those who waited writes all of them. What cannot be
written together, for whatever reason, is written by itself, as if there were no others, and has an answer of
its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
import structlog
from sqlalchemy import Connection

from spackmon.database.refusals import PASSES
from spackmon.database.transactions import Database
from spackmon.database.undone import note_undone
from spackmon.errors import Refused

Item = TypeVar("Item")
Result = TypeVar("Result")
log = structlog.get_logger()

_MOST, _MOST_BYTES = 32, 1 << 20
# Whoever waited for so long begins a transaction beside those that hang, behind a lock or a slow disk.
_PATIENCE_SECONDS = 0.1
# The event loop reads all that has come before it serves any of it: two of its turns later all are here.
_TURNS_OF_A_MOMENT = 2


class Apart(Exception):  # noqa: N818 -- not a fault: each is written by itself then
    """What some items are about changed while they were being written together."""


class _Place(Generic[Item, Result]):
    """One of those who wait: until they are called to write, and until they are written once they are taken.

    There is no `result` then for whoever has to be alone.
    """

    def __init__(self, item: Item, key: Hashable, size_bytes: int) -> None:
        self.item, self.key, self.size_bytes = item, key, size_bytes
        self.is_taken = False
        self.called, self.written = asyncio.Event(), asyncio.Event()
        self.refused: Refused | None = None
        self.result: Result | None = None


class Together(Generic[Item, Result]):
    """Writes of one kind that come to this process; no two in a transaction that have one key."""

    def __init__(
        self, database: Database, write: Callable[[Connection, Sequence[Item]], Sequence[Result | None]]
    ) -> None:
        """`write` gives None for an item that has to be alone, of which it wrote nothing."""
        self._database = database
        self._write = write
        self._waiting: list[_Place[Item, Result]] = []
        self._writing = 0
        self._most = _MOST

    async def write(
        self, item: Item, key: Hashable, size_bytes: int, alone: Callable[[], Awaitable[Result]]
    ) -> Result:
        """What came of an item, once it is committed: with others, or by `alone`, whose errors it raises."""
        if self._database.condition.trouble is not None:
            return await alone()
        place = _Place[Item, Result](item, key, size_bytes)
        self._waiting.append(place)
        try:
            if not self._writing:
                await self._gather()
            if self._writing and not place.is_taken:
                with anyio.move_on_after(_PATIENCE_SECONDS):
                    await place.called.wait()
                if not place.is_taken:
                    await self._gather()
            if not place.is_taken:
                return await self._lead(place, alone)
        finally:
            if not place.is_taken:
                self._waiting.remove(place)
        await place.written.wait()
        return await _outcome(place, alone)

    async def _gather(self) -> None:
        """Let those come who have been read already: until a moment brings nobody, without any clock."""
        waiting = quiet = 0
        while quiet < _TURNS_OF_A_MOMENT and len(self._waiting) < self._most:
            quiet = quiet + 1 if len(self._waiting) == waiting else 0
            waiting = len(self._waiting)
            await anyio.lowlevel.checkpoint()

    async def _lead(self, place: _Place[Item, Result], alone: Callable[[], Awaitable[Result]]) -> Result:
        """Write all who wait, as far as they go together, and call the next one."""
        taken = self._take(place)
        self._writing += 1
        try:
            if len(taken) > 1:
                # The others wait for it, whatever becomes of this request.
                with anyio.CancelScope(shield=True):
                    await self._write_all(taken)
            result = await _outcome(place, alone)
            self._most = max(self._most, 2)
            return result
        finally:
            self._writing -= 1
            if self._waiting:
                self._waiting[0].called.set()

    def _take(self, first: _Place[Item, Result]) -> list[_Place[Item, Result]]:
        taken, keys, size_bytes = [first], {first.key}, first.size_bytes
        for place in self._waiting:
            if len(taken) >= self._most:
                break
            if place.key not in keys and size_bytes + place.size_bytes <= _MOST_BYTES:
                taken.append(place)
                keys.add(place.key)
                size_bytes += place.size_bytes
        for place in taken:
            place.is_taken = True
            self._waiting.remove(place)
        return taken

    async def _write_all(self, taken: Sequence[_Place[Item, Result]]) -> None:
        items = [place.item for place in taken]
        try:
            results = await self._database.write_tried(lambda connection: self._write(connection, items))
        except Exception as error:
            # One that comes again and again, and fails, holds up fewer others each time.
            self._most = max(1, len(taken) // 2)
            note_undone("not_written_together", error)
            for place in taken:
                if isinstance(error, Refused) and error.code in PASSES:
                    # One for each: an error knows the frames that it went through.
                    place.refused = Refused(error.code, error.sentence)
        else:
            self._most = min(_MOST, 2 * self._most)
            for place, result in zip(taken, results, strict=True):
                place.result = result
        finally:
            for place in taken:
                place.called.set()
                place.written.set()


async def _outcome(place: _Place[Item, Result], alone: Callable[[], Awaitable[Result]]) -> Result:
    if place.refused is not None:
        raise place.refused
    return await alone() if place.result is None else place.result
