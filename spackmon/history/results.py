"""What differs between two results of analyzers: JSON by its structure, texts by their lines.

All of it is bounded: the caller sees to the size of what is compared, and MOST_COUNTED changes are counted.
"""

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Any

LARGEST_BYTES = 2_000_000
"""Results that are larger are not compared."""

MOST_COUNTED = 10_000
"""More changes are not counted."""

# A comparison of lines in their order takes as long as the square of how many of them differ.
_MOST_EDITS = 1_000
# Elements of lists within lists are written once for each list that they are in.
_MOST_WRITTEN_CHARACTERS = 50_000_000
_SHOWN_CHARACTERS = 1_000
_IDENTITY = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_WRITTEN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class By(Enum):
    """By what two results are compared."""

    STRUCTURE = auto()
    LINES = auto()
    UNORDERED_LINES = auto()
    DIGEST = auto()


@dataclass(frozen=True, slots=True)
class Change:
    """A place that differs: a JSON pointer (RFC 6901), or the numbers of lines, from 1.

    `before` and `after` are the texts there, as JSON in a document, cut where they are long; None where there
    is nothing.
    """

    pointer: str | None = None
    line_before: int | None = None
    line_after: int | None = None
    before: str | None = None
    after: str | None = None


@dataclass
class Difference:
    """`count` places differ, MOST_COUNTED at most, of which the first are `changes`; with DIGEST 1, or 0."""

    by: By
    most: int
    count: int = 0
    changes: list[Change] = field(default_factory=list)

    def take(self, changes: Iterable[Change]) -> None:
        """Count changes, and list those for which there is room."""
        for change in islice(changes, MOST_COUNTED):
            self.count += 1
            if len(self.changes) < self.most:
                self.changes.append(change)


def compare_documents(before: Any, after: Any, most: int) -> Difference:
    """Two JSON documents, as Python reads them."""
    difference = Difference(By.STRUCTURE, most)
    comparison = _Structure()
    try:
        difference.take(comparison.changes(before, after))
    except RecursionError:
        return Difference(By.DIGEST, most, 1)
    return difference


def compare_texts(before: str, after: str, most: int) -> Difference:
    """Two texts, by lines: in their order, or how often each is there if very many differ."""
    a, b = before.splitlines(), after.splitlines()
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    changed_a, changed_b = a[start : len(a) - end], b[start : len(b) - end]
    edits = _edits(changed_a, changed_b)
    difference = Difference(By.UNORDERED_LINES if edits is None else By.LINES, most)
    difference.take(_unordered(changed_a, changed_b, start) if edits is None else _ordered(edits, start))
    return difference


def compare_bytes(before: bytes, after: bytes, most: int) -> Difference:
    """Two results of bytes: as texts where both are UTF-8, such as XML, else whether they are the same."""
    try:
        return compare_texts(_text(before), _text(after), most)
    except UnicodeDecodeError:
        return Difference(By.DIGEST, most, int(before != after))


def _text(content: bytes) -> str:
    if b"\0" in content:
        raise UnicodeDecodeError("utf-8", content, 0, 1, "a NUL")
    return content.decode()


_Line = tuple[int, str]
_Edits = Sequence[tuple[Sequence[_Line], Sequence[_Line]]]


def _edits(a: Sequence[str], b: Sequence[str]) -> _Edits | None:
    """The shortest way from one to the other, what is removed and added at each place; None if it is long.

    E. W. Myers, An O(ND) Difference Algorithm and Its Variations, Algorithmica 1 (1986), the greedy one.
    """
    furthest = {1: 0}
    steps = []
    for edits in range(min(len(a) + len(b), _MOST_EDITS) + 1):
        steps.append(furthest.copy())
        for diagonal in range(-edits, edits + 1, 2):
            is_down = diagonal == -edits or (
                diagonal != edits and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
            )
            x = furthest[diagonal + 1] if is_down else furthest[diagonal - 1] + 1
            while x < len(a) and 0 <= x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _places(a, b, steps)
    return None


def _places(a: Sequence[str], b: Sequence[str], steps: Sequence[dict[int, int]]) -> _Edits:
    """The edits that lead to the ends of both, backwards through where each step began."""
    x, y = len(a), len(b)
    places: list[tuple[deque[_Line], deque[_Line]]] = []
    for edits in range(len(steps) - 1, 0, -1):
        furthest, diagonal = steps[edits], x - y
        is_down = diagonal == -edits or (
            diagonal != edits and furthest.get(diagonal - 1, -1) < furthest.get(diagonal + 1, -1)
        )
        before = diagonal + 1 if is_down else diagonal - 1
        from_x = furthest[before]
        from_y = from_x - before
        end_x, end_y = (from_x, from_y + 1) if is_down else (from_x + 1, from_y)
        if not places or (end_x, end_y) != (x, y):
            places.append((deque(), deque()))
        removed, added = places[-1]
        if is_down:
            added.appendleft((from_y, b[from_y]))
        else:
            removed.appendleft((from_x, a[from_x]))
        x, y = from_x, from_y
    return [(tuple(removed), tuple(added)) for removed, added in reversed(places)]


