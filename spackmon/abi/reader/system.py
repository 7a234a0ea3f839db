"""The libraries of the system: where the loader of this machine finds them, and which of them files need."""

import glob
import hashlib
import mmap
import os
import platform
import struct
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from .elf import Elf, Unreadable
from .packed import pack

_CACHE, _CONFIGURATION = "/etc/ld.so.cache", "/etc/ld.so.conf"
_RELEASES = ("/etc/os-release", "/usr/lib/os-release")
_ALWAYS = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]
# What Spack leaves in a prefix; a home directory has `.spack`, too.
_SPECS = ("spec.json", "spec.yaml")
_MAXIMUM_INCLUDES = 8
_MAXIMUM_CACHE_BYTES = 64 << 20
_MAXIMUM_RELEASE_BYTES = 64 << 10
_MAXIMUM_LIBRARIES = 500
_MAGIC = b"glibc-ld.so.cache1.1"
# The magic is followed by these: entries, bytes of names, flags, and what is not read here.
_HEADER = struct.Struct("=20sII20x")
# What it is for, its name and path from the header on, and the processors that it is for.
_ENTRY = struct.Struct("=iIIIQ")


class Places(NamedTuple):
    """Where the loader looks last: its cache, and after it the directories."""

    by_name: Dict[str, List[str]]
    directories: List[str]

    def of(self, name: str) -> List[str]:
        """The paths at which a library of a name is looked for, in order."""
        return [*self.by_name.get(name, ()), *(f"{directory}/{name}" for directory in self.directories)]


class Host(NamedTuple):
    """ID and VERSION_ID of os-release, "" where a machine does not say them, and the processor's family."""

    os: str
    os_version: str
    architecture: str


class HostLibrary(NamedTuple):
    """A library of the system.

    `name` is what it is needed as, None where a search path or a whole path leads to it. `sha256` is of the
    file, `content` what `pack` makes of it.
    """

    path: str
    name: Optional[str]
    sha256: str
    content: bytes


class _Read(NamedTuple):
    elf: Elf
    sha256: str
    content: bytes


class SystemLibraries:
    """Finds what files need outside of every prefix of Spack; each file is read once."""

    def __init__(self, read: Callable[[str], Elf], places: Optional[Places] = None) -> None:
        self._read = read
        self._places = this_machines() if places is None else places
        self._known: Dict[str, Optional[_Read]] = {}
        self._is_of_spack: Dict[str, bool] = {}

    def needed_by(self, files: Iterable[Tuple[str, Elf]]) -> List[HostLibrary]:
        """The libraries that files, given with their paths, need, and that those need, by path.

        Those that a file needs by name are looked for even if a prefix has them: what takes the prefix's
        place may have them no more.
        """
        found: Dict[str, HostLibrary] = {}
        seen: Set[Tuple[str, str]] = set()
        waiting = list(files)
        while waiting and len(found) < _MAXIMUM_LIBRARIES:
            path, elf = waiting.pop()
            for name in [*elf.needed, *elf.filters, *elf.auxiliaries]:
                searched = "" if "/" in name else elf.runpath or elf.rpath or ""
                if (name, searched) in seen:
                    continue
                seen.add((name, searched))
                for library in self._libraries(name, searched, path, elf):
                    if library.path not in found:
                        found[library.path] = library
                        known = self._known[library.path]
                        if known is not None:
                            waiting.append((library.path, known.elf))
        return [found[path] for path in sorted(found)]

    def _libraries(self, name: str, searched: str, owner: str, of: Elf) -> Iterator[HostLibrary]:
        """What the search path of a file leads to, and what the system has for everybody."""
        if "/" in name:
            searches: List[Tuple[Optional[str], List[str]]] = [(None, [name])]
        else:
            searches = [
                (None, [f"{directory}/{name}" for directory in self._expanded(searched, owner)]),
                (name, self._places.of(name)),
            ]
        for needed_as, paths in searches:
            for path in paths:
                if needed_as is None and self._is_of_a_prefix(os.path.dirname(path)):
                    continue
                known = self._at(path)
                if known and (known.elf.elf_class, known.elf.machine) == (of.elf_class, of.machine):
                    yield HostLibrary(path, needed_as, known.sha256, known.content)
                    break

    def _expanded(self, searched: str, owner: str) -> Iterator[str]:
        origin = os.path.dirname(owner)
        for directory in searched.split(":"):
            expanded = directory.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)
            if expanded.startswith("/") and "$" not in expanded:
                yield os.path.normpath(expanded)

    def _is_of_a_prefix(self, directory: str) -> bool:
        """Whether Spack installed what is in a directory: such files are reported with their own spec."""
        if directory not in self._is_of_spack:
            above = os.path.dirname(directory)
            metadata = os.path.join(directory, ".spack")
            is_prefix = any(
                os.path.exists(os.path.join(metadata, name)) for name in ("spec.json", "spec.yaml")
            )
            self._is_of_spack[directory] = is_prefix or (above != directory and self._is_of_a_prefix(above))
        return self._is_of_spack[directory]

    def _at(self, path: str) -> Optional[_Read]:
        if path not in self._known:
            try:
                elf = self._read(path)
                self._known[path] = _Read(elf, _sha256(path), pack(elf))
            except (Unreadable, OSError, ValueError):
                self._known[path] = None
        return self._known[path]


