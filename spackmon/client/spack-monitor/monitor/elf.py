"""The dynamic symbols of programs and libraries, in the shape in which symbolator gives them.

One JSON of a file is a list of corpora: the file itself, then the libraries that it needs and finds by its
own rpath. Those of the system are left out: whatever a library is replaced by needs the same of them.
"""

import os
import struct
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set

_MAXIMUM_FILE_BYTES = 1 << 30
_MAXIMUM_FILES = 2000
_EXECUTABLE, _SHARED = 2, 3
_TYPES = {0: "ET_NONE", 1: "ET_REL", _EXECUTABLE: "ET_EXEC", _SHARED: "ET_DYN", 4: "ET_CORE"}
_MACHINES = {
    3: "EM_386", 8: "EM_MIPS", 20: "EM_PPC", 21: "EM_PPC64", 22: "EM_S390", 40: "EM_ARM", 62: "EM_X86_64",
    183: "EM_AARCH64", 243: "EM_RISCV", 258: "EM_LOONGARCH",
}  # fmt: skip
_DYNAMIC, _DYNSYM, _VERSION_NEEDS, _VERSION_DEFINITIONS, _VERSIONS = 6, 11, 0x6FFFFFFE, 0x6FFFFFFD, 0x6FFFFFFF
_TAGS = {1: "needed", 14: "soname", 15: "rpath", 29: "runpath"}
_SYMBOL_TYPES = {
    0: "NOTYPE",
    1: "OBJECT",
    2: "FUNC",
    3: "SECTION",
    4: "FILE",
    5: "COMMON",
    6: "TLS",
    10: "LOOS",
}
_BINDINGS = {0: "LOCAL", 1: "GLOBAL", 2: "WEAK", 10: "LOOS"}
_VISIBILITIES = {0: "DEFAULT", 1: "INTERNAL", 2: "HIDDEN", 3: "PROTECTED"}
_SECTIONS = {0: "UND", 0xFFF1: "ABS", 0xFFF2: "COMMON"}


class NoElf(Exception):  # noqa: N818 -- says what it is about
    """A file that is no program and no shared library, or a damaged one."""


class _Section(NamedTuple):
    type: int
    offset: int
    size: int
    link: int
    entry_size: int


def findings(prefix: str) -> List[Dict[str, Any]]:
    """The symbols of every program and shared library below `prefix`, as findings of an analyzer."""
    found: List[Dict[str, Any]] = []
    files = _Files()
    for path in sorted(_regular_files(prefix)):
        if len(found) >= _MAXIMUM_FILES:
            break
        own = files.corpus(path)
        if own is not None:
            corpora = [own, *files.needed(path, own)]
            found.append({"name": "symbolator-json", "install_file": path, "json_value": corpora})
    return found


