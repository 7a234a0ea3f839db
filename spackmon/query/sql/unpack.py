"""What SQL cannot write itself: logs are unpacked, errors found in the data raised, fields computed.

The statement leaves them between two marks, raw control characters that JSON text cannot contain.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.packed_claims import unpack_document
from spackmon.query.sql import log_pieces
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.json_text import COMPUTED, COMPUTED_END, MARK

_MARK, _COMPUTED = MARK.encode(), COMPUTED.encode()
_INNERMOST = re.compile(f"{COMPUTED}([0-9]+):([^{COMPUTED}{COMPUTED_END}]*){COMPUTED_END}".encode())
ERROR, DOCUMENT = "E", "D"


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
    if kind == DOCUMENT:
        dictionary, _, packed = content.decode().partition(":")
        return unpack_document(bytes.fromhex(packed), int(dictionary))
    return log_pieces.replacement(kind, content)
