"""What an error has in common with the same error of another build, on another machine, on another day.

A line of a compiler, a linker, cmake or Spack itself is made of words that say what is wrong and of places
and numbers that say where it happened this time. The second are replaced, in this order:

- terminal colours are dropped, quotation marks of all kinds become `'`;
- a path is reduced to its last component, so that `/tmp/stage/xyz/src/main.c:7:3` and `src/main.c:9:1` are
  one; a directory's name that ends in a Spack hash loses the hash;
- `0x…` addresses, hashes (Spack's base32, hexadecimal of seven digits and more) and numbers become `#`; a
  digit within a word stays (`sha256`, `libpng16`), because it is part of a name;
- white space becomes one space, and what is longer than LONGEST is cut.

The fingerprint of a fingerprint is itself.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

LONGEST = 500
"""Characters; a unique index holds it, and what follows seldom says more."""

_READ = 4 * LONGEST  # what may be left of it is enough to fill a fingerprint, and a line may be a megabyte

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_QUOTES = str.maketrans(dict.fromkeys('"`´‘’‚“”„«»', "'"))
_PLACE = re.compile(r"#(?:[:,.]#)+")

has_digit = re.compile(r"\d").search


@dataclass(frozen=True, slots=True)
class Step:
    """What is replaced, and why: `kind` is a word for it.

    `may_be` is false of a text that has nothing of it; to see that takes a tenth of the time of the pattern.
    """

    kind: str
    may_be: Callable[[str], object]
    pattern: re.Pattern[str]
    replacement: str

    def of(self, text: str) -> str:
        """The text without it."""
        return self.pattern.sub(self.replacement, text) if self.may_be(text) else text


_NAME = r"[\w.+@~%=-]"
_STEPS = (
    Step(
        "DIRECTORY",
        lambda text: "/" in text or "\\" in text,
        re.compile(rf"(?:[A-Za-z]:|(?<!{_NAME}))(?:{_NAME}*+[/\\])+(?={_NAME})"),
        "",
    ),
    Step(
        "HASH",
        has_digit,
        re.compile(
            r"\b(?:(?=[a-z]*[2-7])[a-z2-7]{32}\b"
            r"|(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b)"
            r"|0[xX][0-9a-fA-F]+"
        ),
        "#",
    ),
    Step("NUMBER", has_digit, re.compile(r"\d(?<![\w#]\d)\d*(?:\.\d+)*(?!\w)"), "#"),
)


def fingerprint(text: str) -> str:
    """What stays of an error's text when places and numbers are taken out."""
    text = _readable(text)
    for step in _STEPS:
        text = step.of(text)
    if "#" in text:
        text = _PLACE.sub("#", text)
    return " ".join(text.split())[:LONGEST].rstrip()


def blanked(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each piece that `fingerprint` takes out."""
    text = _readable(text)
    for step in _STEPS:
        yield from ((step.kind, match[0]) for match in step.pattern.finditer(text))
        text = step.of(text)


def _readable(text: str) -> str:
    text = text[:_READ]
    return (_COLOUR.sub("", text) if "\x1b" in text else text).translate(_QUOTES)
