"""A body of lines, unpacked and divided as it comes in: what is kept of it at a time is one line."""

from collections.abc import Iterator
from pathlib import Path

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.compression import GZIP, ZSTD, Damaged, Unpacking
from spackmon.http.body import MAXIMUM_BYTES
from spackmon.large_bytes import AnyBytes, LargeBytes, Writer

MAXIMUM_LINE_BYTES = 128 << 20
MAXIMUM_LINES = 10_000

_COMPRESSIONS = {"": None, "identity": None, "gzip": GZIP, "x-gzip": GZIP, "zstd": ZSTD}

Numbered = tuple[int, AnyBytes | Refused]
"""A line's number, from 1, and the line; or why there is none."""


class Lines:
    """Divides one body. After `is_over` nothing more of it is of use."""

    def __init__(self, encoding: str, directory: Path) -> None:
        """`encoding` as in Content-Encoding; a line that is large is in a file in `directory`.

        Raises Refused CONTENT_ENCODING_UNKNOWN (415).
        """
        name = encoding.strip().lower()
        if name not in _COMPRESSIONS:
            sentence = f"the body's encoding is {encoding!r}: expected gzip, zstd or none"
            raise Refused(Code.CONTENT_ENCODING_UNKNOWN, sentence)
        compression = _COMPRESSIONS[name]
        self._unpacking = None if compression is None else Unpacking(compression)
        self._directory = directory
        self._line = Writer(directory)
        self._number = 0
        self._unpacked_bytes = 0
        self._is_too_long = False
        self.is_over = False

    def feed(self, chunk: bytes) -> Iterator[Numbered]:
        """The lines that end in the next part of the body. Raises OSError for those in files."""
        try:
            for piece in [chunk] if self._unpacking is None else self._unpacking.pieces(chunk):
                self._unpacked_bytes += len(piece)
                if self._unpacked_bytes > MAXIMUM_BYTES:
                    yield self._over(_too_much(f"{MAXIMUM_BYTES >> 20} MiB unpacked"))
                yield from self._divide(piece)
                if self.is_over:
                    return
        except Damaged:
            yield self._over(_incomplete("it cannot be unpacked from here on"))

    def end(self) -> Iterator[Numbered]:
        """The last line, when the body has ended as it should."""
        if self.is_over:
            return
        try:
            if self._unpacking is not None:
                self._unpacking.end()
        except Damaged:
            yield self._over(_incomplete("its compressed form ends too early"))
            return
        if self._line.size_bytes or self._is_too_long:
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
        self._line.add(part)
        if self._line.size_bytes > MAXIMUM_LINE_BYTES:
            self._is_too_long = True
            self._begin_line()
        elif self._line.is_full:
            self._line.flush()

    def _begin_line(self) -> None:
        self._line.close()
        self._line = Writer(self._directory)

    def _complete(self) -> Iterator[Numbered]:
        line = self._line.finish()
        self._begin_line()
        is_too_long, self._is_too_long = self._is_too_long, False
        if self._number >= MAXIMUM_LINES:
            yield self._over(_too_much(f"{MAXIMUM_LINES} lines"))
        elif is_too_long:
            sentence = f"the line is too long: expected at most {MAXIMUM_LINE_BYTES >> 20} MiB"
            yield self._numbered(Refused(Code.LINE_TOO_LONG, sentence))
        elif not isinstance(line, LargeBytes) and (not line or line.isspace()):
            self._number += 1
        else:
            yield self._numbered(line)

    def _numbered(self, line: AnyBytes | Refused) -> Numbered:
        self._number += 1
        return self._number, line

    def _over(self, refused: Refused) -> Numbered:
        self.is_over = True
        self._begin_line()
        return self._numbered(refused)


def _incomplete(problem: str) -> Refused:
    return Refused(Code.BODY_INCOMPLETE, f"the body is not whole: {problem}")


def _too_much(limit: str) -> Refused:
    return Refused(Code.BODY_TOO_LARGE, f"a batch may have {limit}: send the rest as another")
