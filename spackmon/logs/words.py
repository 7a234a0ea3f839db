"""The words of build logs, by which they are searched: one rule for what is stored and for what is sought.

A word is letters, digits and `_`, as `__atomic_load_16`; every other sign stands for itself, the same one
several times in a row for one. So `-lfoo`, `foo::bar<baz>` and `/usr/lib/libz.so` are words and signs side by
side, and are found as such. Case does not matter.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from spackmon.logs.terminal import SEQUENCE

MOST_CHARACTERS, MOST_WORDS = 1_000, 50
"""Of what is sought."""
SNIPPET_CHARACTERS = 300

# Of a text: nobody looks for what stands behind the first thousand words of an error.
_MOST_STORED_WORDS = 1_000
_LONGEST_WORD = 200
_WORD_OR_SIGNS = re.compile(r"\w+|([^\w\s\x00-\x1f\x7f])\1*")
_WORD = re.compile(r"\w")
_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_CHARACTERS_BEFORE = 80
# With quotation marks as gcc writes them.
_PLAIN = re.compile(rf"(?!.*\w{{{_LONGEST_WORD + 1}}})[ -~\t\n‘’]{{0,{_MOST_STORED_WORDS}}}", re.DOTALL)

Word = tuple[str, int, int]
"""As it is compared, and where it begins and ends in its text."""


class SearchSyntaxError(ValueError):
    """What is sought cannot be read; the text is a sentence about `search`."""


@dataclass(frozen=True, slots=True)
class Term:
    """Words and signs that stand side by side; of the last one, if it `is_prefix`, only its beginning."""

    words: tuple[str, ...]
    is_prefix: bool = False


def searchable(*texts: str | None) -> str:
    """What is stored of texts to search them: their words and signs in order, with one space between."""
    words = (word for text in texts if text for word, _, _ in _words(text))
    return " ".join(word for _, word in zip(range(_MOST_STORED_WORDS), words, strict=False))


def is_plain(text: str, file: str | None) -> bool:
    """Whether a term's `pattern` finds in these what the term is in what is `searchable` of them."""
    return _PLAIN.fullmatch(f"{text} {file or ''}") is not None


def pattern(term: Term) -> str:
    """A regular expression of PostgreSQL's that finds a term in a plain text, whatever the case."""
    parts = [r"(?:^|\W)" if is_word(term.words[0]) else ""]
    for word, following in zip(term.words, (*term.words[1:], ""), strict=True):
        parts.append(re.escape(word) if is_word(word) else f"{re.escape(word)}+")
        # Two words, and two of the same sign, are two because something is between them.
        apart = word == following or (is_word(word) and is_word(following))
        parts.append((r"[ \t\n]+" if apart else r"[ \t\n]*") if following else "")
    return "".join(parts) + (r"(?:\W|$)" if is_word(term.words[-1]) and not term.is_prefix else "")


def read_search(text: str) -> tuple[Term, ...]:
    """What is sought: what stands between white space, or between quotation marks; a `*` ends a beginning.

    All of it must be in a text. Raises SearchSyntaxError.
    """
    if len(text) > MOST_CHARACTERS:
        raise SearchSyntaxError(f"`search` may have {MOST_CHARACTERS:,} characters, it has {len(text):,}")
    if text.count('"') % 2:
        raise SearchSyntaxError("`search` has a quotation mark without its other one")
    terms = tuple(filter(_has_word, (_term(*found.groups()) for found in _TERM.finditer(text))))
    if not terms:
        raise SearchSyntaxError("`search` must have a word: letters, digits or `_`")
    count = sum(len(term.words) for term in terms)
    if count > MOST_WORDS:
        raise SearchSyntaxError(f"`search` may have {MOST_WORDS} words and signs, it has {count}")
    return terms


def _term(quoted: str | None, plain: str | None) -> Term:
    text = plain or quoted or ""
    is_prefix = plain is not None and len(text) > 1 and text.endswith("*") and bool(_WORD.match(text[-2]))
    return Term(tuple(word for word, _, _ in _words(text[:-1] if is_prefix else text)), is_prefix)


def _has_word(term: Term) -> bool:
    return any(map(is_word, term.words))


def is_word(text: str) -> bool:
    """Whether this is a word, and not a sign."""
    return _WORD.match(text) is not None


def matching(text: str, terms: tuple[Term, ...]) -> list[tuple[int, int]]:
    """Where the terms stand in a text, in order; places that touch are one."""
    words = list(_words(text))
    places = sorted(place for term in terms for place in _places(words, term))
    found: list[tuple[int, int]] = []
    for begin, end in places:
        if found and begin <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return found


def _places(words: list[Word], term: Term) -> Iterator[tuple[int, int]]:
    count = len(term.words)
    for at in range(len(words) - count + 1):
        if _is_at(words, at, term):
            last, begin, end = words[at + count - 1]
            yield words[at][1], begin + len(term.words[-1]) if term.is_prefix and last else end


def _is_at(words: list[Word], at: int, term: Term) -> bool:
    for number, wanted in enumerate(term.words):
        word = words[at + number][0]
        is_last = term.is_prefix and number == len(term.words) - 1
        if not (word.startswith(wanted) if is_last else word == wanted):
            return False
    return True


def snippet(text: str, terms: tuple[Term, ...]) -> list[tuple[str, bool]]:
    """Some of a text around the first place where a term stands, in pieces, and which of them are terms."""
    places = matching(text, terms)
    begin = max(places[0][0] - _CHARACTERS_BEFORE, 0) if places else 0
    end = min(begin + SNIPPET_CHARACTERS, len(text))
    pieces = [("…", False)] if begin else []
    at = begin
    for start, stop in places:
        if start >= end:
            break
        pieces += [(text[at:start], False), (text[start : min(stop, end)], True)]
        at = min(stop, end)
    pieces.append((text[at:end] + ("…" if end < len(text) else ""), False))
    return [(piece, is_match) for piece, is_match in pieces if piece]


def _words(text: str) -> Iterator[Word]:
    if "\x1b" in text:
        # As long as it was, so that places stay.
        text = SEQUENCE.sub(lambda found: " " * len(found[0]), text)
    for found in _WORD_OR_SIGNS.finditer(text):
        word = found[0].casefold() if found[1] is None else found[1]
        yield word[:_LONGEST_WORD], found.start(), found.end()
