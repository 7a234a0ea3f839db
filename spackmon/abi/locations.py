"""What smeagle says of functions: in which register or place of the stack each parameter is passed.

Names of parameters, what is in a struct, and what a function returns play no role.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from spackmon.abi.interfaces import Change, ChangeKind

_KINDS = {"import": ChangeKind.MISSING_IMPORT, "export": ChangeKind.MISSING_EXPORT}
_MOST_SHOWN = 10


class NotLocations(ValueError):  # noqa: N818 -- an answer about a value
    """A value that is no result of smeagle."""


class Location(NamedTuple):
    """One parameter of a function; `direction` is `import` of a function that the library calls."""

    function: str
    class_: str
    place: str
    direction: str
    indirections: str

    @property
    def text(self) -> str:
        """The parameter without the function."""
        return f"{self.class_} in {self.place}" + "*" * (self.indirections not in ("", "0"))


def read_locations(value: Any) -> frozenset[Location]:
    """The parameters of a result, given as JSON or as its text. Raises NotLocations for anything else."""
    try:
        if isinstance(value, str):
            value = json.loads(value)
        return frozenset(one for entry in value["locations"] for one in _of_function(entry["function"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise NotLocations("no result of smeagle") from error


def missing_locations(before: frozenset[Location], after: frozenset[Location]) -> list[Change]:
    """The imports and exports of a library that another has not, exports first, which callers rely on.

    `after` of a change is the first that the other has of the same function, None where it has nothing.
    """
    now: dict[tuple[str, str], list[str]] = {}
    for one in sorted(after):
        now.setdefault((one.function, one.direction), []).append(one.text)
    found = []
    for one in sorted(before - after):
        if kind := _KINDS.get(one.direction):
            text = ", ".join(now.get((one.function, one.direction), [])[:_MOST_SHOWN]) or None
            breaks = kind is ChangeKind.MISSING_EXPORT
            found.append(Change(kind, one.function, one.text, text, breaks=breaks))
    return sorted(found, key=lambda one: (not one.breaks, one.name, one.before or ""))


def _of_function(function: Any) -> Iterator[Location]:
    for one in function.get("parameters") or ():
        if one.get("name"):
            underlying = one.get("underlying_type") or {}
            yield Location(
                str(function["name"]),
                str(underlying.get("class") or one.get("class") or "Unknown"),
                str(one.get("location") or "unknown"),
                str(one.get("direction") or "unknown"),
                str(one.get("indirections") or "0"),
            )
