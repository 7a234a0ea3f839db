"""A stored log as its compressed chunks, a few at a time: it may be larger than the memory."""

from collections.abc import AsyncGenerator
from typing import Any

from sqlalchemy import Select, Text, bindparam, cast, func, select
from sqlalchemy.engine import Dialect

from spackmon.database import Reader
from spackmon.models import Log, LogChunk
from spackmon.query.serve.log_parts import LogParts
from spackmon.query.sql.json_text import constant, json_writer

# A megabyte of text at once; a slow client holds no connection to the database meanwhile.
_CHUNKS_AT_ONCE = 4
_LOG = LogChunk.log_id == select(Log.id).where(Log.digest == bindparam("digest")).scalar_subquery()
_CHUNK = LogChunk.__table__.c


class LogChunks:
    """The chunks of the log with a digest."""

    def __init__(self, reader: Reader, dialect: Dialect, digest: bytes, logs: LogParts) -> None:
        self._reader, self._dialect, self._digest = reader, dialect, digest
        self._logs = logs
        self._json = json_writer(dialect.name)

    async def sizes(self) -> list[int]:
        """The bytes of every chunk, in order; none where nobody refers to the log any longer."""
        size = cast(LogChunk.size_bytes, Text).label("one")
        answer = await self._fetched(select(size).where(_LOG).order_by(LogChunk.number))
        return [int(one) for one in answer.split(b",") if one]

    async def contents(self, first: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The contents of the chunks from `first` on and before `stop`: a frame of zstd each.

        Raises RuntimeError where the log ended meanwhile, and Refused as a Reader does, and LOG_UNAVAILABLE.
        """
        for start in range(first, stop, _CHUNKS_AT_ONCE):
            end = min(start + _CHUNKS_AT_ONCE, stop)
            numbers = LogChunk.number >= bindparam("start"), LogChunk.number < bindparam("end")
            content = self._json.hexadecimal(_CHUNK.content).label("one")
            some = select(content).where(_LOG, *numbers).order_by(LogChunk.number)
            found = (await self._fetched(some, start=start, end=end)).split(b",")
            if len(found) != end - start:
                raise RuntimeError("a log was replaced while it was read")
            for one in found:
                yield await self._logs.content(bytes.fromhex(one.decode()))

    async def _fetched(self, rows: Select[Any], **parameters: int) -> bytes:
        listed = rows.subquery()
        whole = select(func.coalesce(self._json.aggregated(listed.c.one), constant("")))
        compiled = whole.compile(dialect=self._dialect)
        given = {**compiled.params, "digest": self._digest, **parameters}
        return await self._reader.fetch(str(compiled), given)
