"""Which rules a line may match: those that have one of their words in it.

A line that the prefilter finds would be compared with some 250 rules; the words in it leave a few.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from spackmon.logs.rules import Rule

_MOST_COMBINATIONS = 4096


class Candidates:
    """An index of rules by the words of their anchors."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        by_word: defaultdict[str, set[int]] = defaultdict(set)
        for position, rule in enumerate(rules):
            for word in rule.inside:
                by_word[word].add(position)
        # A place has one longest word, and all that it begins with.
        self._positions = {
            word: frozenset().union(
                *(by_word[word[:end]] for end in range(1, len(word) + 1) if word[:end] in by_word)
            )
            for word in by_word
        }
        self._words = re.compile(f"(?=({_longest_of(by_word)}))")
        self._known: dict[tuple[str, ...], tuple[Rule, ...]] = {}

    def of(self, line: str) -> tuple[Rule, ...]:
        """The rules that may match, in the order in which they are tried."""
        words = tuple(self._words.findall(line))
        known = self._known.get(words)
        if known is None:
            positions = sorted(frozenset().union(*(self._positions[word] for word in words)))
            known = tuple(self._rules[position] for position in positions)
            if len(self._known) < _MOST_COMBINATIONS:
                self._known[words] = known
        return known


def _longest_of(words: Iterable[str]) -> str:
    """A regular expression for the longest of the words that begin at a place."""
    by_first: defaultdict[str, set[str]] = defaultdict(set)
    is_end = False
    for word in words:
        if word:
            by_first[word[0]].add(word[1:])
        else:
            is_end = True
    if not by_first:
        return ""
    branches = "|".join(re.escape(first) + _longest_of(rests) for first, rests in sorted(by_first.items()))
    return f"(?:{branches}){'?' if is_end else ''}"
