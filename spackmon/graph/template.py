"""The syntax of Spack's format strings: `{name}{@version}{ os=architecture.os}{/hash:7}{^mpi.name}`.

Braces hold an attribute, before it a sigil or `key=` that is printed only with it, and `^package.` for a
dependency's attribute; a backslash makes the next character a literal one.
"""

import re
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

_PIECE = re.compile(
    r"""
    \\(?P<escaped>.)
    | \{
      (?P<sigil>[ ]?[%@/] | [\w ][\w -]*=)?
      (?:\^(?P<dependency>[^}.]+)\.)?
      (?:(?P<hash>hash\b)(?::(?P<length>\d+))? | (?P<attribute>[^}]*))
      (?P<closed>\})?
    | (?P<stray>\})
    """,
    re.IGNORECASE | re.VERBOSE,
)
_OLD_STYLE = re.compile(r"\$\{[A-Z]+\}")
_HASH_LENGTH_DIGITS = 4


@lru_cache(maxsize=256)
def parse(text: str) -> Template:
    """The literal texts and the fields of a format string. Raises BadFormat."""
    if len(text) > MAXIMUM_LENGTH:
        raise BadFormat(f"The format string is longer than {MAXIMUM_LENGTH} characters")
    if old := _OLD_STYLE.search(text):
        raise BadFormat(
            f"The format string contains old syntax {old.group()!r}, which is no longer supported"
        )
    pieces: list[str | Field] = []
    end = 0
    for piece in _PIECE.finditer(text):
        pieces += [text[end : piece.start()], piece["escaped"] or _field(piece, text)]
        end = piece.end()
    return tuple(piece for piece in (*pieces, text[end:]) if piece)


def _field(piece: re.Match[str], text: str) -> Field:
    if piece["stray"]:
        raise BadFormat(f"Unmatched close brace: {text!r}")
    if not piece["closed"]:
        raise BadFormat(f"Missing close brace: {text!r}")
    sigil = piece["sigil"] or ""
    if piece["hash"]:
        if sigil not in ("", "/"):
            raise _misplaced(sigil, "DAG hashes", piece["hash"])
        return Field(sigil, piece["dependency"], ("hash",), _hash_length(piece["length"]))
    attribute = piece["attribute"].lower()
    if not all(attribute.split(".")):
        raise BadFormat("Format string attributes must be non-empty")
    parts = tuple(attribute.split("."))
    if sigil == "@" and parts[-1] not in ("version", "versions"):
        raise _misplaced(sigil, "versions", attribute)
    if sigil == "%" and attribute not in ("compiler", "compiler.name"):
        raise _misplaced(sigil, "compilers", attribute)
    if sigil == "/" and attribute != "abstract_hash":
        raise _misplaced(sigil, "DAG hashes", attribute)
    if any(part.startswith("_") for part in parts):
        raise BadFormat("Attempted to format private attribute")
    return Field(sigil, piece["dependency"], parts)


def _hash_length(digits: str | None) -> int | None:
    if digits is None:
        return None
    digits = digits.lstrip("0") or "0"
    # No hash is longer, and Python refuses to read numbers of thousands of digits.
    return int(digits) if len(digits) < _HASH_LENGTH_DIGITS else None


def _misplaced(sigil: str, place: str, attribute: str) -> BadFormat:
    return BadFormat(
        f"The sigil {sigil} may only be used for {place}. It was used with the attribute {attribute}."
    )
