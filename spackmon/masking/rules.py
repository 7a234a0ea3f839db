"""The rules of rules.toml, and those of them that a site adds: which names and which texts are secrets."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

_of_site: list["Rules"] = []
# Where a name has a border: a mark, or a lower letter before an upper one.
_BORDER = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_PLACE = re.compile(r"(?:-[IL]|[~.$])?/|-[lIL]\w|\.{0,2}$")


@dataclass(frozen=True, slots=True)
class NameRule:
    """Words that a name holds in a row, where it names a secret; see rules.toml."""

    words: tuple[str, ...]
    example: str
    alone: bool = False
    never_alone: bool = False
    ending: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What a kind of secret looks like; see rules.toml."""

    name: str
    anchors: tuple[str, ...]
    pattern: re.Pattern[str]
    examples: tuple[str, ...] = field(repr=False)
    unlike: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """All rules. `hint` finds something in every name of a secret, and in few others."""

    names: tuple[NameRule, ...]
    exceptions: tuple[tuple[str, ...], ...]
    truths: frozenset[str]
    counts: frozenset[str]
    places: frozenset[str]
    shapes: tuple[Shape, ...]
    hint: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        stems = sorted({re.escape(rule.words[0]) for rule in self.names}, key=len)
        least = [one for place, one in enumerate(stems) if not any(o in one for o in stems[:place])]
        object.__setattr__(self, "hint", re.compile("|".join(least), re.IGNORECASE))

    def is_secret(self, name: str, value: str, *, by_itself: bool = True) -> bool:
        """Whether the value of this name has to be masked.

        `by_itself`: a name that is nothing but `KEY` or `TOKEN` counts, as that of a variable does; in a
        document or among arguments it may be the key of a table, or what a tokenizer gives.
        """
        if not value or self.hint.search(name) is None:
            return False
        words = self._words(name)
        return any(self._meets(rule, words, by_itself) for rule in self.names) and not self._is_plain(
            words, value
        )

    def _words(self, name: str) -> Sequence[str]:
        words = [word.upper().rstrip("0123456789") for word in _BORDER.split(name)]
        for unlike in self.exceptions:
            if (place := _place(unlike, words)) >= 0:
                words[place : place + len(unlike)] = [""]
        return words

    @staticmethod
    def _meets(rule: NameRule, words: Sequence[str], by_itself: bool) -> bool:
        named = [word for word in words if word]
        if _place(rule.words, named) >= 0:
            is_allowed = by_itself and not rule.never_alone
            return is_allowed or rule.alone or len(named) > len(rule.words)
        return rule.ending and any(word.endswith(rule.words[0]) for word in named)

    def _is_plain(self, words: Collection[str], value: str) -> bool:
        if value.lower() in self.truths:
            return True
        if value.isdigit():
            return len(value) == 1 or not self.counts.isdisjoint(words)
        return not self.places.isdisjoint(words) and _PLACE.match(value) is not None


@cache
def shipped() -> Rules:
    """The rules that come with spackmon."""
    document = tomllib.loads((files("spackmon.masking") / "rules.toml").read_text(encoding="utf-8"))
    exceptions = document["exceptions"]
    return Rules(
        names=tuple(_name_rule(rule) for rule in document["name"]),
        exceptions=tuple(tuple(words.split("_")) for words in exceptions["words"]),
        truths=frozenset(exceptions["truths"]),
        counts=frozenset(exceptions["counts"]),
        places=frozenset(exceptions["places"]),
        shapes=tuple(_shape(shape) for shape in document["shape"]),
    )


def with_names(names: Iterable[str]) -> Rules:
    """The shipped rules, and for each of `names` (`LICENSE`, `SITE_PIN`) that it, in a name, is a secret."""
    rules = shipped()
    more = (NameRule(tuple(_BORDER.sub("_", name).upper().split("_")), name, alone=True) for name in names)
    return Rules(
        (*rules.names, *more), rules.exceptions, rules.truths, rules.counts, rules.places, rules.shapes
    )


def of_site() -> Rules:
    """The rules by which this process masks what it stores: the shipped ones, with the site's names."""
    return _of_site[0] if _of_site else shipped()


def use_for_site(rules: Rules) -> None:
    """Mask what is stored by these rules, in every thread of this process."""
    _of_site[:] = [rules]


def _place(some: Sequence[str], words: Sequence[str]) -> int:
    """Where `some` stand in `words` in a row, or -1."""
    length = len(some)
    places = range(len(words) - length + 1)
    return next((i for i in places if tuple(words[i : i + length]) == tuple(some)), -1)


def _name_rule(rule: Mapping[str, Any]) -> NameRule:
    return NameRule(**{**rule, "words": tuple(rule["words"].split("_"))})


def _shape(shape: Mapping[str, Any]) -> Shape:
    return Shape(
        shape["name"], tuple(shape["anchors"]), re.compile(shape["pattern"], re.ASCII),
        tuple(shape["examples"]), tuple(shape["unlike"]),
    )  # fmt: skip
