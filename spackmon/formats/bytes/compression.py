"""Compressed data, unpacked piece by piece: what a kilobyte unpacks into is the sender's choice.

Nothing here holds more than the limit and a piece, which is 16 MB at most.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple, Protocol

import zstandard

from spackmon.errors import Code, Refused

# 100,000 specs, the most that a document may hold, at 2.6 kB each: twice what Spack writes for one.
MAXIMUM_DOCUMENT_BYTES = 256 << 20

# What a frame may ask for before its first byte comes out; xz and zstd use 64 and 128 MiB at their best.
_MAXIMUM_WINDOW_BYTES = 128 << 20
# A gzipped file that the web server's operator gzipped again is met; more is a game.
_MAXIMUM_LAYERS = 2
_READ_BYTES = 1 << 16


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class Compression(NamedTuple):
    """A format by its first bytes; so many bytes of it at a time are unpacked, that they are no bomb yet."""

    beginning: bytes
    name: str
    start: Callable[[], _Decompressor]
    slice_bytes: int


GZIP = Compression(b"\x1f\x8b", "gzip", lambda: zlib.decompressobj(wbits=31), 1 << 13)
# Four bytes of zstd are up to 128 kB.
ZSTD = Compression(b"\x28\xb5\x2f\xfd", "zstd", lambda: _zstd(), 1 << 9)
_COMPRESSIONS = (
    GZIP,
    ZSTD,
    # Forty bytes of bzip2 are up to 46 MB.
    Compression(b"BZh", "bzip2", bz2.BZ2Decompressor, 1 << 5),
    Compression(
        b"\xfd7zXZ\x00", "xz", lambda: lzma.LZMADecompressor(memlimit=_MAXIMUM_WINDOW_BYTES), 1 << 12
    ),
)
_ERRORS = (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def compression_of(beginning: bytes) -> Compression | None:
    """How data is compressed that begins so; None where it is not."""
    return next((one for one in _COMPRESSIONS if beginning.startswith(one.beginning)), None)


class Damaged(ValueError):  # noqa: N818 -- what the data is
    """Data that cannot be unpacked from here on, as a sentence about it."""


class Unpacking:
    """One stream of compressed data: any number of frames, one after the other, with zeros after each."""

    def __init__(self, compression: Compression) -> None:
        self._compression = compression
        self._frame: _Decompressor | None = None

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next part of the data unpacks into. Raises Damaged."""
        for start in range(0, len(chunk), self._compression.slice_bytes):
            rest = chunk[start : start + self._compression.slice_bytes]
            while rest:
                if self._frame is not None and self._frame.eof and not (rest := rest.lstrip(b"\0")):
                    break
                try:
                    if self._frame is None or self._frame.eof:
                        self._frame = self._compression.start()
                    piece = self._frame.decompress(rest)
                except _ERRORS as error:
                    raise Damaged(f"its {self._compression.name} data is damaged: {error}") from None
                rest = self._frame.unused_data if self._frame.eof else b""
                yield piece

    def end(self) -> None:
        """Raises Damaged where the data does not end with a frame."""
        if self._frame is not None and not self._frame.eof:
            raise Damaged(f"its {self._compression.name} data is cut short")


class UnpackedFile:
    """A compressed file, as a file of what it unpacks into; reading it raises Damaged."""

    def __init__(self, file: IO[bytes], compression: Compression) -> None:
        self._pieces = _pieces(file, Unpacking(compression))
        self._rest = bytearray()

    def read(self, size: int) -> bytes:
        """The next bytes, fewer at the end."""
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken


def _pieces(file: IO[bytes], unpacking: Unpacking) -> Iterator[bytes]:
    while chunk := file.read(_READ_BYTES):
        yield from unpacking.pieces(chunk)
    unpacking.end()


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
        compression = compression_of(data)
        if compression is None:
            break
        data, problem = unpack(data, compression, maximum_bytes)
        damage = damage or problem
    if len(data) > maximum_bytes:
        raise _too_large(maximum_bytes)
    return Unpacked(data, damage)


def unpack(data: bytes, compression: Compression, maximum_bytes: int) -> Unpacked:
    """What `data` unpacks into once; the damage and the refusal are those of `unpacked`."""
    content = bytearray()
    unpacking = Unpacking(compression)
    try:
        for piece in unpacking.pieces(data):
            content += piece
            if len(content) > maximum_bytes:
                raise _too_large(maximum_bytes)
        unpacking.end()
    except Damaged as problem:
        return Unpacked(bytes(content), Refused(Code.DOCUMENT_DAMAGED, str(problem)))
    return Unpacked(bytes(content), None)


def _zstd() -> _Decompressor:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAXIMUM_WINDOW_BYTES)
    return decompressor.decompressobj()


def _too_large(maximum_bytes: int) -> Refused:
    return Refused(Code.DOCUMENT_TOO_LARGE, f"it must be at most {maximum_bytes >> 20} MiB, unpacked")
