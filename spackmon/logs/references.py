"""Where a chunk's content is, if not in the database: a part of an object in a bucket.

It stands in place of the content. A frame of zstd begins with other bytes, so that either tells what it is.
"""

import zlib
from dataclasses import dataclass
from typing import Self

SIGN = b"@object "


@dataclass(frozen=True, slots=True)
class Reference:
    """`length` bytes of the object `key` from `start` on, whose CRC-32 is `checksum`."""

    key: str
    start: int
    length: int
    checksum: int

    @classmethod
    def to(cls, key: str, start: int, content: bytes) -> Self:
        """The one to a content that stands in an object from `start` on."""
        return cls(key, start, len(content), zlib.crc32(content))

    @property
    def written(self) -> bytes:
        """As it is stored."""
        return SIGN + f"{self.start} {self.length} {self.checksum} {self.key}".encode()

    def is_of(self, content: bytes) -> bool:
        """Whether these are the bytes that were put there."""
        return len(content) == self.length and zlib.crc32(content) == self.checksum


def reference_in(content: bytes) -> Reference | None:
    """Where a stored content is; None where that is the content itself."""
    if not content.startswith(SIGN):
        return None
    start, length, checksum, key = content.removeprefix(SIGN).decode().split(" ", 3)
    return Reference(key, int(start), int(length), int(checksum))
