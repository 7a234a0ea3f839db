"""The values that a file of text states: JSON, JSON one value a line, YAML; signed or not."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.json_body import parse_unambiguous
from spackmon.formats.bytes.spec_yaml import read_yaml

_LINE = re.compile(r"[^\r\n]+")
_SIGNED = re.compile(
    rb"\s*-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[^\r\n]+\r?\n){0,20}\r?\n"
    rb"(.*?)\r?\n-----BEGIN PGP SIGNATURE-----",
    re.DOTALL,
)
_DASH_ESCAPE = re.compile(rb"^- ", re.MULTILINE)
# A mapping in blocks, as Spack writes it: a key begins its first line, and some line begins with a key by
# which documents are recognized. Logs and scripts are text, too.
_YAML_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n|---[^\S\n]*\n)*+[\"']?[A-Za-z_]\w*[\"']?[^\S\n]*:(?:\s|\Z)"
)
# Room for a licence before it; a search through megabytes of blanks would need memory for each.
_HEAD_BYTES = 1 << 14
_YAML_KEY = re.compile(rb"^[\"']?(?:spec|_meta|nodes|database|concrete_specs)[\"']?[^\S\n]*:", re.MULTILINE)


class Value(NamedTuple):
    """One value with the line that it stands on, in a file that has one on each; or why it is none."""

    line: int | None
    content: Any
    problem: Refused | None = None


def unsigned(data: bytes) -> bytes:
    """The text inside a clear signature, which is not checked: only what was written matters here."""
    signed = _SIGNED.match(data)
    return data if signed is None else _DASH_ESCAPE.sub(b"", signed[1])


def is_yaml(data: bytes) -> bool:
    """Whether this is a text that may be a spec in YAML."""
    return _YAML_BEGINNING.match(data[:_HEAD_BYTES]) is not None and _YAML_KEY.search(data) is not None


def yaml_values(data: bytes) -> Iterator[Value]:
    """The documents of a stream of YAML. Raises Refused DOCUMENT_DAMAGED."""
    for content in read_yaml(data):
        yield Value(None, content)


def json_value(data: bytes) -> Any:
    """The one value of a JSON text. Raises Refused DOCUMENT_DAMAGED."""
    return _parsed(_text(data))


def json_values(data: bytes) -> Iterator[Value]:
    """The value of a JSON text, or those of its lines. Raises Refused DOCUMENT_DAMAGED where it has none."""
    text = _text(data)
    try:
        content = _parsed(text)
    except Refused as damaged:
        if not _has_lines(text):
            raise
        whole = damaged
    else:
        yield Value(None, content)
        return
    yield from _lines(text, whole)


def json_lines(data: bytes) -> Iterator[Value]:
    """The values of the lines that are complete in a file that was cut off."""
    text = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace")
    if _has_lines(text):
        yield from _lines(text, None)


def _lines(text: str, whole: Refused | None) -> Iterator[Value]:
    number, counted_to = 1, 0
    for matched in _written_lines(text):
        number += text.count("\n", counted_to, matched.start())
        counted_to = matched.start()
        try:
            yield Value(number, _parsed(matched[0]))
        except Refused as problem:
            yield Value(number, None, problem)


def _has_lines(text: str) -> bool:
    """Whether one of the first lines is an object by itself, so that the others were meant to be, too."""
    for matched in itertools.islice(_written_lines(text), 3):
        try:
            if isinstance(_parsed(matched[0]), dict):
                return True
        except Refused:
            continue
    return False


def _written_lines(text: str) -> Iterator[re.Match[str]]:
    return (matched for matched in _LINE.finditer(text) if not matched[0].isspace())


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _damaged(f"byte {problem.start} is not UTF-8") from None


def _parsed(text: str) -> Any:
    try:
        return parse_unambiguous(text)
    except json.JSONDecodeError as problem:
        reason = problem.msg.removesuffix(" at")
        raise _damaged(f"{reason} in line {problem.lineno}, column {problem.colno}") from None
    except RecursionError:
        raise _damaged("it is nested too deeply") from None
    except ValueError as problem:
        raise _damaged(str(problem)) from None


def _damaged(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_DAMAGED, f"it is not JSON: {problem}")
