"""Reading an ELF file as the loader does: from its dynamic segment, never from sections.

Formats: the System V ABI, and the Linux Standard Base for symbol versions and the GNU hash.
"""

import array
import mmap
import os
import stat
import struct
import sys
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from .elf import CALL, COPY, ELF_UNKNOWN, START, Elf, Symbol, Unreadable, VersionDefinition, VersionNeed
from .elf_image import AUXILIARY, FILTER, NEEDED, Image, Table, damaged

_MIPS = 8
_HASH_IS_WIDE = {22, 0x9026}

_PLTRELSZ, _HASH, _STRTAB, _SYMTAB, _RELA, _RELASZ, _RELAENT, _SYMENT = 2, 4, 5, 6, 7, 8, 9, 11
_SONAME, _RPATH, _SYMBOLIC, _REL, _RELSZ, _RELENT, _PLTREL, _JMPREL = 14, 15, 16, 17, 18, 19, 20, 23
_BIND_NOW, _RUNPATH, _FLAGS, _MIPS_SYMTABNO = 24, 29, 30, 0x70000011
_GNU_HASH, _VERSYM, _RELACOUNT, _RELCOUNT = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFF9, 0x6FFFFFFA
_FLAGS_1, _VERDEF, _VERNEED = 0x6FFFFFFB, 0x6FFFFFFC, 0x6FFFFFFE
# Of an empty hash the number of symbols is not to be had; the next of these tables ends theirs.
_TABLES = (_HASH, _STRTAB, _RELA, _REL, _JMPREL, _GNU_HASH, _VERSYM, _VERDEF, _VERNEED)

_FLAG_WORDS = ((1, "ORIGIN"), (2, "SYMBOLIC"), (4, "TEXTREL"), (8, "BIND_NOW"), (16, "STATIC_TLS"))
_FLAG_1_WORDS = (
    (1, "NOW"), (2, "GLOBAL"), (4, "GROUP"), (8, "NODELETE"), (0x20, "INITFIRST"), (0x40, "NOOPEN"),
    (0x80, "ORIGIN"), (0x100, "DIRECT"), (0x400, "INTERPOSE"), (0x800, "NODEFLIB"), (0x1000, "NODUMP"),
    (0x8000000, "PIE"),
)  # fmt: skip

_BINDINGS = {0: "LOCAL", 1: "GLOBAL", 2: "WEAK", 10: "GNU_UNIQUE"}
_SYMBOL_TYPES = {
    0: "NOTYPE", 1: "OBJECT", 2: "FUNC", 3: "SECTION", 4: "FILE", 5: "COMMON", 6: "TLS", 10: "GNU_IFUNC",
}  # fmt: skip
# By st_info.
_BINDING_AND_TYPE = [
    (_BINDINGS.get(info >> 4, str(info >> 4)), _SYMBOL_TYPES.get(info & 15, str(info & 15)))
    for info in range(256)
]
_VISIBILITIES = ("DEFAULT", "INTERNAL", "HIDDEN", "PROTECTED")
_VERSION_INDEX, _VERSION_HIDDEN = 0x7FFF, 0x8000
_IS_BASE, _IS_WEAK = 1, 2

# The number of R_*_COPY by machine.
_COPY_OF = {
    2: 19, 3: 5, 4: 19, 8: 126, 15: 128, 18: 19, 20: 19, 21: 19, 22: 9, 40: 20, 42: 162, 43: 19, 50: 0x84,
    62: 5, 183: 1024, 243: 4, 258: 4, 0x9026: 24,
}  # fmt: skip


def read_file(path: str) -> Elf:
    """One file. Raises Unreadable, and OSError where it cannot be opened."""
    # Of a FIFO the opening would wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            raise Unreadable(ELF_UNKNOWN, "it is empty, or no regular file")
        with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
            return read(content)
    finally:
        os.close(descriptor)


def read(content: Any) -> Elf:
    """One file's bytes, or a map of them. Raises Unreadable."""
    try:
        return _elf(Image(content))
    except struct.error:
        damaged("it ends within a structure")


def _elf(image: Image) -> Elf:
    version_needs = _version_needs(image)
    version_definitions = _version_definitions(image)
    return Elf(
        elf_class=image.elf_class,
        is_little_endian=image.order == "<",
        machine=image.machine,
        type=image.type,
        interpreter=image.interpreter,
        soname=image.named(_SONAME),
        needed=image.all_named(NEEDED),
        rpath=image.named(_RPATH),
        runpath=image.named(_RUNPATH),
        filters=image.all_named(FILTER),
        auxiliaries=image.all_named(AUXILIARY),
        flags=_flags(image.values),
        has_symbol_versions=_VERSYM in image.values,
        version_needs=version_needs,
        version_definitions=version_definitions,
        symbols=_symbols(image, _version_names(version_needs, version_definitions)),
    )


