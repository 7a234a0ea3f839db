"""Lines of logs with what is sought, found by the rule of `words`, most of them without looking at words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spackmon.logs.terminal import plain
from spackmon.logs.words import Term, is_word, matching

LONGEST_LINE = 2_000
"""Characters of a line that are looked at, and shown."""


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line, its number from 1, and the lines around it."""

    number: int
    text: str
    before: tuple[str, ...]
    after: tuple[str, ...]


class LineSearch:
    """Finds lines that have all `terms`, each with `context` lines of the same chunk before and after it."""

    def __init__(self, terms: Sequence[Term], context: int) -> None:
        self._terms, self._context = tuple(terms), context
        words = sorted({word for term in terms for word in term.words if is_word(word)}, key=len)
        # What is not ASCII may be written in several ways that are equal but for case.
        self._words = [word.encode() for word in reversed(words) if word.isascii()]

    def found(self, chunk: bytes, first_line: int) -> Iterator[FoundLine]:
        """The lines of a chunk that begins with line `first_line`."""
        text = plain(chunk)
        lowered = text.lower()
        if not all(word in lowered for word in self._words):
            return
        begin, number = 0, first_line
        for start, end in self._candidates(lowered):
            if not self._has_terms(text, start, end):
                continue
            number += text.count(b"\n", begin, start)
            begin = start
            before, after = self._around(text, start, end)
            yield FoundLine(number, _shown(text[start:end]), before, after)

    def _candidates(self, lowered: bytes) -> Iterator[tuple[int, int]]:
        """Where lines begin and end that have the letters of every word."""
        rarest, others = (self._words[0], self._words[1:]) if self._words else (b"", [])
        at = 0
        while at < len(lowered) and (at := lowered.find(rarest, at)) >= 0:
            start = lowered.rfind(b"\n", 0, at) + 1
            end = lowered.find(b"\n", at)
            end = len(lowered) if end < 0 else end
            if all(lowered.find(word, start, end) >= 0 for word in others):
                yield start, end
            at = end + 1

    def _has_terms(self, text: bytes, start: int, end: int) -> bool:
        line = _shown(text[start:end])
        return all(matching(line, (term,)) for term in self._terms)

    def _around(self, text: bytes, start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        before: list[str] = []
        while len(before) < self._context and start > 0:
            previous = text.rfind(b"\n", 0, start - 1) + 1
            before.insert(0, _shown(text[previous : start - 1]))
            start = previous
        after: list[str] = []
        while len(after) < self._context and end + 1 < len(text):
            following = text.find(b"\n", end + 1)
            following = len(text) if following < 0 else following
            after.append(_shown(text[end + 1 : following]))
            end = following
        return tuple(before), tuple(after)


def _shown(line: bytes) -> str:
    return line[: 4 * LONGEST_LINE].decode("utf-8", "replace")[:LONGEST_LINE]
