"""What a viewer reads of a database: all of it, or what is for them.

A site on which everything is public runs every statement as it is. Whether it is one is seen in the snapshot
of the answer itself: a private report that is committed a moment before is in no answer for others.
"""

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from spackmon.database import Reader
from spackmon.database.replicas import AS_OF_SECONDS
from spackmon.query.sql.visible import guarded, viewer_parameters
from spackmon.viewer import Viewer

_MARK = b"\x02"
"""No answer has it: a raw control character."""
_IS_PRIVATE = "CASE WHEN EXISTS (SELECT 1 FROM audience) THEN '\x02' ELSE '' END"
_LOOK = f"SELECT {_IS_PRIVATE} AS answer"
_END = " AS answer"


class Privacy:
    """Whether some reports of the site are not for everybody; no process forgets that it saw one."""

    def __init__(self, reader: Reader, dialect_name: str) -> None:
        self.reader, self.dialect_name = reader, dialect_name
        self.is_needed = False

    async def look(self) -> bool:
        """Whether it is needed by now. Raises Refused as a Reader does."""
        if not self.is_needed:
            # A replica may be behind the one whose answer this is about.
            before = AS_OF_SECONDS.set(math.inf)
            try:
                self.is_needed = bool(await self.reader.fetch(_LOOK, {}))
            finally:
                AS_OF_SECONDS.reset(before)
        return self.is_needed


class ViewedReader:
    """A reader of what one viewer may see."""

    def __init__(self, privacy: Privacy, viewer: Viewer) -> None:
        self._privacy, self._reader = privacy, privacy.reader
        self._parameters = viewer_parameters(viewer)

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        """As Reader's, over what may be seen."""
        if not self._privacy.is_needed:
            answer = await self._reader.fetch(_marked(statement), parameters)
            if not answer.endswith(_MARK):
                return answer
            self._privacy.is_needed = True
        return await self._reader.fetch(self._guarded(statement), {**parameters, **self._parameters})

    async def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        """As Reader's, over what may be seen."""
        if not self._privacy.is_needed:
            async with aclosing(self._reader.stream(statement, parameters)) as batches:
                first: list[tuple[bytes, ...]] = await anext(batches, [])
                # After the rows' snapshot was taken: nothing in it is private if nothing is now.
                if not await self._privacy.look():
                    yield first
                    async for batch in batches:
                        yield batch
                    return
        seen = self._reader.stream(self._guarded(statement), {**parameters, **self._parameters})
        async with aclosing(seen) as batches:
            async for batch in batches:
                yield batch

    async def close(self) -> None:
        """The reader is others' too."""

    def _guarded(self, statement: str) -> str:
        return guarded(statement, self._privacy.dialect_name)


def _marked(statement: str) -> str:
    """A statement whose answer ends with a mark where some reports are not for everybody."""
    if statement.endswith(_END):
        # Not around it, as SQLite parses only so deep.
        return f"{statement.removesuffix(_END)} || {_IS_PRIVATE}{_END}"
    return f"SELECT ({statement}) || {_IS_PRIVATE}{_END}"
