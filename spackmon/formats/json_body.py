"""The JSON object in a request's body, read strictly; a log in it is not copied more than once."""

import io
import json
import re
import secrets
from typing import Any, NoReturn

from spackmon.errors import Code, Refused

# Python's json needs the decoded body, the value, and twice or four times that if a compiler wrote one
# curly quote. A longer body therefore has its log cut out and unescaped piece by piece.
_LARGE_BODY_BYTES = 1 << 18

# Each value takes 60 bytes and more: `[],[],…` takes 24 times its size, and 90 kB of gzip hold 90 MB of it.
# Specs have a comma or a bracket every 13 bytes, so that the largest file of them that is taken has fewer.
_MAXIMUM_VALUES = 24_000_000

_LOG_KEY = re.compile(rb'(?<!\\)"output"\s*:\s*"')
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
# A piece ends neither within an escape nor within a pair of surrogates nor within a UTF-8 sequence.
_PIECE = re.compile(
    rb"(?:[^\\]{1,4096}+[\x80-\xbf]*+"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u.{4}|\\.){1,256}+",
    re.DOTALL,
)


def read_json(body: bytes | bytearray) -> dict[str, Any]:
    """The object that `body` (UTF-8) states; of a key given twice the last value counts.

    In a body above 256 KiB the string under a top-level "output" comes as UTF-8 bytes (lone surrogates by
    `surrogatepass`), so that a log of 50 MB takes once its size beside the body: the caller may keep that.
    Raises Refused BODY_NOT_JSON, also for NaN and infinities.
    """
    log = _log(body) if len(body) > _LARGE_BODY_BYTES else None
    if log is not None:
        start, end = log
        stand_in = secrets.token_hex()
        parsed = _object(bytes(body[:start]) + stand_in.encode() + bytes(body[end:]))
        if parsed.get("output") == stand_in:
            parsed["output"] = _unescaped(memoryview(body)[start:end])
            return parsed
    return _object(body)


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError; NaN and infinities are no JSON."""
    _check_values(text)
    try:
        return _decoder.decode(text)
    except (json.JSONDecodeError, _NotJsonError):
        raise
    except ValueError:  # Python's own sentence tells to change its settings
        raise _NotJsonError("an integer in it has too many digits") from None


def parse_unambiguous(text: str) -> Any:
    """As `parse`, but an object with a key given twice is no JSON either."""
    _check_values(text)
    try:
        return _unambiguous_decoder.decode(text)
    except (json.JSONDecodeError, _NotJsonError):
        raise
    except ValueError:
        raise _NotJsonError("an integer in it has too many digits") from None


def _check_values(text: str) -> None:
    """Count what separates values, in strings as well: none of those is so long and so full of it."""
    if len(text) > _MAXIMUM_VALUES and sum(map(text.count, ",[{")) > _MAXIMUM_VALUES:
        raise _NotJsonError(f"it has more than {_MAXIMUM_VALUES:,} values")


def _object(body: bytes | bytearray) -> dict[str, Any]:
    try:
        parsed = parse(body.decode())
    except UnicodeDecodeError as problem:
        raise _not_json(f"byte {problem.start} is not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise _not_json(f"{problem.msg.removesuffix(' at')} at character {problem.pos}") from None
    except ValueError as problem:
        raise _not_json(str(problem)) from None
    except RecursionError:
        raise _not_json("it is nested too deeply") from None
    if not isinstance(parsed, dict):
        raise _not_json("its outermost value is no object")
    return parsed


def _log(body: bytes | bytearray) -> tuple[int, int] | None:
    """Where the text under the first key "output" begins and ends, its quotes outside."""
    key = _LOG_KEY.search(body)
    if key is None:
        return None
    rest = _REST_OF_STRING.match(body, key.end())
    end = key.end() if rest is None else rest.end()
    return (key.end(), end) if end < len(body) else None


def _unescaped(escaped: memoryview) -> bytes:
    # getvalue hands out BytesIO's own buffer; joining pieces would need all of it twice.
    unescaped = io.BytesIO()
    done = 0
    try:
        for piece in _PIECE.finditer(escaped):
            if piece.start() != done:
                break
            text = parse(f'"{str(escaped[done : piece.end()], "utf-8")}"')
            unescaped.write(text.encode("utf-8", "surrogatepass"))
            done = piece.end()
    except ValueError:
        raise _not_json('the string "output" is malformed') from None
    if done != len(escaped):
        raise _not_json('the string "output" is malformed')
    return unescaped.getvalue()


class _NotJsonError(ValueError):
    """What Python would take for JSON, or cannot represent."""


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _NotJsonError(f"the number {digits[:20]} is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise _NotJsonError(f"{name} is no JSON")


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _NotJsonError("an object in it has a key twice")
    return fields


_decoder = json.JSONDecoder(parse_float=_finite, parse_constant=_constant)
_unambiguous_decoder = json.JSONDecoder(
    parse_float=_finite, parse_constant=_constant, object_pairs_hook=_without_repetition
)


def _not_json(problem: str) -> Refused:
    return Refused(Code.BODY_NOT_JSON, f"the body must be a JSON object: {problem}")
