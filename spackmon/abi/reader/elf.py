"""What the loader reads of a program or a shared library.

Words are those of the ELF specification without their prefixes: `GLOBAL` for STB_GLOBAL, `FUNC` for STT_FUNC.
"""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# Why a symbol is looked up: by a call, which may wait until it is made; by an address, at the start; to
# copy a variable into the program, at the start and everywhere but in the program itself.
CALL, START, COPY = 1, 2, 4
_LOOKUPS = {CALL: "CALL", START: "START", COPY: "COPY"}

UNDEFINED, ABSOLUTE, COMMON = 0, 0xFFF1, 0xFFF2
_SECTIONS = {UNDEFINED: "UND", ABSOLUTE: "ABS", COMMON: "COMMON"}

_BINDINGS_FOUND = frozenset(("GLOBAL", "WEAK", "GNU_UNIQUE"))
_VISIBILITIES_FOUND = frozenset(("DEFAULT", "PROTECTED"))
_TYPES_FOUND = frozenset(("NOTYPE", "OBJECT", "FUNC", "COMMON", "TLS", "GNU_IFUNC"))

# The codes of `Unreadable`.
ELF_UNKNOWN, ELF_STATIC, ELF_DAMAGED, ELF_TOO_COSTLY = (
    "ELF_UNKNOWN",
    "ELF_STATIC",
    "ELF_DAMAGED",
    "ELF_TOO_COSTLY",
)


class Unreadable(Exception):  # noqa: N818 -- an answer about a file
    """A file whose symbols cannot be read: `code` for programs, `sentence` for people.

    ELF_UNKNOWN: it is no ELF file. ELF_STATIC: it is one that the loader never sees, such as an object file.
    ELF_DAMAGED: the loader would fail too. ELF_TOO_COSTLY: to read it took too much time or memory.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence


class Symbol(NamedTuple):
    """One dynamic symbol.

    `section` is UNDEFINED, ABSOLUTE, COMMON or the index of a section. `version` is None of the base version;
    `version_index` is that of .gnu.version without its hidden bit, 0 without such a table. `lookups` is why
    the file's relocations look the symbol up, of CALL, START and COPY; 0 is never.
    """

    name: str
    binding: str
    type: str
    visibility: str
    section: int
    has_value: bool
    size: int
    version: Optional[str]
    version_index: int
    is_version_hidden: bool
    is_hashed: bool
    lookups: int

    @property
    def is_found(self) -> bool:
        """Whether the loader finds this symbol for others that look its name up (glibc, dl-lookup.c)."""
        if not self.is_hashed or self.visibility not in _VISIBILITIES_FOUND:
            return False
        has_place = (
            self.has_value or self.section == ABSOLUTE or (self.type == "TLS" and self.section != UNDEFINED)
        )
        return has_place and self.binding in _BINDINGS_FOUND and self.type in _TYPES_FOUND

    @property
    def is_copied(self) -> bool:
        """Whether this variable of the program must be defined elsewhere too."""
        return bool(self.lookups & COPY)


class VersionNeed(NamedTuple):
    """A version that some file must define before the loader starts anything; a weak one is only missed."""

    file: str
    version: str
    version_index: int
    is_weak: bool


class VersionDefinition(NamedTuple):
    """A version that a file defines; the base one has the file's own name."""

    version: str
    version_index: int
    is_base: bool
    is_weak: bool
    parents: Tuple[str, ...]


class Elf(NamedTuple):
    """One program or shared library."""

    elf_class: int
    is_little_endian: bool
    machine: int
    type: str
    interpreter: Optional[str]
    soname: Optional[str]
    needed: List[str]
    rpath: Optional[str]
    runpath: Optional[str]
    filters: List[str]
    auxiliaries: List[str]
    flags: List[str]
    has_symbol_versions: bool
    version_needs: List[VersionNeed]
    version_definitions: List[VersionDefinition]
    symbols: List[Symbol]

    @property
    def is_program(self) -> bool:
        """Whether it is started, not loaded. Libraries that can be started, such as libc, have a soname."""
        return self.type == "EXEC" or "PIE" in self.flags or bool(self.interpreter and not self.soname)


def as_json(elf: Elf) -> Dict[str, Any]:
    """What docs/abi.md documents of one file, without its path."""
    return {
        "class": elf.elf_class,
        "byte_order": "little" if elf.is_little_endian else "big",
        "machine": machine_name(elf.machine),
        "type": elf.type,
        "interpreter": elf.interpreter,
        "soname": elf.soname,
        "needed": elf.needed,
        "rpath": elf.rpath,
        "runpath": elf.runpath,
        "filters": elf.filters,
        "auxiliaries": elf.auxiliaries,
        "flags": elf.flags,
        "version_needs": [
            {
                "file": need.file,
                "version": need.version,
                "version_index": need.version_index,
                "is_weak": need.is_weak,
            }
            for need in elf.version_needs
        ],
        "version_definitions": [
            {
                "version": definition.version,
                "version_index": definition.version_index,
                "is_base": definition.is_base,
                "is_weak": definition.is_weak,
                "parents": list(definition.parents),
            }
            for definition in elf.version_definitions
        ],
        "symbols": [_symbol_as_json(symbol) for symbol in elf.symbols],
    }


def _symbol_as_json(symbol: Symbol) -> Dict[str, Any]:
    return {
        "name": symbol.name,
        "binding": symbol.binding,
        "type": symbol.type,
        "visibility": symbol.visibility,
        "section": section_name(symbol.section),
        "is_defined": symbol.section != UNDEFINED,
        "size": symbol.size,
        "version": symbol.version,
        "version_index": symbol.version_index,
        "is_version_hidden": symbol.is_version_hidden,
        "lookups": [word for bit, word in _LOOKUPS.items() if symbol.lookups & bit],
    }


def section_name(section: int) -> str:
    """`UND`, `ABS`, `COMMON`, or the index of a section."""
    return _SECTIONS.get(section, str(section))


def machine_name(machine: int) -> str:
    """`X86_64` for EM_X86_64; the number of a machine that is not listed here."""
    return _MACHINES.get(machine, str(machine))


_MACHINES = {
    2: "SPARC", 3: "386", 4: "68K", 8: "MIPS", 15: "PARISC", 18: "SPARC32PLUS", 20: "PPC", 21: "PPC64",
    22: "S390", 40: "ARM", 42: "SH", 43: "SPARCV9", 50: "IA_64", 62: "X86_64", 183: "AARCH64", 243: "RISCV",
    258: "LOONGARCH", 0x9026: "ALPHA",
}  # fmt: skip
