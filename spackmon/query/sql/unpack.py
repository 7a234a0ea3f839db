"""What SQL cannot write itself: logs are unpacked, errors found in the data raised, fields computed.

The statement leaves them between two marks, raw control characters that JSON text cannot contain.
"""

import base64
import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zstandard

from spackmon.errors import Code, Refused
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.json_text import COMPUTED, COMPUTED_END, MARK

_MARK, _COMPUTED = MARK.encode(), COMPUTED.encode()
_INNERMOST = re.compile(f"{COMPUTED}([0-9]+):([^{COMPUTED}{COMPUTED_END}]*){COMPUTED_END}".encode())
LOG, BASE64, TAIL, ERROR = "L", "B", "T", "E"

# Less than CHUNK_BYTES, so that the last two chunks always hold it.
TAIL_BYTES = 200_000
_LONGEST_CHARACTER_BYTES = 4


def is_packed(answer: bytes) -> bool:
    """Whether anything in it is to be replaced."""
    return _MARK in answer or _COMPUTED in answer


def unpacked(answer: bytes, computations: Sequence[Computation], variables: Mapping[str, Any]) -> bytes:
    """The answer with every marked piece replaced; Refused if one is an error."""
    if _MARK in answer:
        pieces = answer.split(_MARK)
        for position in range(1, len(pieces), 2):
            pieces[position] = _replacement(pieces[position])
        answer = b"".join(pieces)
    while _COMPUTED in answer:
        answer = _INNERMOST.sub(lambda found: computations[int(found[1])].answer(found[2], variables), answer)
    return answer


def _replacement(piece: bytes) -> bytes:
    kind, content = piece[:1].decode(), piece[1:]
    if kind == ERROR:
        code, message = content.decode().split(":", 1)
        raise Refused(Code[code], message)
    if kind == BASE64:
        return b'"' + base64.b64encode(b"".join(_contents(content))) + b'"'
    if kind == TAIL:
        return b'"' + _json_text(_tail(content).decode("utf-8", "replace")) + b'"'
    return b'"' + b"".join(map(_json_text, _texts(content))) + b'"'


def _contents(chunks: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    return (decompressor.decompress(bytes.fromhex(chunk.decode())) for chunk in chunks.split(b",") if chunk)


def _texts(chunks: bytes) -> Iterator[str]:
    """The chunks as text, a character that two of them share whole; U+FFFD for what is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for content in _contents(chunks):
        yield decoder.decode(content)
    yield decoder.decode(b"", final=True)


def _tail(chunks: bytes) -> bytes:
    """The last whole lines that have room in TAIL_BYTES, or the end of a line that has not."""
    log = b"".join(_contents(chunks))
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


def _json_text(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode()
