"""A body of lines, unpacked and divided as it comes in: what is kept of it at a time is one line."""

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import zstandard

from spackmon.errors import Code, Refused
from spackmon.rest_compat.body import MAXIMUM_BYTES

MAXIMUM_LINE_BYTES = 128 << 20
MAXIMUM_LINES = 10_000

# A bomb unpacks into about 1,000 times (gzip) or 32,000 times (zstd) its size: of so many bytes at a time it
# is 16 MB.
_GZIP_SLICE_BYTES = 16 << 10
_ZSTD_SLICE_BYTES = 512
_GZIP_CONTAINER = 31  # of zlib's wbits: the window, and that a gzip header goes before

Numbered = tuple[int, bytes | Refused]
"""A line's number, from 1, and the line; or why there is none."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class Lines:
    """Divides one body. After `is_over` nothing more of it is of use."""

    def __init__(self, encoding: str) -> None:
        """`encoding` as in Content-Encoding. Raises Refused CONTENT_ENCODING_UNKNOWN (415)."""
        self._unpack = _unpacking(encoding)
        self._line = bytearray()
        self._number = 0
        self._unpacked_bytes = 0
        self._is_too_long = False
        self.is_over = False

    def feed(self, chunk: bytes) -> Iterator[Numbered]:
        """The lines that end in the next part of the body."""
        try:
            for piece in self._unpack.pieces(chunk):
                self._unpacked_bytes += len(piece)
                if self._unpacked_bytes > MAXIMUM_BYTES:
                    yield self._over(_too_much(f"{MAXIMUM_BYTES >> 20} MiB unpacked"))
                yield from self._divide(piece)
                if self.is_over:
                    return
        except (zlib.error, zstandard.ZstdError):
            yield self._over(_incomplete("it cannot be unpacked from here on"))

    def end(self) -> Iterator[Numbered]:
        """The last line, when the body has ended as it should."""
        if self.is_over:
            return
        if not self._unpack.is_whole:
            yield self._over(_incomplete("its compressed form ends too early"))
        elif self._line or self._is_too_long:
            yield from self._complete()

    def _divide(self, piece: bytes) -> Iterator[Numbered]:
        start = 0
        while not self.is_over and (end := piece.find(b"\n", start)) >= 0:
            self._add(piece[start:end])
            start = end + 1
            yield from self._complete()
        self._add(piece[start:])

    def _add(self, part: bytes) -> None:
        if self._is_too_long:
            return
        self._line += part
        if len(self._line) > MAXIMUM_LINE_BYTES:
            self._is_too_long = True
            self._line = bytearray()

    def _complete(self) -> Iterator[Numbered]:
        line, self._line = bytes(self._line), bytearray()
        is_too_long, self._is_too_long = self._is_too_long, False
        if self._number >= MAXIMUM_LINES:
            yield self._over(_too_much(f"{MAXIMUM_LINES} lines"))
        elif is_too_long:
            sentence = f"the line is too long: expected at most {MAXIMUM_LINE_BYTES >> 20} MiB"
            yield self._numbered(Refused(Code.LINE_TOO_LONG, sentence))
        elif not line or line.isspace():
            self._number += 1
        else:
            yield self._numbered(line)

    def _numbered(self, line: bytes | Refused) -> Numbered:
        self._number += 1
        return self._number, line

    def _over(self, refused: Refused) -> Numbered:
        self.is_over = True
        self._line = bytearray()
        return self._numbered(refused)


class _Unpacking:
    """A body's decompression, over any number of frames one after the other."""

    def __init__(self, begin: Callable[[], _Decompressor], slice_bytes: int) -> None:
        self._begin, self._slice_bytes = begin, slice_bytes
        self._frame: _Decompressor | None = None

    @property
    def is_whole(self) -> bool:
        return self._frame is None or self._frame.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), self._slice_bytes):
            rest = chunk[start : start + self._slice_bytes]
            while rest:
                if self._frame is None or self._frame.eof:
                    self._frame = self._begin()
                piece = self._frame.decompress(rest)
                rest = self._frame.unused_data if self._frame.eof else b""
                yield piece


class _Plain:
    """A body as it is."""

    is_whole = True

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk


def _unpacking(encoding: str) -> _Unpacking | _Plain:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Unpacking(lambda: zlib.decompressobj(_GZIP_CONTAINER), _GZIP_SLICE_BYTES)
        case "zstd":
            return _Unpacking(lambda: zstandard.ZstdDecompressor().decompressobj(), _ZSTD_SLICE_BYTES)
    raise Refused(
        Code.CONTENT_ENCODING_UNKNOWN, f"the body's encoding is {encoding!r}: expected gzip, zstd or none"
    )


def _incomplete(problem: str) -> Refused:
    return Refused(Code.BODY_INCOMPLETE, f"the body is not whole: {problem}")


def _too_much(limit: str) -> Refused:
    return Refused(Code.BODY_TOO_LARGE, f"a batch may have {limit}: send the rest as another")