def _flags(values: Dict[int, int]) -> List[str]:
    flags, flags_1 = values.get(_FLAGS, 0), values.get(_FLAGS_1, 0)
    words = {word for bit, word in _FLAG_WORDS if flags & bit}
    words.update(word for bit, word in _FLAG_1_WORDS if flags_1 & bit)
    if _SYMBOLIC in values:
        words.add("SYMBOLIC")
    if _BIND_NOW in values:
        words.add("BIND_NOW")
    return sorted(words)


def _version_needs(image: Image) -> List[VersionNeed]:
    table = image.table(_VERNEED)
    needs: List[VersionNeed] = []
    if table is None:
        return needs
    end = table.offset + table.size
    for at, (_, _, file_at, first, _) in image.chain("HHIII", table.offset, end):
        file = image.name(file_at)
        for _, (_, flags, index, name_at, _) in image.chain("IHHII", at + first, end):
            needs.append(
                VersionNeed(file, image.name(name_at), index & _VERSION_INDEX, bool(flags & _IS_WEAK))
            )
            _refuse_too_many(needs)
    return needs


def _version_definitions(image: Image) -> List[VersionDefinition]:
    table = image.table(_VERDEF)
    definitions: List[VersionDefinition] = []
    if table is None:
        return definitions
    end = table.offset + table.size
    names_left = _VERSION_INDEX
    for at, (_, flags, index, count, _, first, _) in image.chain("HHHHIII", table.offset, end):
        names: List[str] = []
        for _, (name_at, _) in image.chain("II", at + first, end):
            names.append(image.name(name_at))
            if len(names) >= min(count, names_left):
                break
        names_left -= len(names)
        definitions.append(
            VersionDefinition(
                names[0], index & _VERSION_INDEX, bool(flags & _IS_BASE), bool(flags & _IS_WEAK),
                tuple(names[1:]),
            )
        )  # fmt: skip
    return definitions


def _refuse_too_many(versions: List[VersionNeed]) -> None:
    if len(versions) > _VERSION_INDEX:
        damaged("it has more versions than there are numbers for")


def _version_names(needs: List[VersionNeed], definitions: List[VersionDefinition]) -> Dict[int, str]:
    names = {
        definition.version_index: definition.version for definition in definitions if not definition.is_base
    }
    names.update((need.version_index, need.version) for need in needs)
    return names


def _symbols(image: Image, versions: Dict[int, str]) -> List[Symbol]:
    table = image.table(_SYMTAB)
    if table is None:
        return []
    size = image.size_of(image.forms.symbol)
    if image.values.get(_SYMENT, size) != size:
        damaged("its symbols have an unknown size")
    lookups = _lookups(image)
    count, first_hashed = _count(image, table, size)
    count = max(count, max(lookups, default=0) + 1)
    if count * size > table.size:
        damaged("its symbols are not within the file")
    indexes = _version_indexes(image, count)
    # In that architecture the global part of the offset table needs no relocations.
    otherwise = START if image.machine == _MIPS else 0
    symbols = []
    name_of, is_64 = image.name, image.elf_class == 64
    for number, record in enumerate(image.records(image.forms.symbol, table.offset, count)):
        # The first symbol of a table is none.
        if number == 0:
            continue
        if is_64:
            name_at, info, other, section, value, length = record
        else:
            name_at, value, length, info, other, section = record
        binding, kind = _BINDING_AND_TYPE[info]
        index = indexes[number] if indexes else 0
        symbols.append(
            Symbol(
                name_of(name_at), binding, kind, _VISIBILITIES[other & 3], section, value != 0, length,
                versions.get(index & _VERSION_INDEX), index & _VERSION_INDEX, index >= _VERSION_HIDDEN,
                number >= first_hashed, lookups.get(number, 0 if section else otherwise),
            )
        )  # fmt: skip
    return symbols


def _version_indexes(image: Image, count: int) -> Optional[Tuple[int, ...]]:
    table = image.table(_VERSYM)
    if table is None:
        return None
    if 2 * count > table.size:
        damaged("its version indexes are not within the file")
    indexes: Tuple[int, ...] = image.unpack(f"{count}H", table.offset)
    return indexes


