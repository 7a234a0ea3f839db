"""A phase's log as compressed chunks of whole lines, and back.

A chunk is small enough to be unpacked for a few lines of a log, and large enough to compress well. Only
one chunk exists at a time beside the log: a log of 50 MB is one of many that arrive at once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import mmap

import zstandard

CHUNK_BYTES = 256 * 1024
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """`number` from 0, `first_line` from 1, `size_bytes` before compression, `content` compressed."""

    number: int
    first_line: int
    size_bytes: int
    content: bytes


def split(log: bytes | mmap) -> Iterator[Chunk]:
    """The chunks of a log; none of an empty one.

    A chunk ends with a line, except where a line is longer than CHUNK_BYTES: such a line is cut, in UTF-8
    between two characters.
    """
    compressor = zstandard.ZstdCompressor(level=_LEVEL)
    start, number, first_line = 0, 0, 1
    while start < len(log):
        end = min(start + CHUNK_BYTES, len(log))
        if end < len(log):
            end = log.rfind(b"\n", start, end) + 1 or _character_boundary(log, end)
        text = log[start:end]
        yield Chunk(number, first_line, len(text), compressor.compress(text))
        start, number, first_line = end, number + 1, first_line + text.count(b"\n")


def join(contents: Iterable[bytes]) -> bytes:
    """The log whose chunks have these contents, in order."""
    decompressor = zstandard.ZstdDecompressor()
    return b"".join(decompressor.decompress(content) for content in contents)


def unpacked(content: bytes) -> bytes:
    """A part of a log from a chunk's content."""
    return zstandard.ZstdDecompressor().decompress(content)


def _character_boundary(log: bytes | mmap, end: int) -> int:
    # 10xxxxxx continues a UTF-8 character, which has at most four bytes; a chunk alone must be readable.
    for boundary in range(end, end - 4, -1):
        if log[boundary] & 0xC0 != 0x80:
            return boundary
    return end
