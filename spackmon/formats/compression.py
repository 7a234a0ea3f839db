"""Documents that may be compressed, unpacked as far as a document may be large.

What a kilobyte unpacks into is the sender's choice: nothing here holds more than the limit and a piece.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

import zstandard

from spackmon.errors import Code, Refused

# 100,000 specs, the most that a document may hold, at 2.6 kB each: twice what Spack writes for one.
MAXIMUM_DOCUMENT_BYTES = 256 << 20

# What a frame may ask for before its first byte comes out; xz and zstd use 64 and 128 MiB at their best.
_MAXIMUM_WINDOW_BYTES = 128 << 20
# A gzipped file that the web server's operator gzipped again is met; more is a game.
_MAXIMUM_LAYERS = 2


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: memoryview, /) -> bytes: ...


class _Compression(NamedTuple):
    """A format by its first bytes; its data is unpacked in pieces, so that one piece is no bomb yet."""

    beginning: bytes
    name: str
    start: Callable[[], _Decompressor]
    piece_bytes: int


_COMPRESSIONS = (
    _Compression(b"\x1f\x8b", "gzip", lambda: zlib.decompressobj(wbits=31), 1 << 13),
    # Four bytes of zstd are up to 128 kB.
    _Compression(b"\x28\xb5\x2f\xfd", "zstd", lambda: _zstd(), 1 << 10),
    # Forty bytes of bzip2 are up to 46 MB.
    _Compression(b"BZh", "bzip2", bz2.BZ2Decompressor, 1 << 5),
    _Compression(
        b"\xfd7zXZ\x00", "xz", lambda: lzma.LZMADecompressor(memlimit=_MAXIMUM_WINDOW_BYTES), 1 << 12
    ),
)
_ERRORS = (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


class Unpacked(NamedTuple):
    """What came out before the compressed data turned out to be cut short or damaged, if it did."""

    content: bytes
    damage: Refused | None


def unpacked(data: bytes, maximum_bytes: int = MAXIMUM_DOCUMENT_BYTES) -> Unpacked:
    """`data` without its compression (gzip, zstd, bzip2, xz), if it has one.

    The damage is a DOCUMENT_DAMAGED. Raises Refused DOCUMENT_TOO_LARGE.
    """
    damage = None
    for _ in range(_MAXIMUM_LAYERS):
        found = next((known for known in _COMPRESSIONS if data.startswith(known.beginning)), None)
        if found is None:
            break
        data, problem = _whole(data, found, maximum_bytes)
        damage = damage or problem
    if len(data) > maximum_bytes:
        raise _too_large(maximum_bytes)
    return Unpacked(data, damage)


def _whole(data: bytes, known: _Compression, maximum_bytes: int) -> Unpacked:
    """All members of a compressed file, one after the other; what follows the last must be zeros."""
    content = bytearray()
    view = memoryview(data)
    position = 0
    while position < len(data):
        stream = known.start()
        while position < len(data) and not stream.eof:
            try:
                content += stream.decompress(view[position : position + known.piece_bytes])
            except _ERRORS as error:
                problem = f"its {known.name} data is damaged: {error}"
                return Unpacked(bytes(content), Refused(Code.DOCUMENT_DAMAGED, problem))
            if len(content) > maximum_bytes:
                raise _too_large(maximum_bytes)
            position = min(position + known.piece_bytes, len(data))
        if not stream.eof:
            problem = f"its {known.name} data is cut short"
            return Unpacked(bytes(content), Refused(Code.DOCUMENT_DAMAGED, problem))
        position -= len(stream.unused_data)
        while position < len(data) and not data[position]:
            position += 1
    return Unpacked(bytes(content), None)


def _zstd() -> _Decompressor:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAXIMUM_WINDOW_BYTES)
    return decompressor.decompressobj()


def _too_large(maximum_bytes: int) -> Refused:
    return Refused(Code.DOCUMENT_TOO_LARGE, f"it must be at most {maximum_bytes >> 20} MiB, unpacked")