def this_host() -> Host:
    """The machine that this runs on."""
    facts: Dict[str, str] = {}
    for path in _RELEASES:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read(_MAXIMUM_RELEASE_BYTES).splitlines()
        except OSError:
            continue
        facts = {name: value.strip("\"'") for name, _, value in (line.partition("=") for line in lines)}
        break
    return Host(facts.get("ID", ""), facts.get("VERSION_ID", ""), platform.machine())


def this_machines() -> Places:
    """Where the loader of this machine looks last; without a cache, what a cache would be made of."""
    try:
        with open(_CACHE, "rb") as file:
            cached = read_cache(file.read(_MAXIMUM_CACHE_BYTES))
    except OSError:
        cached = {}
    if cached:
        return Places(cached, list(_ALWAYS))
    return Places({}, list(dict.fromkeys([*_configured(_CONFIGURATION, _MAXIMUM_INCLUDES), *_ALWAYS])))


def read_cache(content: bytes) -> Dict[str, List[str]]:
    """The paths of libraries by name, in the loader's order; nothing of what is no cache of glibc.

    Those for some processors alone are left out: the others have the same symbols.
    """
    start = content.find(_MAGIC)
    paths: Dict[str, List[str]] = {}
    if start < 0 or len(content) < start + _HEADER.size:
        return paths
    _, count, _ = _HEADER.unpack_from(content, start)
    first = start + _HEADER.size
    count = min(count, (len(content) - first) // _ENTRY.size)
    for _, name_at, path_at, _, processors in _ENTRY.iter_unpack(
        content[first : first + count * _ENTRY.size]
    ):
        name, path = _text(content, start + name_at), _text(content, start + path_at)
        if name and path.startswith("/") and not processors:
            paths.setdefault(name, []).append(path)
    return paths


def _text(content: bytes, at: int) -> str:
    end = content.find(b"\0", at, at + 4096)
    return os.fsdecode(content[at:end]) if end >= 0 else ""


def _configured(path: str, includes_left: int) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        words = line.partition("#")[0].split()
        if words[:1] == ["include"] and includes_left:
            for pattern in words[1:]:
                for included in sorted(glob.glob(os.path.join(os.path.dirname(path), pattern))):
                    yield from _configured(included, includes_left - 1)
        elif words and words[0].startswith("/"):
            yield words[0].rstrip("/")


def _sha256(path: str) -> str:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return hashlib.sha256(content).hexdigest()