class _Files:
    """Programs and libraries, each read once however many others need it."""

    def __init__(self) -> None:
        self._corpora: Dict[str, Optional[Dict[str, Any]]] = {}

    def corpus(self, path: str) -> Optional[Dict[str, Any]]:
        """What is read of a file; None if it is no program and no library."""
        if path not in self._corpora:
            try:
                self._corpora[path] = corpus(path)
            except (NoElf, OSError):
                self._corpora[path] = None
        return self._corpora[path]

    def needed(self, path: str, of: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
        """The libraries that a file needs and finds by its own rpath, and theirs."""
        seen: Set[str] = set()
        waiting = [(path, of["corpus"])]
        while waiting:
            owner, content = waiting.pop(0)
            for name in content["needed"]:
                library = _in_rpath(name, owner, content["dynamic_tags"])
                if library is None or name in seen:
                    continue
                seen.add(name)
                read = self.corpus(library)
                if read is not None:
                    yield read
                    waiting.append((library, read["corpus"]))


def corpus(path: str) -> Dict[str, Any]:
    """One program or library. Raises NoElf, OSError."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF" or os.fstat(file.fileno()).st_size > _MAXIMUM_FILE_BYTES:
            raise NoElf(path)
        file.seek(0)
        try:
            return {"corpus": _Elf(file.read()).corpus(path)}
        except (struct.error, IndexError, ValueError):
            raise NoElf(path) from None


class _Elf:
    """The tables of one file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._is_64 = content[4] == 2
        self._order = ">" if content[5] == 2 else "<"
        header = "HHIQQQIHHHHHH" if self._is_64 else "HHIIIIIHHHHHH"
        self._header = self._unpack(header, 16)
        self.type, section_offset = self._header[0], self._header[5]
        if self.type not in (_EXECUTABLE, _SHARED):
            raise ValueError("no program and no library")
        size, count = self._header[10:12]
        self._sections = [self._section(section_offset + number * size) for number in range(count)]

    def corpus(self, path: str) -> Dict[str, Any]:
        tags = self._dynamic_tags()
        name = os.path.basename(path)
        metadata = {
            "path": path,
            "corpus_name": name,
            "corpus_soname": tags.get("soname"),
            "corpus_elf_class": "ELFCLASS64" if self._is_64 else "ELFCLASS32",
            "corpus_data_encoding": "ELFDATA2MSB" if self._order == ">" else "ELFDATA2LSB",
            "corpus_elf_type": _TYPES[self.type],
            "corpus_elf_machine": _MACHINES.get(self._header[1], str(self._header[1])),
        }
        return {
            "metadata": {key: value for key, value in metadata.items() if value is not None},
            "needed": tags.get("needed", []),
            "dynamic_tags": tags,
            "symbols": self._symbols(),
        }

    def _symbols(self) -> Dict[str, Dict[str, str]]:
        symbols = {}
        for table in self._of_type(_DYNSYM):
            names = self._sections[table.link]
            versions = self._symbol_versions()
            size = 24 if self._is_64 else 16
            # The first symbol of a table is none.
            for number in range(1, table.size // size):
                at = table.offset + number * size
                if self._is_64:
                    name_at, info, other, section, _, _ = self._unpack("IBBHQQ", at)
                else:
                    name_at, _, _, info, other, section = self._unpack("IIIBBH", at)
                name = self._string(names, name_at)
                if name:
                    symbols[name] = {
                        "version_info": versions.get(number, ""),
                        "type": _SYMBOL_TYPES.get(info & 15, str(info & 15)),
                        "binding": _BINDINGS.get(info >> 4, str(info >> 4)),
                        "visibility": _VISIBILITIES[other & 3],
                        "defined": _SECTIONS.get(section, str(section)),
                    }
        return symbols

    def _symbol_versions(self) -> Dict[int, str]:
        """What stands behind a symbol's name, by the symbol's number: `@GLIBC_2.34 (3)`, `@@ZLIB_1.2`."""
        names = self._version_names()
        versions = {}
        for table in self._of_type(_VERSIONS):
            for number in range(table.size // 2):
                (version,) = self._unpack("H", table.offset + 2 * number)
                if version & 0x7FFF in names:
                    versions[number] = names[version & 0x7FFF]
        return versions

    def _version_names(self) -> Dict[int, str]:
        names = {}
        for table in self._of_type(_VERSION_NEEDS):
            for at in self._chain("HHIII", table.offset):
                _, _, _, first, _ = self._unpack("HHIII", at)
                for needed in self._chain("IHHII", at + first):
                    _, _, version, name, _ = self._unpack("IHHII", needed)
                    names[version] = f"@{self._string(self._sections[table.link], name)} ({version})"
        for table in self._of_type(_VERSION_DEFINITIONS):
            for at in self._chain("HHHHIII", table.offset):
                _, flags, version, _, _, first, _ = self._unpack("HHHHIII", at)
                (name,) = self._unpack("I", at + first)
                # The first definition is the file itself.
                if not flags & 1:
                    names[version] = f"@@{self._string(self._sections[table.link], name)}"
        return names

    def _chain(self, form: str, at: int) -> Iterator[int]:
        """Where the entries of a chain begin, the last number of each of which leads to the next."""
        for _ in range(1 << 16):
            yield at
            step = self._unpack(form, at)[-1]
            if step == 0:
                return
            at += step

    def _dynamic_tags(self) -> Dict[str, Any]:
        tags: Dict[str, Any] = {}
        form, size = ("QQ", 16) if self._is_64 else ("II", 8)
        for table in self._of_type(_DYNAMIC):
            for number in range(table.size // size):
                tag, value = self._unpack(form, table.offset + number * size)
                if tag == 0:
                    break
                if _TAGS.get(tag) == "needed":
                    tags.setdefault("needed", []).append(self._string(self._sections[table.link], value))
                elif tag in _TAGS:
                    tags[_TAGS[tag]] = self._string(self._sections[table.link], value)
        return tags

    def _of_type(self, kind: int) -> Iterator[_Section]:
        return (section for section in self._sections if section.type == kind)

    def _section(self, at: int) -> _Section:
        form = "IIQQQQIIQQ" if self._is_64 else "IIIIIIIIII"
        _, kind, _, _, offset, size, link, _, _, entry_size = self._unpack(form, at)
        return _Section(kind, offset, size, link, entry_size)

    def _string(self, table: _Section, at: int) -> str:
        start = table.offset + at
        end = self._content.index(b"\0", start)
        return self._content[start:end].decode("utf-8", "backslashreplace")

    def _unpack(self, form: str, at: int) -> Any:
        return struct.unpack_from(self._order + form, self._content, at)


def _in_rpath(name: str, owner: str, tags: Dict[str, Any]) -> Optional[str]:
    searched = tags.get("runpath") or tags.get("rpath") or ""
    origin = os.path.dirname(os.path.realpath(owner))
    for directory in searched.split(":"):
        directory = directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
        candidate = os.path.join(os.path.realpath(directory), name)
        if os.path.isabs(directory) and os.path.isfile(candidate):
            return candidate
    return None


def _regular_files(prefix: str) -> Iterator[str]:
    for directory, folders, names in os.walk(prefix):
        if ".spack" in folders:
            folders.remove(".spack")
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.islink(path) and os.path.isfile(path):
                yield path
