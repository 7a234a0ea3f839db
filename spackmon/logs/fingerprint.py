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
from collections.abc import Iterator

LONGEST = 500
"""Characters; a unique index holds it, and what follows seldom says more."""

_READ = 4 * LONGEST  # what may be left of it is enough to fill a fingerprint, and a line may be a megabyte

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_QUOTES = str.maketrans(dict.fromkeys('"`´‘’‚“”„«»', "'"))
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\w.+@~%=-]*[/\\])+(?=[\w.+@~%=-])")
_HASH = re.compile(
    r"0[xX][0-9a-fA-F]+"
    r"|\b(?=[a-z]*[2-7])[a-z2-7]{32}\b"
    r"|\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{7,}\b"
)
_NUMBER = re.compile(r"(?<![\w#])\d+(?:\.\d+)*(?!\w)")
_PLACE = re.compile(r"#(?:[:,.]#)+")


_STEPS = (("DIRECTORY", _PATH, ""), ("HASH", _HASH, "#"), ("NUMBER", _NUMBER, "#"))


def fingerprint(text: str) -> str:
    """What stays of an error's text when places and numbers are taken out."""
    text = _readable(text)
    for _, pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    text = _PLACE.sub("#", text)
    return " ".join(text.split())[:LONGEST].rstrip()


def blanked(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each piece that `fingerprint` takes out."""
    text = _readable(text)
    for kind, pattern, replacement in _STEPS:
        yield from ((kind, match[0]) for match in pattern.finditer(text))
        text = pattern.sub(replacement, text)


def _readable(text: str) -> str:
    return _COLOUR.sub("", text[:_READ]).translate(_QUOTES)
