"""What SQL cannot write itself: logs are unpacked, errors found in the data raised, fields computed.

The statement leaves them between two marks, raw control characters that JSON text cannot contain.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import zstandard

from spackmon.errors import Refused
from spackmon.query.computed import Computation
from spackmon.query.json_text import COMPUTED, COMPUTED_END, MARK

_MARK, _COMPUTED = MARK.encode(), COMPUTED.encode()
_INNERMOST = re.compile(f"{COMPUTED}([0-9]+):([^{COMPUTED}{COMPUTED_END}]*){COMPUTED_END}".encode())
LOG, TAIL, ERROR = "L", "T", "E"

# Less than CHUNK_BYTES, so that the last two chunks always hold it.
TAIL_BYTES = 200_000
_CONTINUATIONS = bytes(range(0x80, 0xC0))


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
        raise Refused(code, 400, message)
    if kind == TAIL:
        return b'"' + _json_text(_tail(content)) + b'"'
    return b'"' + b"".join(map(_json_text, _texts(content))) + b'"'


def _texts(chunks: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    return (decompressor.decompress(bytes.fromhex(chunk.decode())) for chunk in chunks.split(b",") if chunk)


def _tail(chunks: bytes) -> bytes:
    """The last whole lines that have room in TAIL_BYTES, or the end of a line that has not."""
    text = b"".join(_texts(chunks))
    if len(text) <= TAIL_BYTES:
        return text
    end = text[-TAIL_BYTES:]
    # What is cut off may have been the first byte of a character: 10xxxxxx continues one.
    return end.partition(b"\n")[2] or end.lstrip(_CONTINUATIONS)


def _json_text(text: bytes) -> bytes:
    # A lone surrogate has no UTF-8, and strict JSON readers refuse its escape.
    decoded = text.decode("utf-8", "surrogatepass")
    return json.dumps(decoded, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
