"""Values of a report in JSON that fields.py does not know: moments, seconds, words, logs with a limit."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from spackmon.formats.bytes.compression import GZIP, Damaged, Unpacking
from spackmon.formats.bytes.fields import (
    ROW_ID_BITS,
    FieldUnfit,
    base64_bytes,
    optional_integer,
    storable_text,
)

# All logs of one report: beyond it a small line would unpack into more than a server's memory.
MAXIMUM_LOG_BYTES = 256 << 20

# What a broken clock or a wrong unit tells. Runs are compared with some slack, and a moment at the end of all
# time would have none: each later report about the same spec would fail at it.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_MAXIMUM_SECONDS = 10**9

Word = TypeVar("Word", bound=StrEnum)


class Logs:
    """The logs of one report, in any of their two forms, as long as they are small enough together."""

    def __init__(self) -> None:
        self._left_bytes = MAXIMUM_LOG_BYTES

    def take(self, owner: dict[str, Any], field: str, path: str = "") -> bytes | None:
        """The log under `field` (text) or `field_base64` (gzipped); None where neither is there."""
        packed = owner.get(f"{field}_base64")
        text = owner.get(field)
        if packed is not None:
            if text is not None:
                raise FieldUnfit(f"{path}{field} must be given once, as text or as {field}_base64")
            log = self._unpacked(base64_bytes(packed, f"{path}{field}_base64"), f"{path}{field}_base64")
        elif text is None:
            return None
        elif isinstance(text, str):
            log = text.encode("utf-8", "surrogatepass")
        else:
            raise FieldUnfit(f"{path}{field} must be a string or null")
        self._left_bytes -= len(log)
        if self._left_bytes < 0:
            raise FieldUnfit(
                f"{path}{field} is too long: the logs of a report must be at most "
                f"{MAXIMUM_LOG_BYTES >> 20} MiB together"
            )
        return log

    def _unpacked(self, packed: bytes, field: str) -> bytes:
        """What was gzipped, as far as it may be too long."""
        log = bytearray()
        unpacking = Unpacking(GZIP)
        try:
            for piece in unpacking.pieces(packed):
                log += piece
                if len(log) > self._left_bytes:
                    return bytes(log)
            unpacking.end()
        except Damaged:
            raise FieldUnfit(f"{field} must be the base64 of whole gzipped bytes") from None
        return bytes(log)


def moment(value: object, field: str) -> datetime | None:
    """Seconds since 1970, or ISO 8601, which means UTC where it names no zone; None for null."""
    if value is None:
        return None
    try:
        parsed = _moment(value)
    except (ValueError, OverflowError, OSError):
        parsed = None
    if parsed is not None and _EARLIEST <= parsed < _LATEST:
        return parsed
    raise FieldUnfit(f"{field} must be seconds since 1970 or a time such as 2026-11-22T08:44:33Z")


def _moment(value: object) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    return None


def optional_seconds(owner: dict[str, Any], field: str, path: str = "") -> float | None:
    """A duration, or None where it is missing or null."""
    value = owner.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FieldUnfit(f"{path}{field} must be a number of seconds")
    if not 0 <= value <= _MAXIMUM_SECONDS:
        raise FieldUnfit(f"{path}{field} must be a number of seconds from 0 to {_MAXIMUM_SECONDS}")
    return float(value)


def optional_bytes(owner: dict[str, Any], field: str, path: str = "") -> int | None:
    """A size that a column can hold, or None where it is missing or null."""
    value = optional_integer(owner, field, path, bits=ROW_ID_BITS)
    if value is not None and value < 0:
        raise FieldUnfit(f"{path}{field} must be a number of bytes from 0")
    return value


def flag(owner: dict[str, Any], field: str, path: str = "") -> bool:
    """Whether a statement holds; where it is missing or null it does not."""
    value = owner.get(field)
    if value is not None and not isinstance(value, bool):
        raise FieldUnfit(f"{path}{field} must be true or false")
    return bool(value)


def optional_text(owner: dict[str, Any], field: str, path: str = "") -> str | None:
    """A text of any length, or None where it is missing or null."""
    value = owner.get(field)
    return None if value is None else storable_text(value, path + field)


def word(value: object, field: str, words: type[Word]) -> Word:
    """One of `words`."""
    if isinstance(value, str) and value in words.__members__:
        return words[value]
    raise FieldUnfit(f"{field} must be one of {', '.join(words)}")
