"""What is read of an ELF file in a few bytes: equal files have equal ones.

They are two parts, which are stored apart: what names other files, as paths of this one's prefix, and the
symbols, which all builds of the same code have in common.
"""

import array
import json
import struct
import sys
import zlib
from typing import Any, Dict, List, NamedTuple, Tuple

from .elf import Elf, Symbol, VersionDefinition, VersionNeed

ANALYZER = "elf"
"""The analyzer whose results these bytes are."""

_FORM = 2
_FIRST_FORM = 1
_MAXIMUM_BYTES = 1 << 28
_LENGTH = struct.Struct("<BI")
_COUNTS = struct.Struct("<III")
# Columns of numbers are little-endian; 4 bytes of a kind, 8 of a size.
_KIND, _SIZE = "I", "Q"


class Packed(NamedTuple):
    """The two parts of one file."""

    head: bytes
    symbols: bytes


class Kind(NamedTuple):
    """What several symbols of a file have in common; fields as those of Symbol."""

    binding: str
    type: str
    visibility: str
    section: int
    has_value: bool
    version: Any
    version_index: int
    is_version_hidden: bool
    is_hashed: bool
    lookups: int


class Symbols(NamedTuple):
    """The symbols of one file by columns: `kinds_of` and `sizes` are those of `names`."""

    names: List[str]
    kinds: List[Kind]
    kinds_of: Any
    sizes: Any

    def at(self, place: int) -> Symbol:
        """One symbol."""
        kind = self.kinds[self.kinds_of[place]]
        return Symbol._make([self.names[place], *kind[:5], self.sizes[place], *kind[5:]])


def pack(elf: Elf) -> bytes:
    """The bytes of one file."""
    return joined(pack_parts(elf))


def pack_parts(elf: Elf) -> Packed:
    """The two parts of one file."""
    head = json.dumps([_FORM, *elf[:-1]], ensure_ascii=False, separators=(",", ":"))
    # A name may hold what no UTF-8 is.
    return Packed(zlib.compress(head.encode("utf-8", "surrogatepass"), 9), _pack_symbols(elf.symbols))


def joined(parts: Packed) -> bytes:
    """Both in one."""
    return _LENGTH.pack(_FORM, len(parts.head)) + parts.head + parts.symbols


def split(content: bytes) -> Packed:
    """The parts of `pack`'s bytes, of this form or of the first. Raises ValueError for any others."""
    if content[:1] != bytes([_FORM]):
        return pack_parts(_unpack_first(content))
    if len(content) < _LENGTH.size:
        raise ValueError("no packed ELF file")
    _, length = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    return Packed(content[_LENGTH.size : end], content[end:])


def unpack(content: bytes) -> Elf:
    """The file of `pack`'s bytes. Raises ValueError for any others."""
    parts = split(content)
    symbols = unpack_symbols(parts.symbols)
    return unpack_head(parts.head)._replace(
        symbols=[symbols.at(place) for place in range(len(symbols.names))]
    )


def unpack_head(content: bytes) -> Elf:
    """The file without symbols. Raises ValueError for what is none."""
    try:
        form, *fields = json.loads(_decompressed(content).decode("utf-8", "surrogatepass"))
        if form != _FORM:
            raise ValueError(f"a form of ELF files of number {form}")
        return _made([*fields, []])
    except (zlib.error, TypeError) as error:
        raise ValueError("no packed ELF file") from error


def unpack_symbols(content: bytes) -> Symbols:
    """The symbols of one file. Raises ValueError for what are none."""
    try:
        content = _decompressed(content)
        count, kinds_bytes, names_bytes = _COUNTS.unpack_from(content)
        at = _COUNTS.size
        kinds = [Kind(*kind) for kind in json.loads(content[at : at + kinds_bytes].decode("utf-8"))]
        at += kinds_bytes
        names = content[at : at + names_bytes].decode("utf-8", "surrogatepass").split("\0") if count else []
        at += names_bytes
        kinds_of, sizes = (
            _numbers(_KIND, content[at : at + 4 * count]),
            _numbers(_SIZE, content[at + 4 * count :]),
        )
        if not len(names) == len(kinds_of) == len(sizes) == count or max(kinds_of, default=-1) >= len(kinds):
            raise ValueError("symbols that contradict each other")
        return Symbols(names, kinds, kinds_of, sizes)
    except (zlib.error, TypeError, struct.error, UnicodeDecodeError) as error:
        raise ValueError("no packed symbols") from error


def _pack_symbols(symbols: List[Symbol]) -> bytes:
    kinds: Dict[Tuple[Any, ...], int] = {}
    numbers = array.array(_KIND)
    sizes = array.array(_SIZE)
    for symbol in symbols:
        kind = (*symbol[1:6], *symbol[7:])
        numbers.append(kinds.setdefault(kind, len(kinds)))
        sizes.append(symbol.size)
    names = "\0".join(symbol.name for symbol in symbols).encode("utf-8", "surrogatepass")
    written = json.dumps(list(kinds), ensure_ascii=True, separators=(",", ":")).encode("ascii")
    head = _COUNTS.pack(len(symbols), len(written), len(names))
    if sys.byteorder == "big":
        numbers.byteswap()
        sizes.byteswap()
    return zlib.compress(head + written + names + numbers.tobytes() + sizes.tobytes(), 9)


def _numbers(form: str, content: bytes) -> Any:
    numbers = array.array(form)
    numbers.frombytes(content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _decompressed(content: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    written = unpacking.decompress(content, _MAXIMUM_BYTES)
    if not unpacking.eof:
        raise ValueError("packed bytes that do not end")
    return written


def _unpack_first(content: bytes) -> Elf:
    """A file as it was packed before: all in one."""
    try:
        form, *fields = json.loads(_decompressed(content).decode("utf-8", "surrogatepass"))
        if form != _FIRST_FORM:
            raise ValueError(f"a form of ELF files of number {form}")
        return _made(fields)
    except (zlib.error, TypeError) as error:
        raise ValueError("no packed ELF file") from error


def _made(stored: List[Any]) -> Elf:
    *fields, needs, definitions, symbols = stored
    return Elf._make(
        [
            *fields,
            [VersionNeed(*need) for need in needs],
            [
                VersionDefinition(name, index, is_base, is_weak, tuple(parents))
                for name, index, is_base, is_weak, parents in definitions
            ],
            [Symbol(*symbol) for symbol in symbols],
        ]
    )
