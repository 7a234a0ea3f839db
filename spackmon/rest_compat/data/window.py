"""Which rows of a list a request wants, and the addresses of the rows before and after them.

`limit` and `offset` are the old server's. GraphQL's pages begin at cursors: the addresses carry one beside
the offset, so that whoever follows them never has rows counted off again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from spackmon.errors import Code, Refused
from spackmon.http.operations import Parameter, Schema
from spackmon.rest_compat.data.shapes import Shaped

DEFAULT_LIMIT = 10
# Rows are counted off 500 at a time, each in less than a millisecond.
MAXIMUM_OFFSET = 100_000
_NUMBER_DIGITS = 18
_UNFIT = {
    "limit": (Code.LIMIT_INVALID, "above 0"),
    "offset": (Code.OFFSET_INVALID, "from 0"),
}


@dataclass(frozen=True, slots=True)
class Window:
    """`limit` rows: after a cursor, before one, or from `offset` on if there is none."""

    limit: int
    offset: int
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a window, and the cursors at which the rows after and before them begin.

    `count` is how many rows there are in all, None where that is not counted.
    """

    count: int | None
    rows: list[Shaped]
    is_last: bool
    after: str | None = None
    before: str | None = None


def read_window(query: Mapping[str, str], maximum: int) -> Window:
    """The window of an address; Refused LIMIT_INVALID, OFFSET_INVALID or OFFSET_TOO_LARGE (all 400)."""
    limit = _number(query, "limit", DEFAULT_LIMIT)
    if limit == 0:
        raise Refused(Code.LIMIT_INVALID, "limit must be a whole number above 0, it is '0'")
    offset = _number(query, "offset", 0)
    after, before = query.get("after"), query.get("before")
    if after is not None and before is not None:
        raise Refused(Code.PAGE_INVALID, "give either after or before, not both")
    if after is None and before is None and offset > MAXIMUM_OFFSET:
        sentence = f"offset must be at most {MAXIMUM_OFFSET}, it is {offset}: the addresses in `next` lead on"
        raise Refused(Code.OFFSET_TOO_LARGE, sentence)
    return Window(min(limit, maximum), offset, after, before)


def window_words(maximum: int) -> tuple[Parameter, ...]:
    """What `read_window` reads, for programs."""
    number = {"type": "integer", "minimum": 0}
    limit = {**number, "minimum": 1, "default": DEFAULT_LIMIT, "description": f"At most {maximum} are given."}
    return (
        Parameter("limit", limit),
        Parameter("offset", {**number, "maximum": MAXIMUM_OFFSET, "default": 0}),
        Parameter("after"),
        Parameter("before"),
    )


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS:
        return int(text)
    code, expected = _UNFIT[name]
    raise Refused(code, f"{name} must be a whole number {expected}, it is {text[:100]!r}")


_LINK = {"type": ["string", "null"]}
PAGE: Schema = {
    "type": "object",
    "required": ["count", "next", "previous", "results"],
    "properties": {
        "count": {"type": ["integer", "null"]},
        "next": _LINK,
        "previous": _LINK,
        "results": {"type": "array", "items": {"type": "object"}},
    },
}
"""What `page` gives."""


def page(listed: Listed, window: Window, address: str, query: Mapping[str, str]) -> dict[str, Any]:
    """The answer to a list; `address` is its own without what `query` says."""
    parameters = {"format": query["format"]} if "format" in query else {}

    def link(offset: int, **cursor: str | None) -> str:
        placed = {name: value for name, value in cursor.items() if value is not None}
        start = {"offset": offset} if offset else {}
        return f"{address}?{urlencode({**parameters, 'limit': window.limit, **start, **placed})}"

    following = window.offset + len(listed.rows)
    earlier = max(0, window.offset - window.limit)
    return {
        "count": listed.count,
        "next": None if listed.is_last else link(following, after=listed.after),
        # The first page needs no cursor, and rows that came meanwhile are on none before it.
        "previous": link(earlier, before=listed.before if earlier else None) if window.offset else None,
        "results": listed.rows,
    }