def _count(image: Image, symbols: Table, size: int) -> Tuple[int, int]:
    """How many symbols there are as far as the file says it, and the number of the first that others find."""
    gnu_hash, old_hash = image.table(_GNU_HASH), image.table(_HASH)
    if gnu_hash is not None:
        count, first = _count_of_gnu_hash(image, gnu_hash)
        return count or _count_by_place(image, symbols, size), first
    if old_hash is not None:
        is_wide = image.elf_class == 64 and image.machine in _HASH_IS_WIDE
        return image.unpack("QQ" if is_wide else "II", old_hash.offset)[1], 0
    has_count = image.machine == _MIPS and _MIPS_SYMTABNO in image.values
    count = image.values[_MIPS_SYMTABNO] if has_count else _count_by_place(image, symbols, size)
    # Without a hash nothing is found.
    return count, count


def _count_of_gnu_hash(image: Image, table: Table) -> Tuple[int, int]:
    buckets, first, bloom, _ = image.unpack("4I", table.offset)
    buckets_at = 16 + bloom * image.size_of(image.forms.word)
    chains_at = buckets_at + 4 * buckets
    if chains_at > table.size:
        damaged("its hash is not within the file")
    last = max(_words(image, table.offset + buckets_at, buckets), default=0)
    if last == 0:
        return 0, first
    if last < first:
        damaged("its hash contradicts itself")
    words = _words_to_end(image, table.offset + chains_at + 4 * (last - first), table.offset + table.size)
    # The last symbol of a chain has the lowest bit.
    end = next((number for number, word in enumerate(words, last) if word & 1), None)
    if end is None:
        damaged("its hash does not end")
    return end + 1, first


def _words_to_end(image: Image, at: int, end: int) -> Iterator[int]:
    while at + 4 <= end:
        words = _words(image, at, min(1024, (end - at) // 4))
        yield from words
        at += 4 * len(words)


def _words(image: Image, at: int, count: int) -> "array.array[int]":
    words = array.array("I")
    words.frombytes(image.content[at : at + 4 * count])
    if (image.order == "<") != (sys.byteorder == "little"):
        words.byteswap()
    return words


def _count_by_place(image: Image, symbols: Table, size: int) -> int:
    start = image.values[_SYMTAB]
    later = [image.values[tag] for tag in _TABLES if image.values.get(tag, 0) > start]
    return (min([*later, start + symbols.size]) - start) // size


def _lookups(image: Image) -> Dict[int, int]:
    """Why relocations look a symbol up, by its number."""
    lookups: Dict[int, int] = {}
    values = image.values
    copy = _COPY_OF.get(image.machine)
    is_rela = values.get(_PLTREL) == _RELA
    relocations = [
        (START, _relocations(image, _RELA, _RELASZ, values.get(_RELACOUNT, 0), True)),
        (START, _relocations(image, _REL, _RELSZ, values.get(_RELCOUNT, 0), False)),
        (CALL, _relocations(image, _JMPREL, _PLTRELSZ, 0, is_rela)),
    ]
    for why, all_information in relocations:
        for information in all_information:
            number, kind = _of_relocation(image, information)
            if number:
                lookups[number] = lookups.get(number, 0) | (COPY if kind == copy else why)
    return lookups


def _relocations(image: Image, tag: int, size_tag: int, relative: int, with_addend: bool) -> Set[int]:
    """r_info of all but the first `relative` ones, which name no symbol."""
    bytes_said = image.values.get(size_tag, 0)
    table = image.table(tag) if bytes_said else None
    if table is None:
        return set()
    form = image.forms.relocation + (image.forms.addend if with_addend else "")
    size = image.size_of(form)
    # Those of calls have no size of their own.
    if tag != _JMPREL and image.values.get(_RELAENT if with_addend else _RELENT, size) != size:
        damaged("its relocations have an unknown size")
    count = bytes_said // size
    if count * size > table.size:
        damaged("its relocations are not within the file")
    begin = min(relative, count)
    records = image.records(form, table.offset + begin * size, count - begin)
    return {information for (information,) in records}


def _of_relocation(image: Image, information: int) -> Tuple[int, int]:
    """The number of the symbol, and the type of the relocation."""
    if image.elf_class == 32:
        return information >> 8, information & 0xFF
    if image.machine == _MIPS and image.order == "<":
        return information & 0xFFFFFFFF, information >> 56
    return information >> 32, information & 0xFFFFFFFF
