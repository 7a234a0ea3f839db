"""The chunks of logs in an answer that are in the bucket, fetched before it is unpacked."""

from collections.abc import Sequence

from spackmon.errors import Refused
from spackmon.log_bucket import LogBucket, Parts, in_database
from spackmon.logs.references import reference_in
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.unpack import references_in


class LogParts:
    """What the bucket has of answers; without one, nothing."""

    def __init__(self, bucket: LogBucket | None) -> None:
        self._bucket = bucket

    async def parts(self, answer: bytes, computations: Sequence[Computation]) -> Parts:
        """The contents that an answer refers to; Refused in place of those that cannot be read."""
        if self._bucket is None:
            return {}
        references = references_in(answer, computations)
        return await self._bucket.parts(references) if references else {}

    async def content(self, stored: bytes) -> bytes:
        """A chunk's content, wherever it is. Raises Refused LOG_UNAVAILABLE."""
        reference = reference_in(stored)
        if reference is None or self._bucket is None:
            return in_database(stored)
        found = (await self._bucket.parts([reference]))[reference]
        if isinstance(found, Refused):
            raise found
        return found
