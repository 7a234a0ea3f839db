"""The parts of a spec's text, read from left to right, each with its place.

The rules are those of docs/spec-language.md ("How a text is read"). What a character means depends on where
it stands: `-` begins a variant between parts and belongs to a name inside one, `.` joins namespaces, and is
part of keys and versions.
"""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn


class SpecSyntaxError(ValueError):
    """A text that is no spec: what was expected, and the offset of the character where it was not found."""

    def __init__(self, problem: str, position: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.position = position


@dataclass(frozen=True, slots=True)
class Token:
    """A part of a text, and the offset of its first character."""

    start: int


class Constraint(Token):
    """A part that asks something of the package before it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class DependencySign(Token):
    """`^` or, if it is direct, `%`; its attributes follow if it opened their bracket.

    `virtuals` are those of `^blas,lapack=openblas`; the provider is a Name behind the sign.
    """

    is_direct: bool
    opens_attributes: bool = False
    virtuals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributesEnd(Token):
    """The bracket that closes a dependency's attributes; `virtuals` as behind a sign."""

    virtuals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Versions(Constraint):
    """What stands behind `@`: versions and ranges between commas, or a git ref."""

    text: str


@dataclass(frozen=True, slots=True)
class Switch(Constraint):
    """`+name`, `~name` or `-name`; with a doubled sign it is propagated."""

    name: str
    is_on: bool
    is_propagated: bool


@dataclass(frozen=True, slots=True)
class Assignment(Constraint):
    """`key=value`; exact with `:=`, propagated with a second `=`. The quotes of the value are taken off."""

    key: str
    value: str
    value_start: int
    is_exact: bool
    is_propagated: bool


@dataclass(frozen=True, slots=True)
class Name(Token):
    """A package, with its namespace if that is given, or `*`."""

    text: str


@dataclass(frozen=True, slots=True)
class HashPrefix(Constraint):
    """The beginning of a hash, which stood behind `/`."""

    text: str


class FilePath(Token):
    """The path of a file that holds a spec."""

    __slots__ = ()


_FIRST = frozenset(string.ascii_letters + string.digits + "_")
_IN_WORD = _FIRST | {"-"}
_IN_KEY = _IN_WORD | {"."}
_IN_PATH = _IN_KEY | {"/"}
_IN_VALUE = _IN_PATH | frozenset("+*,:=%^~\\")
_QUOTES = "'\""
_HEXADECIMAL = frozenset(string.hexdigits)
_COMMIT_LENGTH = 40
_FILE_ENDINGS = (".json", ".yaml")
_FILE_ENDING_LENGTH = 5


def tokens(text: str) -> Iterator[Token]:
    """The tokens of `text`. Raises SpecSyntaxError at the first character that begins none."""
    return _Scanner(text).tokens()


class _Scanner:
    """A text, and the place up to which it has been read.

    The methods named `_…_end` look ahead: they give the end of what begins at a place, or the place itself
    if nothing of the kind does.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def tokens(self) -> Iterator[Token]:
        while (start := self._behind_blanks(self._place)) < len(self._text):
            self._place = start
            match self._text[start]:
                case "^" | "%" | "]":
                    sign = self._attributes_end() if self._at(start) == "]" else self._dependency_sign()
                    yield sign
                    if sign.virtuals:
                        # No other reading of what stands behind the `=` is possible.
                        yield self._name()
                case "@":
                    yield self._versions()
                case "+" | "~":
                    yield self._switch() or self._unexpected()
                case "-":
                    yield self._switch() or self._file() or self._unexpected()
                case "*":
                    self._place += 1
                    yield Name(start, "*")
                case "/":
                    yield self._file() or self._hash()
                case _:
                    yield self._assignment() or self._file() or self._name()

    # What stands at a place -------------------------------------------------------------------------

    def _at(self, place: int) -> str:
        """The character, none at all behind the end."""
        return self._text[place : place + 1]

    def _run_end(self, place: int, allowed: frozenset[str]) -> int:
        while self._at(place) in allowed:
            place += 1
        return place

    def _word_end(self, place: int, allowed: frozenset[str] = _IN_WORD) -> int:
        return self._run_end(place, allowed) if self._at(place) in _FIRST else place

    def _name_end(self, place: int) -> int:
        end = self._word_end(place)
        while end > place and self._at(end) == "." and self._at(end + 1) in _FIRST:
            end = self._word_end(end + 1)
        return end

    def _behind_blanks(self, place: int) -> int:
        while self._at(place).isspace():
            place += 1
        return place

    def _take(self, end: int) -> str:
        """The text up to `end`, which has been read then."""
        taken = self._text[self._place : end]
        self._place = end
        return taken

    def _unexpected(self) -> NoReturn:
        found = self._at(self._place)
        raise SpecSyntaxError(f"the character {found!r} was not expected here", self._place)

    # Dependencies and names -------------------------------------------------------------------------

    def _dependency_sign(self) -> DependencySign:
        start = self._place
        is_direct = self._at(start) == "%"
        self._place += 2 if is_direct and self._at(start + 1) == "%" else 1
        if self._at(self._place) == "[":
            self._place += 1
            return DependencySign(start, is_direct, opens_attributes=True)
        return DependencySign(start, is_direct, virtuals=self._assigned_virtuals())

    def _assigned_virtuals(self) -> tuple[str, ...]:
        """The virtuals before a `=` behind which a package stands; none if they do not."""
        start = self._behind_blanks(self._place)
        end = self._word_end(start)
        while end > start and self._at(end) == ",":
            following = self._word_end(end + 1)
            if following == end + 1:
                return ()
            end = following
        if end == start or self._at(end) != "=" or self._at(end + 1) not in _FIRST:
            return ()
        self._place = start
        virtuals = tuple(self._take(end).split(","))
        self._place = end + 1
        return virtuals

    def _attributes_end(self) -> AttributesEnd:
        start = self._place
        self._place += 1
        return AttributesEnd(start, self._assigned_virtuals())

    def _name(self) -> Name:
        start = self._place
        end = self._name_end(start)
        if end == start:
            self._unexpected()
        return Name(start, self._take(end))

    def _hash(self) -> HashPrefix:
        start = self._place
        end = self._run_end(start + 1, _FIRST)
        if end == start + 1:
            self._unexpected()
        return HashPrefix(start, self._take(end)[1:])

    def _file(self) -> FilePath | None:
        start = self._place
        directory_end = start if self._at(start) in ("/", ".") else self._run_end(start, _IN_WORD)
        if self._at(directory_end) != "/" and self._at(start) != ".":
            return None
        path_end = self._run_end(start, _IN_PATH)
        endings = [self._text.rfind(ending, directory_end + 1, path_end) for ending in _FILE_ENDINGS]
        if max(endings) == -1:
            return None
        self._place = max(endings) + _FILE_ENDING_LENGTH
        return FilePath(start)

    # Variants and other keys ------------------------------------------------------------------------

    def _switch(self) -> Switch | None:
        start, sign = self._place, self._at(self._place)
        is_propagated = self._at(start + 1) == sign
        begin = self._behind_blanks(start + (2 if is_propagated else 1))
        end = self._word_end(begin, _IN_KEY)
        if end == begin:
            return None
        self._place = end
        return Switch(start, self._text[begin:end], sign == "+", is_propagated)

    def _assignment(self) -> Assignment | None:
        start = self._place
        end = self._word_end(start, _IN_KEY)
        is_exact = self._text.startswith(":=", end)
        equals = end + 1 if is_exact else end
        if end == start or self._at(equals) != "=":
            return None
        # A second `=` that no value follows is a value itself.
        is_propagated = self._at(equals + 1) == "=" and self._value_end(equals + 2) > equals + 2
        begin = equals + 2 if is_propagated else equals + 1
        self._place = self._value_end(begin)
        if self._place == begin:
            self._place = start
            return None
        value, quote = self._text[begin : self._place], self._at(begin)
        if quote in _QUOTES:
            begin, value = begin + 1, value[1:-1].replace(f"\\{quote}", quote)
        return Assignment(start, self._text[start:end], value, begin, is_exact, is_propagated)

    def _value_end(self, place: int) -> int:
        quote = self._at(place)
        if not quote or quote not in _QUOTES:
            return self._run_end(place, _IN_VALUE)
        end, found = place, self._text.find(quote, place + 1)
        while found != -1:
            end = found + 1
            if self._text[found - 1] != "\\":
                break
            found = self._text.find(quote, end)
        return end

    # Versions ---------------------------------------------------------------------------------------

    def _versions(self) -> Versions:
        start, begin = self._place, self._place + 1
        end = self._git_version_end(begin)
        if end > begin:
            self._place = end
            return Versions(start, self._text[begin:end])
        begin = self._behind_blanks(begin)
        end = self._version_list_end(begin)
        if end == begin:
            self._unexpected()
        self._place = end
        return Versions(start, self._text[begin:end].rstrip("-."))

    def _git_version_end(self, place: int) -> int:
        if self._text.startswith("git.", place):
            begin = place + len("git.")
            end = self._word_end(begin, _IN_PATH)
            is_ref = end > begin
        else:
            end = place + _COMMIT_LENGTH
            commit = self._text[place:end]
            is_ref = len(commit) == _COMMIT_LENGTH and _HEXADECIMAL.issuperset(commit)
        if not is_ref:
            return place
        assigned_end = self._version_end(end + 1) if self._at(end) == "=" else end
        return assigned_end if assigned_end > end + 1 else end

    def _version_list_end(self, place: int) -> int:
        end = self._version_or_range_end(place)
        while end > place:
            comma = self._behind_blanks(end)
            begin = self._behind_blanks(comma + 1)
            following = self._version_or_range_end(begin)
            if self._at(comma) != "," or following == begin:
                break
            end = following
        return end

    def _version_or_range_end(self, place: int) -> int:
        end = self._version_end(place)
        return end if self._at(end) != ":" else self._last_version_end(end + 1)

    def _last_version_end(self, place: int) -> int:
        """Where the range ends whose last version may stand at `place`: not within the key of a `=`."""
        end = self._version_end(place)
        if self._at(end) != "=":
            return end
        before_key = max(self._text.rfind(separator, place, end) for separator in "-.")
        return max(before_key + 1, place)

    def _version_end(self, place: int) -> int:
        begin = place + 1 if self._at(place) == "=" else place
        end = self._word_end(begin, _IN_KEY)
        if end == begin:
            return place
        # It ends with a letter or a digit: what separates parts may begin the next token.
        while self._at(end - 1) in ("-", "."):
            end -= 1
        return end
