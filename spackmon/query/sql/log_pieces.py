"""Logs in an answer: compressed chunks, as the statement leaves them, become text, base64 or a number.

A piece is a kind, a header that ends with HEADER_END, and the chunks as hexadecimal digits with commas
between. The header of lines is `FIRST,FROM,TO`: the number of the first chunk's first line, and which lines
are wanted, from 1, or from the end as -1.
"""

import base64
import codecs
import json
from collections.abc import Iterable, Iterator

import zstandard

from spackmon.errors import Code, Refused
from spackmon.log_bucket import Contents, in_database
from spackmon.logs.terminal import plain

TEXT, PLAIN, BASE64, TAIL, LINE_COUNT = "L", "P", "B", "T", "C"
KINDS = frozenset((TEXT, PLAIN, BASE64, TAIL, LINE_COUNT))
HEADER_END = ";"

# Less than CHUNK_BYTES, so that the last two chunks always hold it.
TAIL_BYTES = 200_000
_LONGEST_CHARACTER_BYTES = 4


def replacement(kind: str, piece: bytes, contents: Contents = in_database) -> bytes:
    """The JSON that a piece stands for; `contents` gives what is not in the database.

    Raises Refused for lines that cannot be meant, and LOG_UNAVAILABLE.
    """
    header, stored = stored_chunks(piece)
    chunks = _unpacked(stored, contents)
    if kind == LINE_COUNT:
        return b"%d" % _line_count(int(header), b"".join(chunks))
    if kind == TAIL:
        return _string(_json_text(_tail(b"".join(chunks)).decode("utf-8", "replace")))
    first_line, start, stop = (int(number) for number in header.split(b","))
    lines = chunks if (start, stop) == (1, -1) else [_cut(b"".join(chunks), first_line, start, stop)]
    if kind == BASE64:
        return _string(base64.b64encode(b"".join(lines)))
    if kind == PLAIN:
        # A sequence may begin in one chunk and end in another only where one line is longer than a chunk.
        lines = [plain(b"".join(lines))]
    return _string(b"".join(map(_json_text, _texts(lines))))


def stored_chunks(piece: bytes) -> tuple[bytes, Iterator[bytes]]:
    """The header of a piece, and what is stored of each of its chunks, one at a time."""
    header, _, digits = piece.partition(HEADER_END.encode())
    return header, (bytes.fromhex(chunk.decode()) for chunk in digits.split(b",") if chunk)


def _unpacked(stored: Iterable[bytes], contents: Contents) -> Iterator[bytes]:
    """Chunks, one at a time."""
    decompressor = zstandard.ZstdDecompressor()
    return (decompressor.decompress(contents(chunk)) for chunk in stored)


def _cut(text: bytes, first_line: int, start: int, stop: int) -> bytes:
    """The lines from `start` to `stop` of a text that begins with line `first_line`."""
    if start * stop > 0 and start > stop:
        raise Refused(
            Code.ARGUMENT_INVALID,
            f"`toLine` must not be before `fromLine`, they are {stop} and {start}",
        )
    if min(start, stop) < 0:
        last_line = _line_count(first_line, text)
        start, stop = (last_line + line + 1 if line < 0 else line for line in (start, stop))
    begin = _offset(text, max(start - first_line, 0))
    end = begin if stop < max(start, 1) else _offset(text, stop - max(start, first_line) + 1, begin)
    return text[begin:end]


def _offset(text: bytes, lines: int, begin: int = 0) -> int:
    """Where so many lines after `begin` have ended."""
    for _ in range(lines):
        found = text.find(b"\n", begin)
        if found < 0:
            return len(text)
        begin = found + 1
    return begin


def _line_count(first_line: int, text: bytes) -> int:
    """The number of the last line of a text that begins with line `first_line`."""
    return first_line - 1 + text.count(b"\n") + (not text.endswith(b"\n") and bool(text))


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """The chunks as text, a character that two of them share whole; U+FFFD for what is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for content in chunks:
        yield decoder.decode(content)
    yield decoder.decode(b"", final=True)


def _tail(log: bytes) -> bytes:
    """The last whole lines that have room in TAIL_BYTES, or the end of a line that has not."""
    if len(log) <= TAIL_BYTES:
        return log
    end = log[-TAIL_BYTES:]
    return end.partition(b"\n")[2] or end[_first_character(end) :]


def _first_character(end: bytes) -> int:
    """Where a character begins: what was cut off may have been the first byte of one, as 10xxxxxx goes on."""
    for position in range(_LONGEST_CHARACTER_BYTES):
        if end[position] & 0xC0 != 0x80:
            return position
    return 0


def _string(text: bytes) -> bytes:
    return b'"' + text + b'"'


def _json_text(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
