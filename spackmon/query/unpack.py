"""What SQL cannot write itself: logs are unpacked, and errors found in the data raised, on the way out.

The statement leaves them between two MARKs, a raw control character that JSON text cannot contain.
"""

import json
from collections.abc import Iterator

import zstandard

from spackmon.errors import Refused
from spackmon.query.json_text import MARK

_MARK = MARK.encode()
LOG, ERROR = "L", "E"


def unpacked(answer: bytes) -> bytes:
    """The answer with every marked piece replaced; Refused if one is an error."""
    if _MARK not in answer:
        return answer
    pieces = answer.split(_MARK)
    for position in range(1, len(pieces), 2):
        pieces[position] = _replacement(pieces[position])
    return b"".join(pieces)


def _replacement(piece: bytes) -> bytes:
    kind, content = piece[:1].decode(), piece[1:]
    if kind == ERROR:
        code, message = content.decode().split(":", 1)
        raise Refused(code, 400, message)
    return b'"' + b"".join(_log_json(content)) + b'"'


def _log_json(chunks: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    for chunk in chunks.split(b","):
        if chunk:
            text = decompressor.decompress(bytes.fromhex(chunk.decode())).decode("utf-8", "surrogatepass")
            # A lone surrogate has no UTF-8, and strict JSON readers refuse its escape.
            yield json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
