"""Pages of rows: sorted, cut between cursors, sliced."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, cmp_to_key
from typing import Any

from spackmon.errors import Code, Refused
from spackmon.graph.versions import version_key
from tests.reference import fields, related
from tests.reference.rows import Rows, identity

DEFAULT_PAGE, MAXIMUM_PAGE = 50, 500

# Sort keys that are not a field of the type: the fields that lead there.
SORTED_BY: dict[tuple[str, str], tuple[str, ...]] = {
    ("AnalysisResult", "installFile"): ("installFile", "path"),
    ("Architecture", "target"): ("target", "name"),
    ("Build", "hostname"): ("environment", "hostname"),
    ("Build", "name"): ("package", "name"),
    ("Build", "owner"): ("owner", "name"),
    ("Build", "version"): ("spec", "version"),
    ("ConcretizationFailure", "package"): ("package", "name"),
    ("Dependency", "childName"): ("child", "name"),
    ("Dependency", "childVersion"): ("child", "version"),
    ("Dependency", "parentName"): ("parent", "name"),
    ("Dependency", "parentVersion"): ("parent", "version"),
    ("PackageVersion", "package"): ("package", "name"),
    ("Spec", "compiler"): ("compiler", "name"),
}
# The order of connections that a client need not order; others come newest first.
OWN_ORDERS: dict[tuple[str, str], list[tuple[str, bool]]] = {
    ("Attempt", "phases"): [("position", False)],
    ("Attempt", "tags"): [("name", False)],
    ("Build", "attempts"): [("number", False)],
    ("Build", "phases"): [("position", False)],
    ("BuildPhase", "logEvents"): [("position", False)],
    ("ErrorGroup", "rulings"): [("reportedAt", False)],
    ("LockFile", "roots"): [("position", False)],
    ("Build", "tags"): [("name", False)],
    ("Spec", "dependencies"): [("childName", False)],
    ("Spec", "transitiveDependencies"): [("depth", False)],
    ("Spec", "transitiveDependents"): [("depth", False)],
}
_TYPES = {
    "child": "Spec", "compiler": "Compiler", "environment": "BuildEnvironment", "installFile": "InstallFile",
    "owner": "Person", "package": "Package", "parent": "Spec", "spec": "Spec", "target": "Target",
}  # fmt: skip

Order = list[tuple[str, bool]]


def sort_value(rows: Rows, type_name: str, key: str, row: Any) -> Any:
    """What a row is sorted by; versions by their keys."""
    *steps, last = SORTED_BY.get((type_name, key), (key,))
    for step in steps:
        row = None if row is None else related.TO_ONE[type_name, step](rows, row)
        type_name = _TYPES[step]
    if row is None:
        return None
    value = fields.value(rows, type_name, last, row)
    return version_key(value) if last == "version" and value is not None else value


def read_order(given: list[Mapping[str, Any]] | None) -> Order:
    """The keys of `orderBy` and whether they descend."""
    order = []
    for one in given or ():
        if len(one) != 1 or None in one.values():
            raise Refused(Code.ORDER_INVALID, "an order without its one key")
        ((key, direction),) = one.items()
        order.append((key, direction == "DESC"))
    return order


@dataclass(frozen=True)
class Sorting:
    """The total order of a connection, as comparisons of places: lists of values, as cursors hold them.

    Rows without a value are last, whatever the direction; the row's identity, newest first, ends the place.
    """

    rows: Rows
    type_name: str
    order: Order

    def place(self, row: Any) -> list[Any]:
        """Where a row stands."""
        place: list[Any] = []
        for key, _ in self.order:
            value = sort_value(self.rows, self.type_name, key, row)
            place.append(value.hex() if isinstance(value, bytes) else value)
        return place + identity(row)

    def compare(self, one: list[Any], other: list[Any]) -> int:
        """Less than zero where `one` stands first."""
        descends = [descending for _, descending in self.order]
        for position, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right and None in (left, right) and position < len(descends):
                return 1 if left is None else -1
            if left != right:
                down = descends[position] if position < len(descends) else True
                try:
                    return -1 if (left < right) != down else 1
                except TypeError as error:
                    raise Refused(Code.CURSOR_INVALID, "a cursor of another order") from error
        return 0

    def cursor(self, row: Any) -> str:
        """The row's cursor."""
        text = json.dumps(self.place(row), ensure_ascii=False, separators=(",", ":"))
        return text.encode().hex()


def read_cursor(text: str, length: int) -> list[Any]:
    """The place that a cursor stands for."""
    try:
        place = json.loads(bytes.fromhex(text))
    except ValueError:
        place = None
    if not isinstance(place, list) or len(place) != length:
        raise Refused(Code.CURSOR_INVALID, "not a cursor")
    return place


class Page:
    """What the fields of a connection are read from: the page of `found` rows that its arguments ask for."""

    def __init__(self, sorting: Sorting, found: list[Any], arguments: Mapping[str, Any]) -> None:
        first, last = arguments.get("first"), arguments.get("last")
        if first is not None and last is not None:
            raise Refused(Code.PAGE_INVALID, "both ends")
        size = last if last is not None else DEFAULT_PAGE if first is None else first
        if size < 0:
            raise Refused(Code.PAGE_INVALID, "a negative page")
        if size > MAXIMUM_PAGE:
            raise Refused(Code.PAGE_TOO_LARGE, "too large a page")
        self.sorting, self.total, self.found = sorting, len(found), found
        self._size, self._from_end = size, last is not None
        self._after, self._before = arguments.get("after"), arguments.get("before")

    @cached_property
    def _within(self) -> list[Any]:
        """The rows between the cursors, which are read only for those who ask for rows."""
        by_place = cmp_to_key(self.sorting.compare)
        rows = sorted(self.found, key=lambda row: by_place(self.sorting.place(row)))
        for cursor, sign in ((self._after, 1), (self._before, -1)):
            if cursor is not None and rows:
                end = read_cursor(cursor, len(self.sorting.place(rows[0])))
                rows = [row for row in rows if self.sorting.compare(self.sorting.place(row), end) * sign > 0]
        return rows

    @property
    def shown(self) -> list[Any]:
        """The page's rows."""
        within = self._within
        return within[max(len(within) - self._size, 0) :] if self._from_end else within[: self._size]

    @property
    def has_next(self) -> bool:
        """`hasNextPage`."""
        return self._before is not None if self._from_end else len(self._within) > self._size

    @property
    def has_previous(self) -> bool:
        """`hasPreviousPage`."""
        return len(self._within) > self._size if self._from_end else self._after is not None
