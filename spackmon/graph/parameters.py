"""A spec's parameters as rows that an index can hold: a name with one element of its value.

Single values have one row, multi-valued ones and flags one for each element, an element being its JSON.
A variant without any element has one row too, so that `x=*` finds it; a kind of flags has none, because
every spec has all six kinds.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from spackmon.graph.spec_text import FLAG_NAMES

NO_ELEMENT = "[]"
"""The value of the row of a variant that has no element."""

_LONGEST = 200
_KEPT = 100
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_BOOLEANS = {True: "true", False: "false"}


def parameter_rows(document: str) -> set[tuple[str, str]]:
    """The (name, value) rows of a spec's parameters, given as their JSON."""
    content: dict[str, Any] = json.loads(document)
    return {(indexed_name(name), value) for name in content for value in _elements(name, content[name])}


def _elements(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from map(indexed_value, value)
        if not value and name not in FLAG_NAMES:
            yield NO_ELEMENT
    elif isinstance(value, str) and value.upper() in ("TRUE", "FALSE"):
        # So Spack reads a single value, however it is written.
        yield indexed_value(value.upper() == "TRUE")
    else:
        yield indexed_value(value)


def indexed_value(element: Any) -> str:
    """An element as it stands in a row: its JSON in ASCII; a long one cut, with a digest of it all."""
    # A graph has thousands, most of them true or false.
    return _BOOLEANS[element] if isinstance(element, bool) else _short(_COMPACT.encode(element))


def indexed_name(name: str) -> str:
    """A name as it stands in a row."""
    return name if len(name) <= _KEPT and name.isascii() and name.isprintable() else _short(json.dumps(name))


def _short(text: str) -> str:
    # PostgreSQL refuses index entries of 2,704 bytes and more.
    if len(text) <= _LONGEST:
        return text
    digest = hashlib.sha1(text.encode("ascii"), usedforsecurity=False).hexdigest()
    return f"{text[:_KEPT]}…{digest}"
