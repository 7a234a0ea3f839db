"""The bytes of an ELF file as the loader maps them: segments, the dynamic segment and its names.

Nothing that a file says of itself is trusted: every count ends where the file does, and every table in
which entries point to the next has a limit.
"""

import struct
from typing import Any, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Tuple

from .elf import ELF_DAMAGED, ELF_STATIC, ELF_UNKNOWN, Unreadable

_MAXIMUM_DYNAMIC_ENTRIES = 1 << 16
# The index of a version has 15 bits.
_MAXIMUM_CHAIN = 1 << 15
_MAXIMUM_NAME_BYTES = 1 << 16
# Names may share their ends, which compilers use little; a hostile file would make all of them of one.
_NAMES_PER_BYTE = 4
_NAMES_FREE_BYTES = 1 << 20

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_TYPES = {2: "EXEC", 3: "DYN"}
_STRTAB, _STRSZ = 5, 10
NEEDED, AUXILIARY, FILTER = 1, 0x7FFFFFFD, 0x7FFFFFFF


class Forms(NamedTuple):
    """The shapes of structures in one of the two classes, without the byte order."""

    header: str
    segment: str
    dynamic: str
    symbol: str
    relocation: str
    addend: str
    word: str


_FORMS = {
    1: Forms("HHIIIIIHHHHHH", "8I", "iI", "IIIBBH", "4xI", "4x", "I"),
    2: Forms("HHIQQQIHHHHHH", "IIQQQQQQ", "qQ", "IBBHQQ", "8xQ", "8x", "Q"),
}


class _Segment(NamedTuple):
    offset: int
    address: int
    size: int


class Table(NamedTuple):
    """What begins where an address points, and ends no later than its segment."""

    offset: int
    size: int


def damaged(sentence: str) -> NoReturn:
    """Refuse the file. Raises Unreadable."""
    raise Unreadable(ELF_DAMAGED, sentence)


class Image:
    """One file. Raises Unreadable, or struct.error where it ends within a structure.

    `values` are the entries of the dynamic segment by tag, `lists` those of which there may be several.
    """

    def __init__(self, content: Any) -> None:
        self.content = content
        if content[:4] != b"\x7fELF":
            raise Unreadable(ELF_UNKNOWN, "it does not begin as an ELF file")
        if len(content) < 16:
            damaged("it ends within its header")
        if content[4] not in _FORMS or content[5] not in (1, 2):
            damaged("its class or byte order is unknown")
        self.elf_class: int = 32 * content[4]
        self.forms = _FORMS[content[4]]
        self.order = "<" if content[5] == 1 else ">"
        header = self.unpack(self.forms.header, 16)
        self.machine: int = header[1]
        if header[0] not in _TYPES:
            raise Unreadable(ELF_STATIC, "it is neither a program nor a shared library")
        self.type = _TYPES[header[0]]
        self.interpreter: Optional[str] = None
        self.lists: Dict[int, List[int]] = {NEEDED: [], AUXILIARY: [], FILTER: []}
        self.values: Dict[int, int] = {}
        self._loaded: List[_Segment] = []
        self._read_dynamic(self._read_segments(header[4], header[8], header[9]))
        self._names = self._read_names()
        self._name_bytes_left = _NAMES_PER_BYTE * len(self._names) + _NAMES_FREE_BYTES

    def unpack(self, form: str, at: int) -> Any:
        """The numbers of a structure at an offset of the file."""
        return struct.unpack_from(self.order + form, self.content, at)

    def records(self, form: str, at: int, count: int) -> Iterator[Tuple[Any, ...]]:
        """`count` structures, one after another."""
        form = self.order + form
        return struct.iter_unpack(form, self.content[at : at + struct.calcsize(form) * count])

    def size_of(self, form: str) -> int:
        """The bytes of a structure."""
        return struct.calcsize(self.order + form)

    def table(self, tag: int) -> Optional[Table]:
        """The table that the dynamic segment names, None where it names none."""
        return self._table_at(self.values[tag]) if tag in self.values else None

    def name(self, at: int) -> str:
        """The name at an offset of the table of names; bytes that are no UTF-8 are escaped."""
        end = self._names.find(b"\0", at, at + _MAXIMUM_NAME_BYTES)
        if end < 0:
            damaged("a name is not within the table of names, or has more than 65,535 bytes")
        self._name_bytes_left -= end - at
        if self._name_bytes_left < 0:
            damaged("the names overlap")
        return _decoded(self._names[at:end])

    def named(self, tag: int) -> Optional[str]:
        """The name that an entry of the dynamic segment holds."""
        return self.name(self.values[tag]) if tag in self.values else None

    def all_named(self, tag: int) -> List[str]:
        """The names of an entry that may stand there several times, in order."""
        return [self.name(at) for at in self.lists[tag]]

    def chain(self, form: str, at: int, end: int) -> Iterator[Tuple[int, Any]]:
        """Where each entry of a chain is, and what; its last number leads to the next entry."""
        size = self.size_of(form)
        for _ in range(_MAXIMUM_CHAIN):
            if at + size > end:
                damaged("its versions are not within the file")
            entry = self.unpack(form, at)
            yield at, entry
            if entry[-1] == 0:
                return
            at += entry[-1]
        damaged("its table of versions does not end")

    def _read_segments(self, offset: int, size: int, count: int) -> _Segment:
        form = self.forms.segment
        if count and size != self.size_of(form):
            damaged("its program headers have an unknown size")
        if offset + size * count > len(self.content):
            damaged("its program headers are not within the file")
        dynamic = None
        for header in self.records(form, offset, count):
            if self.elf_class == 64:
                kind, _, at, address, _, length, _, _ = header
            else:
                kind, at, address, _, length, _, _, _ = header
            segment = _Segment(at, address, max(0, min(length, len(self.content) - at)))
            if kind == _LOAD:
                self._loaded.append(segment)
            elif kind == _DYNAMIC:
                dynamic = segment
            elif kind == _INTERPRETER and segment.size <= _MAXIMUM_NAME_BYTES:
                self.interpreter = _decoded(self.content[at : at + segment.size].partition(b"\0")[0])
        if dynamic is None:
            raise Unreadable(ELF_STATIC, "it has no dynamic segment")
        return dynamic

    def _read_dynamic(self, dynamic: _Segment) -> None:
        form = self.forms.dynamic
        # The program headers of debug information are those of the file that it was taken from.
        if dynamic.size < self.size_of(form):
            raise Unreadable(ELF_STATIC, "its dynamic segment is empty")
        at, available = self._table_at(dynamic.address)
        count = min(min(available, dynamic.size) // self.size_of(form), _MAXIMUM_DYNAMIC_ENTRIES)
        for tag, value in self.records(form, at, count):
            if tag == 0:
                return
            if tag in self.lists:
                self.lists[tag].append(value)
            else:
                self.values[tag] = value
        if count == _MAXIMUM_DYNAMIC_ENTRIES:
            damaged("its dynamic segment does not end")

    def _read_names(self) -> bytes:
        table = self.table(_STRTAB)
        if table is None:
            return b""
        size = min(self.values.get(_STRSZ, table.size), table.size)
        names: bytes = self.content[table.offset : table.offset + size]
        return names

    def _table_at(self, address: int) -> Table:
        for segment in self._loaded:
            distance = address - segment.address
            if 0 <= distance < segment.size:
                return Table(segment.offset + distance, segment.size - distance)
        damaged(f"its dynamic segment points to {address:#x}, which is not within the file")


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
