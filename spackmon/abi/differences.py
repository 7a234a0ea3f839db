"""What two builds of a package offer to whatever is linked with the first, and whether that still starts.

Programs bind to sonames, to symbols and to versions. Whatever a library needs itself is `splice`'s question.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from spackmon.abi.files import File
from spackmon.abi.loader import NOT_FOUND, fault_of_library
from spackmon.abi.lookup import definition
from spackmon.abi.reader.elf import Elf
from spackmon.abi.splice import VERSIONED, Verdict
from spackmon.abi.stored import Export, PackedFile, StoredFiles

_SHARED_OBJECT = re.compile(r"\.so(\.|$)")
_VERSION_AT_END = re.compile(r"[-_.]?\d[\d.]*$")
_LINKED_FROM = ("/lib", "/lib64")


class Removed(NamedTuple):
    """A symbol that a library has no more; `served_by` is the file that serves whoever needs it, or None."""

    name: str
    version: str | None
    before: Export
    served_by: str | None


class Changed(NamedTuple):
    """A symbol that is another type of thing, or a variable of another size. The loader goes on."""

    name: str
    version: str | None
    before: Export
    after: Export


class Added(NamedTuple):
    """A symbol that a library had not."""

    name: str
    version: str | None
    after: Export


class Library(NamedTuple):
    """A library of one build; `place` is its path below the prefix, `needed_as` what programs ask for."""

    place: str
    file: PackedFile

    @property
    def soname(self) -> str | None:
        return self.file.elf.soname if self.file.elf else None

    @property
    def needed_as(self) -> str:
        return self.soname or os.path.basename(self.place)

    @property
    def name(self) -> str:
        """The name without a version: `libz` of `libz.so.1`."""
        return _SHARED_OBJECT.split(self.needed_as)[0]


@dataclass
class LibraryDifference:
    """A library of two builds, None where a build has none. `broken` are sentences of what does not start."""

    before: Library | None
    after: Library | None
    removed: list[Removed] = field(default_factory=list)
    added: list[Added] = field(default_factory=list)
    changed: list[Changed] = field(default_factory=list)
    removed_versions: list[str] = field(default_factory=list)
    added_versions: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name without a version."""
        library = self.before or self.after
        return library.name if library else ""

    @property
    def has_soname_changed(self) -> bool:
        """Whether both builds have the library, under other names."""
        return bool(self.before and self.after and self.before.soname != self.after.soname)

    @property
    def verdict(self) -> Verdict:
        """Something that is known to break is not undecided."""
        if self.broken:
            return Verdict.BREAKS
        return Verdict.UNKNOWN if self.undecided else Verdict.WORKS


def differences(files: StoredFiles, before: str, after: str) -> list[LibraryDifference]:
    """Of each library of two prefixes, by name."""
    build = _Build(files, after)
    old, new = _libraries(files, before), _libraries(files, after)
    pairs = _paired(old, new, build)
    found = [_difference(library, pairs.get(library.place), build) for library in old]
    used = {library.place for library in pairs.values()}
    found += [
        LibraryDifference(None, library, added=_added({}, library.file.exports))
        for library in new
        if library.place not in used
    ]
    return sorted(found, key=lambda one: (one.name, (one.before or one.after or new[0]).place))


def unreadable(files: StoredFiles, prefix: str) -> set[str]:
    """What may be a library, and could not be read."""
    paths = files.below(prefix)
    faults = ((path, file.fault) for path in paths if (file := files.at(path)) and file.elf is None)
    return {f"{path}: {fault}" for path, fault in faults}


def loaded_names(elf: Elf) -> list[str]:
    """What is loaded with a file, and serves for it: what a filter stands for too."""
    return [*elf.filters, *elf.auxiliaries, *elf.needed]


class _Build:
    """The build that takes the other's place."""

    def __init__(self, files: StoredFiles, prefix: str) -> None:
        self._files, self._prefix = files, prefix
        self._places: dict[str, list[str]] = {}
        for place in sorted(files.places_below(prefix)):
            self._places.setdefault(os.path.basename(place), []).append(place)

    def named(self, name: str, near: str) -> Library | None:
        """What the loader finds under a name and can load."""
        file = self.at(name, near)
        if not isinstance(file, PackedFile) or fault_of_library(file):
            return None
        return Library(file.identity[len(self._prefix) :], file)

    def at(self, name: str, near: str) -> File | None:
        """What is under a name, rather in the folder of a place."""
        places = self._places.get(name, [])
        nearest = sorted(places, key=lambda one: os.path.dirname(one) != os.path.dirname(near))
        files = (self._files.at(self._prefix + place) for place in nearest)
        return next((file for file in files if file is not None), None)

    def loaded_by(self, library: Library) -> tuple[list[Library], list[str]]:
        """A library and what it needs of this build, and the names that it needs of others."""
        found, elsewhere = {library.place: library}, []
        left = [library]
        while left:
            one = left.pop()
            for name in loaded_names(one.file.elf) if one.file.elf else ():
                other = self.named(name, one.place)
                if other is None:
                    elsewhere.append(name)
                elif other.place not in found:
                    found[other.place] = other
                    left.append(other)
        return list(found.values()), elsewhere


