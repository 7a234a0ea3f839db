"""What SQL cannot write itself: logs are unpacked, errors found in the data raised, fields computed.

The statement leaves them between two marks, raw control characters that JSON text cannot contain.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.packed_claims import unpack_document
from spackmon.log_bucket import Parts, in_database
from spackmon.logs.references import SIGN, Reference, reference_in
from spackmon.query.sql import log_pieces
from spackmon.query.sql.computed import Computation
from spackmon.query.sql.json_text import COMPUTED, COMPUTED_END, MARK

_MARK, _COMPUTED = MARK.encode(), COMPUTED.encode()
_INNERMOST = re.compile(f"{COMPUTED}([0-9]+):([^{COMPUTED}{COMPUTED_END}]*){COMPUTED_END}".encode())
# Of chunks: numbers and hexadecimal digits alone.
_FACTS = re.compile(f'{COMPUTED}([0-9]+):{{"facts":(\\[[^\\]]*\\])'.encode())
_REFERENCE = SIGN.hex().encode()
_NONE: Parts = {}
ERROR, DOCUMENT = "E", "D"
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """A field that has no value, where it would stand, and why."""

    path: Path
    refused: Refused


def is_packed(answer: bytes) -> bool:
    """Whether anything in it is to be replaced."""
    return _MARK in answer or _COMPUTED in answer


def references_in(answer: bytes, computations: Sequence[Computation]) -> list[Reference]:
    """The parts of objects that chunks of logs in an answer are."""
    if _REFERENCE not in answer:
        return []
    stored: list[bytes] = []
    for piece in answer.split(_MARK)[1::2]:
        if piece[:1].decode() in log_pieces.KINDS:
            stored.extend(log_pieces.stored_chunks(piece[1:])[1])
    for found in _FACTS.finditer(answer):
        if computations[int(found[1])].reads_logs:
            stored += [bytes.fromhex(chunk["content"]) for chunk in json.loads(found[2])]
    return [one for one in map(reference_in, stored) if one is not None]


def unpacked(
    answer: bytes, computations: Sequence[Computation], variables: Mapping[str, Any], parts: Parts = _NONE
) -> bytes:
    """The answer with every marked piece replaced; Refused if one is an error.

    `parts` are the contents of the chunks that `references_in` names.
    """
    return _Unpacking(computations, variables, parts).whole(answer)


def unpacked_with_gaps(
    answer: bytes, computations: Sequence[Computation], variables: Mapping[str, Any], parts: Parts
) -> tuple[bytes, list[Gap]]:
    """As `unpacked`, where a log that cannot be read is null, and the others are there."""
    gaps: dict[str, Refused] = {}
    whole = _Unpacking(computations, variables, parts, gaps).whole(answer)
    return _with_nulls(whole, gaps) if gaps else (whole, [])


class _Unpacking:
    """Fills the pieces of one answer; `gaps` gets what stands in place of a log that cannot be read."""

    def __init__(
        self,
        computations: Sequence[Computation],
        variables: Mapping[str, Any],
        parts: Parts,
        gaps: dict[str, Refused] | None = None,
    ) -> None:
        self._computations, self._variables, self._parts = computations, variables, parts
        self._gaps = gaps

    def whole(self, answer: bytes) -> bytes:
        """The answer with every marked piece replaced."""
        if _MARK in answer:
            pieces = answer.split(_MARK)
            for position in range(1, len(pieces), 2):
                pieces[position] = self._replacement(pieces[position])
            answer = b"".join(pieces)
        while _COMPUTED in answer:
            answer = _INNERMOST.sub(self._computed, answer)
        return answer

    def _replacement(self, piece: bytes) -> bytes:
        kind, content = piece[:1].decode(), piece[1:]
        if kind == ERROR:
            code, message = content.decode().split(":", 1)
            raise Refused(Code[code], message)
        if kind == DOCUMENT:
            dictionary, _, packed = content.decode().partition(":")
            return unpack_document(bytes.fromhex(packed), int(dictionary))
        try:
            return log_pieces.replacement(kind, content, self._content)
        except Refused as refused:
            return self._gap(refused)

    def _computed(self, found: re.Match[bytes]) -> bytes:
        try:
            return self._computations[int(found[1])].answer(found[2], self._variables, self._content)
        except Refused as refused:
            return self._gap(refused)

    def _gap(self, refused: Refused) -> bytes:
        if self._gaps is None or refused.code is not Code.LOG_UNAVAILABLE:
            raise refused
        # Nobody can have put it into the answer before.
        sign = token_hex(16)
        self._gaps[sign] = refused
        return b'"%s"' % sign.encode()

    def _content(self, stored: bytes) -> bytes:
        reference = reference_in(stored)
        found = stored if reference is None else self._parts.get(reference, stored)
        if isinstance(found, Refused):
            raise found
        return in_database(found)


def _with_nulls(answer: bytes, signs: Mapping[str, Refused]) -> tuple[bytes, list[Gap]]:
    """The answer without the objects that have a gap, as none of a log's fields may be null."""
    gaps: list[Gap] = []

    def shown(value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [shown(one, (*path, place)) for place, one in enumerate(value)]
        if not isinstance(value, dict):
            return value
        for key, one in value.items():
            if isinstance(one, str) and one in signs:
                if not path:
                    raise signs[one]
                gaps.append(Gap((*path, key), signs[one]))
                return None
        return {key: shown(one, (*path, key)) for key, one in value.items()}

    whole = json.dumps(shown(json.loads(answer), ()), ensure_ascii=False, separators=(",", ":"))
    return whole.encode("utf-8", "backslashreplace"), gaps
