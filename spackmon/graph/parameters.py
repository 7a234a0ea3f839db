"""A spec's parameters as rows that an index can hold: a name with one element of its value.

Single values have one row, multi-valued ones and flags one for each element, an element being its JSON.
A variant without any element has one row too, so that `x=*` finds it; a kind of flags has none, because
every spec has all six kinds.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from spackmon.graph.spec_text import FLAG_NAMES

NO_ELEMENT = "[]"
"""The value of the row of a variant that has no element."""

_LONGEST = 200
_KEPT = 100
_COMPACT = json.JSONEncoder(separators=(",", ":"))
_BOOLEANS = {True: "true", False: "false"}


def parameter_rows(document: str) -> list[tuple[str, str]]:
    """The (name, value) rows of a spec's parameters, given as their JSON; each once."""
    content: dict[str, Any] = json.loads(document)
    rows: list[tuple[str, str]] = []
    for name, value in content.items():
        if isinstance(value, list):
            rows += _rows_of_list(name, value)
        elif isinstance(value, str):
            rows.append(_row_of_text(name, value))
        else:
            rows.append((indexed_name(name), indexed_value(value)))
    return rows


def _rows_of_list(name: str, values: list[Any]) -> Iterable[tuple[str, str]]:
    if not values:
        return () if name in FLAG_NAMES else ((indexed_name(name), NO_ELEMENT),)
    return dict.fromkeys((indexed_name(name), indexed_value(value)) for value in values)


# A site's thousand sets have the same few values.
@lru_cache(maxsize=4096)
def _row_of_text(name: str, value: str) -> tuple[str, str]:
    # Spack reads a single value so, however it is written.
    is_boolean = value.upper() in ("TRUE", "FALSE")
    return indexed_name(name), indexed_value(value.upper() == "TRUE" if is_boolean else value)


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
