"""Values taken out of JSON that a client made, each checked for what the tables can hold.

The functions take the object, the name of a field in it and the path of the object (for the sentence), give
back the value in its Python type and raise FieldUnfit, which the format turns into its own refusal.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spackmon.errors import Code, Refused, printable

SHORT_TEXT_BYTES = 500
"""The longest name, version or hash. A row of a PostgreSQL index holds 2,700 bytes, five of these among them
(the environment of a build), and a version's key can be three times as long as the version."""

_KEY_BYTES = 400
_PHASE_STATUS_CHARACTERS = 100

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_BYTES_AS_SURROGATES = range(0xDC80, 0xDD00)

INTEGER_BITS = 32
ROW_ID_BITS = 64

_SENTENCE_CHARACTERS = 400


class FieldUnfit(ValueError):  # noqa: N818 -- becomes a Refused, which is the answer
    """A field that is missing or holds something else than was expected, as a sentence."""

    def __init__(self, sentence: str, *, missing: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = printable(sentence, _SENTENCE_CHARACTERS)
        self.missing = missing


@contextmanager
def named_fields() -> Iterator[None]:
    """Within it an unfit field is Refused as FIELD_MISSING or FIELD_INVALID, its sentence as it is."""
    try:
        yield
    except FieldUnfit as unfit:
        code = Code.FIELD_MISSING if unfit.missing else Code.FIELD_INVALID
        raise Refused(code, unfit.sentence) from None


_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)


def compact(value: object, field: str) -> str:
    """`value` as JSON in ASCII without spaces, keys in their order.

    That is the form whose hash Spack takes. Raises FieldUnfit for NaN, infinities, deep nesting and what is
    no JSON.
    """
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise FieldUnfit(f"{field} is nested too deeply") from None
    except (TypeError, ValueError):
        raise FieldUnfit(f"{field} must be JSON: it holds NaN, an infinity or another value") from None


def storable_json(value: object, field: str) -> str:
    """`value` as compact JSON, all of whose texts a database can hold."""
    document = compact(value, field)
    # Escapes are rare: only a document that has them is searched text by text.
    if "\\u0000" in document or "\\ud" in document:
        for text in _texts(value):
            _check_storable(text, field)
    return document


def storable_text(value: object, field: str) -> str:
    """`value`, a text of any length that a database can hold."""
    if not isinstance(value, str):
        raise FieldUnfit(f"{field} must be a string, not {_kind(value)}")
    _check_storable(value, field)
    return value


def escaped(text: str) -> str:
    """`text` as a database can hold it: `\\xff` for a byte that is no UTF-8, which Python has as half of a
    surrogate pair, and `\\x00` for NUL.
    """
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub(_escape, text)


def base64_bytes(value: object, field: str) -> bytes:
    """The bytes that base64 states."""
    if not isinstance(value, str):
        raise FieldUnfit(f"{field} must be a string of base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise FieldUnfit(f"{field} must be base64") from None


def short_text(value: object, field: str) -> str:
    """`value`, a text that an index can hold."""
    if isinstance(value, str) and value.isascii() and len(value) <= SHORT_TEXT_BYTES and "\x00" not in value:
        return value  # nearly every one of the thousands in a graph
    text = storable_text(value, field)
    if len(text.encode()) > SHORT_TEXT_BYTES:
        raise FieldUnfit(f"{field} must be at most {SHORT_TEXT_BYTES} bytes long")
    return text


def short_key(key: str) -> str:
    """A source's own name of a run, as an index can hold it: what is cut off of a long one is in a digest."""
    written = key.encode()
    if len(written) <= SHORT_TEXT_BYTES:
        return key
    return f"{written[:_KEY_BYTES].decode(errors='ignore')}#{hashlib.sha256(written).hexdigest()[:32]}"


def required(owner: dict[str, Any], field: str, path: str = "") -> Any:
    """The field's value, which must be there and not null."""
    value = owner.get(field)
    if value is None:
        raise FieldUnfit(f"{path}{field} is missing", missing=True)
    return value


def name_of(owner: dict[str, Any], field: str, path: str = "") -> str:
    """A short text that must be there and not be empty."""
    text = short_text(required(owner, field, path), path + field)
    if not text:
        raise FieldUnfit(f"{path}{field} must not be empty")
    return text


def phase_status_of(owner: dict[str, Any], path: str = "") -> str:
    """The status of a phase, which is Spack's own word."""
    status = name_of(owner, "status", path)
    if len(status) > _PHASE_STATUS_CHARACTERS:
        raise FieldUnfit(f"{path}status must be at most {_PHASE_STATUS_CHARACTERS} characters long")
    return status


def optional_name(owner: dict[str, Any], field: str, path: str = "") -> str | None:
    """A short text, or None where it is missing or null."""
    value = owner.get(field)
    return None if value is None else short_text(value, path + field)


def object_of(value: object, field: str) -> dict[str, Any]:
    """`value`, a JSON object."""
    if not isinstance(value, dict):
        raise FieldUnfit(f"{field} must be an object, not {_kind(value)}")
    return value


def list_of(value: object, field: str) -> list[Any]:
    """`value`, a JSON list."""
    if not isinstance(value, list):
        raise FieldUnfit(f"{field} must be a list, not {_kind(value)}")
    return value


def names_of(value: object, field: str) -> tuple[str, ...]:
    """`value`, a list of short texts."""
    return tuple([short_text(item, field) for item in list_of(value, field)])


def tags_of(value: object, field: str) -> tuple[str, ...]:
    """Tags without blanks around them, each once: clients send "a,b"; a list is as good, null is none."""
    if value is None:
        return ()
    listed = value.split(",") if isinstance(value, str) else list_of(value, field)
    stripped = [short_text(tag, field).strip() for tag in listed]
    return tuple(dict.fromkeys(tag for tag in stripped if tag))


def optional_integer(owner: dict[str, Any], field: str, path: str = "", *, bits: int) -> int | None:
    """An integer that a column of so many bits holds, or None where it is missing or null."""
    value = owner.get(field)
    return None if value is None else integer(value, path + field, bits=bits)


def integer(value: object, field: str, *, bits: int) -> int:
    """`value`, an integer that a column of so many bits holds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise FieldUnfit(f"{field} must be an integer, not {_kind(value)}")
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise FieldUnfit(f"{field} must fit into {bits} bits")
    return value


def _escape(unstorable: re.Match[str]) -> str:
    code = ord(unstorable.group())
    is_byte = code in _BYTES_AS_SURROGATES or code == 0
    return f"\\x{code & 0xFF:02x}" if is_byte else "\ufffd"


def _check_storable(text: str, field: str) -> None:
    if "\x00" in text:
        raise FieldUnfit(f"{field} must not contain a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise FieldUnfit(f"{field} must not contain half of a surrogate pair") from None


def _texts(value: object) -> Iterator[str]:
    pending = [value]
    while pending:
        found = pending.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, dict):
            pending += found.keys()
            pending += found.values()
        elif isinstance(found, list | tuple):
            pending += found


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
