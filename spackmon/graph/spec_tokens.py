"""The words of the spec language: a text becomes tokens with their places in it.

What a character means depends on what stands before it: `-` begins a variant after a blank and belongs
to a name inside one, `.` is allowed in versions and namespaces only. The first pattern that matches wins,
so their order is part of the grammar, which is that of Spack 1.2.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class SpecSyntaxError(ValueError):
    """A text that is no spec: what was expected, and the offset of the character where it was not found."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


class Kind(Enum):
    """What a token is."""

    EDGE_ATTRIBUTES = auto()
    EDGE_ATTRIBUTES_END = auto()
    DEPENDENCY = auto()
    VERSION = auto()
    SWITCH = auto()
    VALUE = auto()
    FILE_NAME = auto()
    NAME = auto()
    HASH = auto()
    BLANK = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text; a DEPENDENCY or EDGE_ATTRIBUTES_END may carry the virtuals of `c,cxx=gcc`."""

    kind: Kind
    text: str
    start: int
    virtuals: tuple[str, ...] = ()


_WORD = r"[A-Za-z0-9_][A-Za-z0-9_-]*"
_DOTTED = rf"{_WORD}(?:\.{_WORD})+"
_KEY = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ASSIGNED = rf"(?:\s*(?P<virtuals{{0}}>{_WORD}(?:,{_WORD})*)=(?P<provider{{0}}>{_DOTTED}|{_WORD}))?"
_VERSION = r"=?[A-Za-z0-9_][A-Za-z0-9_.-]*\b"
_RANGE = rf"(?:{_VERSION})?:(?:{_VERSION}(?!\s*=))?"
_QUOTED = r"""'(?:[^']|(?<=\\)')*'|"(?:[^"]|(?<=\\)")*\""""
_UNQUOTED = r"[A-Za-z0-9_+*.,:=%^~/\\\-]+"
_COMMIT_OR_REF = r"(?:git\.[A-Za-z0-9_][A-Za-z0-9_./-]*|[A-Fa-f0-9]{40})"

_PATTERNS = (
    (Kind.EDGE_ATTRIBUTES, r"(?:\^|%%|%)\["),
    (Kind.EDGE_ATTRIBUTES_END, r"\]" + _ASSIGNED.format(1)),
    (Kind.DEPENDENCY, r"(?:\^|%%|%)" + _ASSIGNED.format(2)),
    (
        Kind.VERSION,
        rf"@{_COMMIT_OR_REF}={_VERSION}|@{_COMMIT_OR_REF}"
        rf"|@\s*(?:{_RANGE}|{_VERSION})(?:\s*,\s*(?:{_RANGE}|{_VERSION}))*",
    ),
    (Kind.SWITCH, rf"(?:\+\+|~~|--)\s*{_KEY}|[~+-]\s*{_KEY}"),
    (Kind.VALUE, rf"{_KEY}:?==(?:{_UNQUOTED}|{_QUOTED})|{_KEY}:?=(?:{_UNQUOTED}|{_QUOTED})"),
    (Kind.FILE_NAME, r"(?:\.|/|[A-Za-z0-9_-]*/)[A-Za-z0-9_./-]*(?:\.json|\.yaml)"),
    (Kind.NAME, rf"{_DOTTED}|{_WORD}|\*"),
    (Kind.HASH, r"/[A-Za-z0-9_]+"),
    (Kind.BLANK, r"\s+"),
)
_TOKEN = re.compile("|".join(f"(?P<{kind.name}>{pattern})" for kind, pattern in _PATTERNS))


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`, blanks left out.

    A provider assigned to virtuals is a NAME of its own behind the token with the virtuals. Raises
    SpecSyntaxError at the first character that begins no token.
    """
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise SpecSyntaxError(f"the character {text[place]!r} was not expected here", place)
        place = match.end()
        kind = Kind[str(match.lastgroup)]
        if kind in (Kind.EDGE_ATTRIBUTES_END, Kind.DEPENDENCY):
            yield from _assignment(kind, match, "1" if kind is Kind.EDGE_ATTRIBUTES_END else "2")
        elif kind is not Kind.BLANK:
            yield Token(kind, match.group(), match.start())


def _assignment(kind: Kind, match: re.Match[str], number: str) -> Iterator[Token]:
    virtuals, provider = match.group(f"virtuals{number}"), match.group(f"provider{number}")
    if provider is None:
        yield Token(kind, match.group(), match.start())
    else:
        yield Token(kind, match.group(), match.start(), tuple(virtuals.split(",")))
        yield Token(Kind.NAME, provider, match.start(f"provider{number}"))
