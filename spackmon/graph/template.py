"""The syntax of Spack's format strings: `{name}{@version}{ os=architecture.os}{/hash:7}{^mpi.name}`.

The rules are those of docs/spec-language.md ("Format strings"). Braces hold an attribute, before it a sigil
or `key=` that is printed only with it, and `^package.` for a dependency's attribute; a backslash makes the
next character a literal one.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, TypeAlias


class BadFormat(ValueError):  # noqa: N818 -- named for what was found
    """A format string that cannot be printed for a spec; the message says which part and why."""


class Field(NamedTuple):
    """What stands in braces: `attribute` in lower case and in parts, ("hash",) with its length if any."""

    sigil: str
    dependency: str | None
    attribute: tuple[str, ...]
    hash_length: int | None = None


Template: TypeAlias = tuple[str | Field, ...]

MAXIMUM_LENGTH = 10_000

_SIGILS = "%@/"
_HASH = "hash"
_HASH_LENGTH_DIGITS = 4


@lru_cache(maxsize=256)
def parse(text: str) -> Template:
    """The literal texts and the fields of a format string. Raises BadFormat."""
    if len(text) > MAXIMUM_LENGTH:
        raise BadFormat(f"The format string is longer than {MAXIMUM_LENGTH} characters")
    if old := _old_style(text):
        raise BadFormat(f"The format string contains old syntax {old!r}, which is no longer supported")
    return tuple(piece for piece in _pieces(text) if piece)


def _old_style(text: str) -> str | None:
    """The first `${PACKAGE}`, as formats were written before Spack 0.13."""
    begin = text.find("${")
    while begin != -1:
        end = text.find("}", begin)
        name = text[begin + 2 : end]
        if end != -1 and name.isascii() and name.isalpha() and name.isupper():
            return text[begin : end + 1]
        begin = text.find("${", begin + 2)
    return None


def _pieces(text: str) -> Iterator[str | Field]:
    begin = place = 0
    while place < len(text):
        match text[place]:
            case "\\" if text[place + 1 : place + 2] not in ("", "\n"):
                yield text[begin:place]
                begin, place = place + 1, place + 2
            case "{":
                yield text[begin:place]
                content, brace, _ = text[place + 1 :].partition("}")
                field = _field(content) if brace else None
                if field is None:
                    raise BadFormat(f"Missing close brace: {text!r}")
                yield field
                begin = place = place + len(content) + 2
            case "}":
                raise BadFormat(f"Unmatched close brace: {text!r}")
            case _:
                place += 1
    yield text[begin:]


def _field(content: str) -> Field | None:
    """What the text between two braces asks for; None if something else than a length follows `hash`."""
    sigil = _sigil(content)
    dependency, attribute = _dependency(content[len(sigil) :])
    if attribute[: len(_HASH)].lower() == _HASH and not _is_in_word(attribute[len(_HASH) :]):
        return _hash_field(sigil, dependency, attribute)
    parts = tuple(attribute.lower().split("."))
    if not all(parts):
        raise BadFormat("Format string attributes must be non-empty")
    if sigil == "@" and parts[-1] not in ("version", "versions"):
        raise _misplaced(sigil, "versions", attribute.lower())
    if sigil == "%" and parts not in (("compiler",), ("compiler", "name")):
        raise _misplaced(sigil, "compilers", attribute.lower())
    if sigil == "/" and parts != ("abstract_hash",):
        raise _misplaced(sigil, "DAG hashes", attribute.lower())
    if any(part.startswith("_") for part in parts):
        raise BadFormat("Attempted to format private attribute")
    return Field(sigil, dependency, parts)


def _sigil(content: str) -> str:
    """What is printed before the attribute: `@`, `%` or `/`, after a blank or not, or a key with its `=`."""
    length = 2 if content.startswith(" ") else 1
    if content[length - 1 : length] in tuple(_SIGILS):
        return content[:length]
    key, equals, _ = content.partition("=")
    is_key = equals and key and not key.startswith("-")
    return f"{key}=" if is_key and all(_is_in_word(one) or one in " -" for one in key) else ""


def _dependency(content: str) -> tuple[str | None, str]:
    """The name between `^` and the first dot, and what follows it; no name where there is no such pair."""
    name, dot, attribute = content[1:].partition(".")
    if content.startswith("^") and name and dot:
        return name, attribute
    return None, content


def _hash_field(sigil: str, dependency: str | None, attribute: str) -> Field | None:
    word, length = attribute[: len(_HASH)], attribute[len(_HASH) :]
    digits = length[1:]
    if length and not (length.startswith(":") and digits.isdecimal()):
        return None
    if sigil not in ("", "/"):
        raise _misplaced(sigil, "DAG hashes", word)
    digits = digits.lstrip("0") or ("0" if digits else "")
    # No hash is longer, and Python refuses to read numbers of thousands of digits.
    is_short = 0 < len(digits) < _HASH_LENGTH_DIGITS
    return Field(sigil, dependency, (_HASH,), int(digits) if is_short else None)


def _is_in_word(text: str) -> bool:
    """Whether the first character is a letter, a digit or an underscore; there may be none."""
    return text[:1].isalnum() or text.startswith("_")


def _misplaced(sigil: str, place: str, attribute: str) -> BadFormat:
    return BadFormat(
        f"The sigil {sigil} may only be used for {place}. It was used with the attribute {attribute}."
    )
