"""Where two logs differ, line by line, whatever the machine, the day and the directory of either.

Lines are equal that are so without paths, hashes, times and whole numbers, as fingerprints leave them out;
versions count. Up to the first difference logs are read side by side; from there on a window of either is
aligned by lines that stand once in both (patience), which keeps the order of a build's steps.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from spackmon.logs.groups import normal_text

WINDOW_LINES = 4_000
"""Of either log, from the first difference on; what is further is not compared."""

_CONTEXT_LINES = 3
_VERSION = re.compile(r"(?<![\w.:/-])v?\d+(?:\.\d+)+(?![\w.:%]|\s?(?:s|ms|sec|seconds|kB|KiB|MB|MiB|GB|%))")

_Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where logs differ: lines of the one, `removed`, stand where the other has `added`.

    Lines count from 1; `before` and `after` are the common lines around it, as the second log has them.
    """

    removed_from: int
    added_from: int
    before: Sequence[str]
    removed: Sequence[str]
    added: Sequence[str]
    after: Sequence[str]


@dataclass(frozen=True, slots=True)
class Alignment:
    """All differences of two logs in their order; `equal_lines` stand before the first one.

    `next_lines` are where to go on in either; None where both were compared to their ends.
    """

    equal_lines: int
    differences: Sequence[Difference]
    next_lines: _Pair | None


def compare(one: Sequence[str], other: Sequence[str], begin: _Pair, *, are_whole: bool) -> Alignment:
    """The differences of lines that begin with these numbers, and end with the logs if they `are_whole`."""
    start = _equal(one, other)
    stop = start + WINDOW_LINES
    window = [_key(line) for line in one[start:stop]], [_key(line) for line in other[start:stop]]
    common = [(a + start, b + start) for a, b in _aligned(*window, 0, len(window[0]), 0, len(window[1]))]
    sees_ends = are_whole and len(one) <= stop and len(other) <= stop
    if sees_ends:
        ends = len(one), len(other)
    elif common:
        # What the window ends with may go on in what follows: it is read again.
        ends = common[-1][0] + 1, common[-1][1] + 1
    else:
        ends = len(one[:stop]), len(other[:stop])
    found = _differences(one, other, (start, start), common, ends)
    numbered = [
        replace(each, removed_from=begin[0] + each.removed_from, added_from=begin[1] + each.added_from)
        for each in found
    ]
    following = None if sees_ends else (begin[0] + ends[0], begin[1] + ends[1])
    return Alignment(start, numbered, following)


def _equal(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines are equal from the beginning on."""
    for number, (line, counterpart) in enumerate(zip(one, other, strict=False)):
        if line != counterpart and _key(line) != _key(counterpart):
            return number
    return min(len(one), len(other))


def _key(line: str) -> str:
    return " ".join((normal_text(line), *_VERSION.findall(line)))


def _aligned(
    one: Sequence[str], other: Sequence[str], a: int, a_stop: int, b: int, b_stop: int
) -> Iterator[_Pair]:
    """The places of lines that are the same in both, between these places, in order."""
    while a < a_stop and b < b_stop and one[a] == other[b]:
        yield a, b
        a, b = a + 1, b + 1
    tail: list[_Pair] = []
    while a < a_stop and b < b_stop and one[a_stop - 1] == other[b_stop - 1]:
        a_stop, b_stop = a_stop - 1, b_stop - 1
        tail.append((a_stop, b_stop))
    anchors = _anchors(one, other, a, a_stop, b, b_stop)
    for next_a, next_b in anchors:
        # A part without a line of its own in both is a difference as a whole.
        yield from _aligned(one, other, a, next_a, b, next_b)
        yield next_a, next_b
        a, b = next_a + 1, next_b + 1
    if anchors:
        yield from _aligned(one, other, a, a_stop, b, b_stop)
    yield from reversed(tail)


def _anchors(
    one: Sequence[str], other: Sequence[str], a: int, a_stop: int, b: int, b_stop: int
) -> list[_Pair]:
    """The longest run in order of lines that stand once in both parts."""
    counts, other_counts = Counter(one[a:a_stop]), Counter(other[b:b_stop])
    places = {key: at for at, key in enumerate(islice(other, b, b_stop), b) if other_counts[key] == 1}
    pairs = [
        (at, places[key])
        for at, key in enumerate(islice(one, a, a_stop), a)
        if counts[key] == 1 and key in places
    ]
    ends: list[int] = []
    chosen: list[int] = []
    previous: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(ends, place)
        previous.append(chosen[at - 1] if at else -1)
        # At the end it makes the run longer, elsewhere it ends a run of that length sooner.
        ends[at : at + 1], chosen[at : at + 1] = [place], [number]
    longest: list[_Pair] = []
    number = chosen[-1] if chosen else -1
    while number >= 0:
        longest.append(pairs[number])
        number = previous[number]
    return longest[::-1]


def _differences(
    one: Sequence[str], other: Sequence[str], start: _Pair, common: Sequence[_Pair], ends: _Pair
) -> Iterator[Difference]:
    """What lies between the common lines and up to the ends; lines count from 0."""
    a, b = start
    for next_a, next_b in [*common, ends]:
        if next_a > a or next_b > b:
            before = other[max(0, b - _CONTEXT_LINES) : b]
            after = other[next_b : next_b + _CONTEXT_LINES]
            yield Difference(a, b, before, one[a:next_a], other[b:next_b], after)
        a, b = next_a + 1, next_b + 1
