"""Where in a log a diagnostic may stand, found without looking at every line.

A log is mostly command lines, and a regular expression of hundreds of words over all of it is slow. What
diagnostics have in common is rarer than their words: nearly all have a colon beside the word that says what
they are (`error:`, `: cannot `), and the others begin their line with it. Both are looked for from the
rare byte on, which costs a fraction (benchmarks: `make bench`).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

_WIDE_COLON = "："
_Sides = tuple[bytes, bytes]
"""What stands before a colon, and behind it."""


class Prefilter:
    """Finds the places of `anchors`: words that begin with a line feed stand at the start of a line, perhaps
    after blanks and a number; those with a `*` before them are looked for anywhere; others are found by their
    colon, and one that has none is found by no means (a rule has others then)."""

    def __init__(self, anchors: Iterable[str]) -> None:
        distinct = sorted(set(anchors))
        starts = [word[1:].encode() for word in distinct if word.startswith("\n")]
        self._anywhere = [word[1:].encode() for word in distinct if word.startswith("*")]
        with_colon = [word.encode() for word in distinct if ":" in word and word[0] not in "\n*"]
        self._wide_colon = _WIDE_COLON.encode() if any(_WIDE_COLON in word for word in distinct) else b""
        line_start = rb"[ \t>]*+(?:\d[\d/%,.]*+ ++)?+(?=" + _any_of(starts) + rb")"
        self._at_start = re.compile(rb"\n" + line_start)
        self._at_start_or_return = re.compile(rb"[\n\r]+" + line_start)
        self._at_colon = re.compile(_around_colon(with_colon), re.DOTALL)

    def places(self, text: bytes, begin: int, end: int) -> list[int]:
        """Offsets from `begin` to `end`, in order; each lies in the line that may be a diagnostic."""
        found = [place.start() for place in self._at_colon.finditer(text, begin, end)]
        at_start = self._at_start_or_return if b"\r" in text else self._at_start
        found += [place.end() for place in at_start.finditer(text, begin - 1, end)]
        for word in self._anywhere:
            found += _all(word, text, begin, end)
        if self._wide_colon and not text.isascii():
            found += _all(self._wide_colon, text, begin, end)
        found.sort()
        return found


def _all(word: bytes, text: bytes, begin: int, end: int) -> Iterator[int]:
    place = text.find(word, begin, end)
    while place >= 0:
        yield place
        place = text.find(word, place + 1, end)


def _around_colon(words: Iterable[bytes]) -> bytes:
    """A regular expression for the colon of any of the words, told by what stands on both of its sides."""
    sides = _shortest((before, after) for before, _, after in (word.rpartition(b":") for word in words))
    after_only = [after for before, after in sides if not before]
    with_before = [side for side in sides if side[0]]
    lasts = b"".join(sorted({re.escape(before[-1:]) for before, _ in with_before}))
    return rb":(?:(?=" + _any_of(after_only) + rb")|(?<=[" + lasts + rb"]:)" + _behind(with_before, 1) + rb")"


def _shortest(sides: Iterable[_Sides]) -> list[_Sides]:
    """Those that find all places: `error:` finds those of `fatal error:` and of `error: linker`."""
    shortest: list[_Sides] = []
    for before, after in sorted(set(sides), key=lambda side: (len(side[0]) + len(side[1]), side)):
        if not any(before.endswith(other) and after.startswith(rest) for other, rest in shortest):
            shortest.append((before, after))
    return shortest


def _behind(sides: Sequence[_Sides], width: int) -> bytes:
    """That one of the words ends there, of which `width` bytes are read.

    The bytes before are looked at one by one, from the last: each leaves a few of the words, while words that
    are tried one after the other take three times as long.
    """
    ends = [after for before, after in sides if not before]
    if b"" in ends:
        return b""
    ways = [rb"(?=" + _any_of(ends) + rb")"] if ends else []
    by_last: defaultdict[bytes, list[_Sides]] = defaultdict(list)
    for before, after in sides:
        if before:
            by_last[before[-1:]].append((before[:-1], after))
    branches = [
        re.escape(last) + rb".{%d}" % width + _behind(rests, width + 1)
        for last, rests in sorted(by_last.items())
    ]
    if branches:
        ways.append(rb"(?<=(?:" + b"|".join(branches) + rb"))")
    return ways[0] if len(ways) == 1 else rb"(?:" + b"|".join(ways) + rb")"


def _any_of(words: Iterable[bytes]) -> bytes:
    """A regular expression for any of the words that looks at each byte once."""
    by_first: defaultdict[int, set[bytes]] = defaultdict(set)
    for word in words:
        if not word:
            return b""
        by_first[word[0]].add(word[1:])
    branches = []
    for first, rests in sorted(by_first.items()):
        branches.append(re.escape(bytes([first])) + (b"" if b"" in rests else _any_of(rests)))
    return branches[0] if len(branches) == 1 else rb"(?:" + b"|".join(branches) + rb")"
