"""The JSON object in a request's body, read strictly; a log in it is not copied more than once."""

import io
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, NoReturn

from spackmon.errors import Code, Refused
from spackmon.large_bytes import LARGE_BYTES, AnyBytes, LargeBytes, Writer

# Each value takes 60 bytes and more: `[],[],…` takes 24 times its size, and 90 kB of gzip hold 90 MB of it.
# Specs have a comma or a bracket every 13 bytes, so that the largest file of them that is taken has fewer.
_MAXIMUM_VALUES = 24_000_000
_BYTES_PER_VALUE = 64
# The body, its text, and the strings in it; twice or four times the text if a compiler wrote one curly quote.
_COPIES = 4

# Python's json needs the decoded body and the value. A longer body therefore has its log cut out and
# unescaped piece by piece.
_KEY = b'"output"'
_LOG_KEY = re.compile(rb'(?<!\\)"output"\s*:\s*"')
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_WINDOW_BYTES = 1 << 20
_LONGEST_HEAD_BYTES = 1 << 20
# A piece ends neither within an escape nor within a pair of surrogates nor within a UTF-8 sequence.
_PIECE = re.compile(
    rb"(?:[^\\]{1,4096}+[\x80-\xbf]*+"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u.{4}|\\.){1,256}+",
    re.DOTALL,
)


def read_json(body: AnyBytes) -> dict[str, Any]:
    """The object that `body` (UTF-8) states; of a key given twice the last value counts.

    In a body above 256 KiB the string under a top-level "output" comes as UTF-8 bytes (lone surrogates by
    `surrogatepass`), so that a log of 50 MB takes once its size beside the body, or none where that is in a
    file: the caller may keep it. Raises Refused BODY_NOT_JSON, also for NaN and infinities.
    """
    log = _log(body)
    if log is None:
        return _object(body)
    start, end = log
    stand_in = secrets.token_hex()
    parsed = _object(bytes(body[:start]) + stand_in.encode() + bytes(body[end:]))
    if parsed["output"] == stand_in:
        parsed["output"] = _unescaped(body, start, end)
    return parsed


def memory_of(body: AnyBytes) -> int:
    """About how many bytes of memory `read_json` and its value take beside `body`."""
    log = _log(body)
    if log is None:
        return _COPIES * len(body) + _BYTES_PER_VALUE * _separators(body, 0, len(body))
    start, end = log
    rest_bytes = len(body) - (end - start)
    separators = _separators(body, 0, start) + _separators(body, end, len(body))
    log_bytes = 0 if isinstance(body, LargeBytes) else end - start
    return _COPIES * (rest_bytes + _WINDOW_BYTES) + _BYTES_PER_VALUE * separators + log_bytes


def _separators(body: AnyBytes, start: int, end: int) -> int:
    count = 0
    for begin in range(start, end, _WINDOW_BYTES):
        window = body[begin : min(begin + _WINDOW_BYTES, end)]
        count += sum(map(window.count, b",[{"))
    return count


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ValueError or RecursionError; NaN and infinities are no JSON."""
    return _decoded(text, _decoder)


def parse_unambiguous(text: str) -> Any:
    """As `parse`, but an object with a key given twice is no JSON either."""
    return _decoded(text, _unambiguous_decoder)


def _decoded(text: str, decoder: json.JSONDecoder) -> Any:
    _check_values(text)
    try:
        return decoder.decode(text)
    except (json.JSONDecodeError, _NotJsonError):
        raise
    except ValueError:  # Python's own sentence tells to change its settings
        raise _NotJsonError("an integer in it has too many digits") from None


def _check_values(text: str) -> None:
    """Count what separates values, in strings as well: none of those is so long and so full of it."""
    if len(text) > _MAXIMUM_VALUES and sum(map(text.count, ",[{")) > _MAXIMUM_VALUES:
        raise _NotJsonError(f"it has more than {_MAXIMUM_VALUES:,} values")


def _object(body: AnyBytes) -> dict[str, Any]:
    try:
        parsed = parse(str(body, "utf-8"))
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


def _log(body: AnyBytes) -> tuple[int, int] | None:
    """Where the text under the first key "output" begins and ends, its quotes outside; of large bodies alone.

    None as well where that key is not one of the outermost object.
    """
    if len(body) <= LARGE_BYTES:
        return None
    start = _start_of_log(body)
    if start is None or not _is_outermost(body, start):
        return None
    end = _end_of_string(body, start)
    return (start, end) if end < len(body) else None


def _start_of_log(body: AnyBytes) -> int | None:
    start = -1
    while (start := body.find(_KEY, start + 1)) >= 0:
        if key := _LOG_KEY.match(body, start):
            return key.end()
    return None


def _is_outermost(body: AnyBytes, start: int) -> bool:
    """Whether what stands before a string is all that is needed to make it an object's last value."""
    if start > _LONGEST_HEAD_BYTES:
        return False
    try:
        return "output" in _object(bytes(body[:start]) + b'"}')
    except Refused:
        return False


def _end_of_string(body: AnyBytes, start: int) -> int:
    """Where the quote is that ends a string, or the body."""
    while start < len(body):
        window_end = min(start + _WINDOW_BYTES, len(body))
        rest = _REST_OF_STRING.match(body, start, window_end)
        end = start if rest is None else rest.end()
        _give_back(body, start, end)
        # A backslash at the end of the window belongs to what follows it.
        if end < window_end and body[end] == ord('"'):
            return end
        if end == start:
            break
        start = end
    return len(body)


def _unescaped(body: AnyBytes, start: int, end: int) -> bytes | LargeBytes:
    if isinstance(body, LargeBytes):
        with Writer(body.directory) as writer:
            for piece in _unescaped_pieces(body, start, end):
                writer.add(piece)
                if writer.is_full:
                    writer.flush()
            text = writer.finish()
            return text if isinstance(text, LargeBytes) else bytes(text)
    # getvalue hands out BytesIO's own buffer; joining pieces would need all of it twice.
    unescaped = io.BytesIO()
    for piece in _unescaped_pieces(body, start, end):
        unescaped.write(piece)
    return unescaped.getvalue()


def _unescaped_pieces(body: AnyBytes, start: int, end: int) -> Iterator[bytes]:
    escaped = memoryview(body)[start:end]
    done = 0
    try:
        for piece in _PIECE.finditer(escaped):
            if piece.start() != done:
                break
            text = parse(f'"{str(escaped[done : piece.end()], "utf-8")}"')
            _give_back(body, start + done, start + piece.end())
            yield text.encode("utf-8", "surrogatepass")
            done = piece.end()
    except ValueError:
        raise _not_json('the string "output" is malformed') from None
    if done != len(escaped):
        raise _not_json('the string "output" is malformed')


def _give_back(body: AnyBytes, start: int, end: int) -> None:
    if isinstance(body, LargeBytes):
        body.give_back(start, end)


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