def _libraries(files: StoredFiles, prefix: str) -> list[Library]:
    """What programs are linked with: plugins have no soname and lie elsewhere."""
    found = []
    for path in files.below(prefix):
        file = files.at(path)
        if not isinstance(file, PackedFile) or file.elf is None or file.elf.is_program:
            continue
        place = path[len(prefix) :]
        folder, name = os.path.split(place)
        if file.elf.soname or (folder in _LINKED_FROM and _SHARED_OBJECT.search(name)):
            found.append(Library(place, file))
    return found


def _paired(old: list[Library], new: list[Library], build: _Build) -> dict[str, Library]:
    """The library of the new build for each place of the old one's: that which is loaded, or a namesake."""
    pairs = {}
    for library in old:
        if served := build.named(library.needed_as, library.place):
            pairs[library.place] = served
    keys: tuple[Callable[[Library], str], ...] = (
        lambda one: one.name,
        lambda one: _VERSION_AT_END.sub("", one.name),
    )
    for key in keys:
        used = {library.place for library in pairs.values()}
        left_old = _alone((one for one in old if one.place not in pairs), key)
        left_new = _alone((one for one in new if one.place not in used), key)
        pairs |= {left_old[name].place: left_new[name] for name in left_old.keys() & left_new.keys()}
    return pairs


def _alone(libraries: Iterable[Library], key: Callable[[Library], str]) -> dict[str, Library]:
    """Those that no other one has the key of."""
    found = list(libraries)
    counts = Counter(map(key, found))
    return {key(one): one for one in found if counts[key(one)] == 1}


def _difference(before: Library, after: Library | None, build: _Build) -> LibraryDifference:
    found = LibraryDifference(before, after)
    name = before.needed_as
    file = build.at(name, before.place)
    fault = fault_of_library(file) if file else NOT_FOUND
    if fault and file and file.elf is None:
        found.undecided.append(f"{name}: {fault}")
    elif fault:
        found.broken.append(f"error while loading shared libraries: {name}: {fault}")
    if after is None or before.file.elf is None or after.file.elf is None:
        return found
    old, new = before.file.elf, after.file.elf
    if (old.elf_class, old.machine) != (new.elf_class, new.machine):
        found.broken.append(f"{name}: it is for another class or machine")
    old_exports, new_exports = before.file.exports, after.file.exports
    _compare_versions(found, before.file, after.file, name)
    found.added = _added(old_exports, new_exports)
    found.changed = [
        Changed(*key, one, new_exports[key])
        for key, one in sorted(old_exports.items(), key=_by_key)
        if key in new_exports and new_exports[key] != one
    ]
    if gone := old_exports.keys() - new_exports.keys():
        _add_removed(found, sorted(gone, key=_text), build)
    return found


def _compare_versions(found: LibraryDifference, old: PackedFile, new: PackedFile, name: str) -> None:
    before, after = old.own_versions, new.own_versions
    found.removed_versions, found.added_versions = sorted(before - after), sorted(after - before)
    # Of a file without versions the loader only says so, and goes on.
    if new.elf and new.elf.version_definitions:
        needed = {version for _, version in old.exports}
        found.broken += [
            f"{name}: version `{one}' not found" for one in found.removed_versions if one in needed
        ]


def _add_removed(found: LibraryDifference, gone: list[tuple[str, str | None]], build: _Build) -> None:
    before, after = found.before, found.after
    if before is None or after is None or before.file.elf is None:
        return
    loaded, elsewhere = build.loaded_by(after)
    # What it needed already defined nothing of this: else it was no symbol of the library's.
    known = loaded_names(before.file.elf)
    absent = [one for one in elsewhere if one not in known and not one.startswith(VERSIONED)]
    for key in gone:
        name, version = key
        server = next((one for one in loaded if definition(one.file, name, version, is_call=True)), None)
        served_by = server.needed_as if server else None
        found.removed.append(Removed(name, version, before.file.exports[key], served_by))
        if server is None:
            undefined = f"undefined symbol: {name}" + (f", version {version}" if version else "")
            if version is None and absent:
                found.undecided.append(f"{undefined}, unless {absent[0]} defines it")
            else:
                found.broken.append(f"symbol lookup error: {undefined}")


def _added(
    old: Mapping[tuple[str, str | None], Export], new: Mapping[tuple[str, str | None], Export]
) -> list[Added]:
    return [Added(*key, new[key]) for key in sorted(new.keys() - old.keys(), key=_text)]


def _text(key: tuple[str, str | None]) -> tuple[str, str]:
    return key[0], key[1] or ""


def _by_key(item: tuple[tuple[str, str | None], Export]) -> tuple[str, str]:
    return _text(item[0])
