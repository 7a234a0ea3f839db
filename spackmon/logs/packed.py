"""A large log made ready for the database before the transaction that stores it, for which others wait.

Hashing and compressing 400 MB takes a second of a core and more: SQLite's only writer would be held for it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from spackmon.large_bytes import AnyBytes, LargeBytes, Writer, hashed, pieces
from spackmon.logs.chunks import Chunk, split
from spackmon.logs.event import Report
from spackmon.logs.phases import first_time
from spackmon.logs.scanner import read
from spackmon.logs.taxonomy import of_site

# Different errors, and as many warnings; others are counted.
_MOST_EVENTS = 200


@dataclass(frozen=True, slots=True)
class PackedLog:
    """What is stored of a log, with its chunks in a file; `began_at` is the first moment in it.

    `report` is what it says went wrong, with as many events as are stored of one log.
    """

    digest: bytes
    size_bytes: int
    began_at: datetime | None
    report: Report
    _chunks: Sequence[tuple[Chunk, int]]
    _contents: AnyBytes

    def chunks(self) -> Iterator[Chunk]:
        """As `split` gives them."""
        start = 0
        for chunk, end in self._chunks:
            yield replace(chunk, content=bytes(self._contents[start:end]))
            start = end

    def __len__(self) -> int:
        return self.size_bytes


def pack(log: LargeBytes) -> PackedLog:
    """Hash, look through, divide and compress a log that is in a file. Raises OSError."""
    digest = digest_of(log)
    chunks = []
    with Writer(log.directory) as writer:
        for chunk in split(log):
            writer.add(chunk.content)
            chunks.append((replace(chunk, content=b""), writer.size_bytes))
            if writer.is_full:
                writer.flush()
        contents = writer.finish()
    return PackedLog(digest, len(log), first_time(log), report_of(pieces(log)), chunks, contents)


def digest_of(log: AnyBytes) -> bytes:
    """What tells a log from all others: the SHA-256 of its bytes."""
    return hashed(log, hashlib.sha256()).digest()


def report_of(log: Iterable[bytes | memoryview]) -> Report:
    """What a log in pieces says went wrong, with as many events as are stored of one log."""
    return read(log, taxonomy=of_site(), most_events=_MOST_EVENTS)