def _ordered(edits: _Edits, start: int) -> Iterator[Change]:
    for removed, added in edits:
        for place in range(max(len(removed), len(added))):
            before = removed[place] if place < len(removed) else None
            after = added[place] if place < len(added) else None
            yield Change(
                line_before=None if before is None else start + before[0] + 1,
                line_after=None if after is None else start + after[0] + 1,
                before=None if before is None else _cut(before[1]),
                after=None if after is None else _cut(after[1]),
            )


def _unordered(a: Sequence[str], b: Sequence[str], start: int) -> Iterator[Change]:
    left = Counter(a) - Counter(b)
    for number, line in enumerate(a, start + 1):
        if left[line] > 0:
            left[line] -= 1
            yield Change(line_before=number, before=_cut(line))
    left = Counter(b) - Counter(a)
    for number, line in enumerate(b, start + 1):
        if left[line] > 0:
            left[line] -= 1
            yield Change(line_after=number, after=_cut(line))


_Element = tuple[int, Any]


class _Structure:
    """One comparison of two documents."""

    def __init__(self) -> None:
        self._written_characters = 0

    def changes(self, a: Any, b: Any) -> Iterator[Change]:
        """In the order of the documents, what is above before what is below. Raises RecursionError."""
        waiting = deque([("", a, b)])
        while waiting:
            pointer, before, after = waiting.popleft()
            if isinstance(before, dict) and isinstance(after, dict):
                pairs = _members(before, after)
            elif isinstance(before, list) and isinstance(after, list) and not self._is_exhausted:
                pairs = self._elements(before, after)
            else:
                if self._identity(before) != self._identity(after):
                    yield Change(pointer, before=_written(before), after=_written(after))
                continue
            for place, one, other in pairs:
                if one and other:
                    waiting.append((f"{pointer}/{place}", one[0], other[0]))
                elif one:
                    yield Change(f"{pointer}/{place}", before=_written(one[0]))
                elif other:
                    yield Change(f"{pointer}/{place}", after=_written(other[0]))

    @property
    def _is_exhausted(self) -> bool:
        return self._written_characters > _MOST_WRITTEN_CHARACTERS

    def _elements(self, a: list[Any], b: list[Any]) -> "_Pairs":
        """What is in one list alone, side by side where both may be the same thing.

        What both lists have is no difference, wherever it stands: analyzers list sets of symbols and files.
        """
        a_keys, b_keys = list(map(self._identity, a)), list(map(self._identity, b))
        removed, added = _left(a, a_keys, b_keys), _left(b, b_keys, a_keys)
        named = {name: one for one in removed if (name := _name(one[1])) is not None}
        paired = set()
        lone: deque[_Element] = deque()
        for place, after in added:
            name = _name(after)
            one = None if name is None else named.pop(name, None)
            if one is None:
                lone.append((place, after))
            else:
                paired.add(one[0])
                yield str(place), (one[1],), (after,)
        gone = deque(one for one in removed if one[0] not in paired)
        while gone or lone:
            if gone and lone and _are_alike(gone[0][1], lone[0][1]):
                (_, before), (place, after) = gone.popleft(), lone.popleft()
                yield str(place), (before,), (after,)
            elif gone:
                place, before = gone.popleft()
                yield str(place), (before,), ()
            else:
                place, after = lone.popleft()
                yield str(place), (), (after,)

    def _identity(self, value: Any) -> str:
        identity = _IDENTITY.encode(value)
        self._written_characters += len(identity)
        return identity


# A place, and what either side has there: nothing, or one value.
_Pairs = Iterator[tuple[str, tuple[()] | tuple[Any], tuple[()] | tuple[Any]]]


def _members(a: dict[str, Any], b: dict[str, Any]) -> _Pairs:
    for name in (*a, *(name for name in b if name not in a)):
        place = name.replace("~", "~0").replace("/", "~1")
        yield place, (a[name],) if name in a else (), (b[name],) if name in b else ()


def _left(some: list[Any], keys: list[str], other_keys: list[str]) -> list[_Element]:
    left = Counter(keys) - Counter(other_keys)
    elements = []
    for place, (element, key) in enumerate(zip(some, keys, strict=True)):
        if left[key] > 0:
            left[key] -= 1
            elements.append((place, element))
    return elements


def _name(element: Any) -> str | None:
    name = element.get("name") if isinstance(element, dict) else None
    return name if isinstance(name, str) else None


def _are_alike(one: Any, other: Any) -> bool:
    """Whether one may have become the other: both lists, or both objects that are not of two names."""
    if isinstance(one, dict) and isinstance(other, dict):
        return _name(one) is None and _name(other) is None
    return isinstance(one, list) and isinstance(other, list)


def _written(value: Any) -> str:
    return _cut(_WRITTEN.encode(value))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"
