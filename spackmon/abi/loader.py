"""Which files the loader maps into a process, and in which order it searches them.

The rules are those of glibc (dl-load.c, dl-deps.c).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from spackmon.abi.files import File, Files
from spackmon.abi.reader.elf import Elf

NOT_FOUND = "cannot open shared object file: No such file or directory"


@dataclass(frozen=True)
class System:
    """Where a loader looks last, and what it may put for $LIB and $PLATFORM in a path.

    `by_name` is its cache, after which it looks into `directories`. What is not found there is nowhere; but
    where `looked_for` is not None, names that are not in it may be somewhere.
    """

    directories: tuple[str, ...]
    library_words: tuple[str, ...]
    platform_words: tuple[str, ...]
    by_name: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    looked_for: frozenset[str] | None = None

    def knows(self, name: str) -> bool:
        """Whether a library of this name, where it is not found, is not there."""
        return self.looked_for is None or name in self.looked_for


@dataclass(frozen=True)
class Layout:
    """How the files of packages lie: `moved` leads from a prefix to the one in its place.

    `library_path` are the directories of LD_LIBRARY_PATH.
    """

    moved: tuple[tuple[str, str], ...] = ()
    library_path: tuple[str, ...] = ()

    def place(self, path: str) -> str:
        """Where a path leads that was written before the prefix moved."""
        for old, new in self.moved:
            if is_below(path, old):
                return new + path[len(old) :]
        return path


def is_below(path: str, prefix: str) -> bool:
    """Whether a path is a prefix or within it."""
    return path == prefix or path.startswith(prefix + "/")


@dataclass(eq=False)
class Loaded:
    """A file in a process: `names` are those that it was asked for by, `loader` who asked first."""

    path: str
    file: File
    elf: Elf
    loader: "Loaded | None"
    names: set[str]
    origin: str

    @property
    def file_name(self) -> str:
        """As the loader names it."""
        return os.path.basename(self.path)

    def is_named(self, name: str) -> bool:
        """Whether a need of this name is satisfied by what is loaded already."""
        return name in self.names or self.elf.soname == name


@dataclass(frozen=True)
class Missing:
    """A library that cannot be loaded; `reason` in the loader's words, or ours if we cannot read it."""

    consumer: Loaded
    library: str
    reason: str
    is_unread: bool = False


@dataclass
class Process:
    """What is loaded: `scope` in the order of the search for symbols; the first is the root."""

    root: Loaded
    host: "Process | None" = None
    scope: list[Loaded] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    served: list[tuple[Loaded, str, Loaded]] = field(default_factory=list)

    @property
    def all_loaded(self) -> list[Loaded]:
        """Those of the host first: its scope is searched first as well."""
        return self.scope if self.host is None else [*self.host.all_loaded, *self.scope]

    @property
    def all_served(self) -> list[tuple[Loaded, str, Loaded]]:
        """Who asks for which name, and what serves it, of the host too."""
        return self.served if self.host is None else [*self.host.all_served, *self.served]

    @property
    def all_missing(self) -> list[Missing]:
        """What is missing, of the host too."""
        return self.missing if self.host is None else [*self.host.all_missing, *self.missing]

    @property
    def main(self) -> Loaded:
        """The program."""
        return self.root if self.host is None else self.host.main


class Loader:
    """Loads programs, and plugins into programs, from `files` that lie as `layout` says."""

    def __init__(self, files: Files, system: System, layout: Layout) -> None:
        self._files = files
        self._system = system
        self._layout = layout

    def load(self, path: str, host: Process | None = None) -> Process | None:
        """The process of a program, or of what `host` opens; None where the file itself cannot be loaded."""
        file = self._files.at(path)
        if file is None or file.elf is None:
            return None
        caller = None if host is None else host.root
        root = Loaded(path, file, file.elf, caller, {path}, os.path.dirname(path))
        process = Process(root, host, [root])
        done: set[Loaded] = set()
        at = 0
        while at < len(process.scope):
            current = process.scope[at]
            if current in done:
                at += 1
                continue
            done.add(current)
            for name in current.elf.needed:
                self._need(process, current, name)
            for name in [*current.elf.filters, *current.elf.auxiliaries]:
                self._filter(process, current, name, is_needed=name in current.elf.filters)
        return process

    def _need(self, process: Process, consumer: Loaded, name: str) -> None:
        found = self._found(process, consumer, name)
        if isinstance(found, Missing):
            process.missing.append(found)
            return
        process.served.append((consumer, name, found))
        if found not in process.all_loaded:
            process.scope.append(found)

    def _filter(self, process: Process, filtering: Loaded, name: str, *, is_needed: bool) -> None:
        """What a filter stands for is searched before it."""
        found = self._found(process, filtering, name)
        if isinstance(found, Missing):
            if is_needed:
                process.missing.append(found)
            return
        process.served.append((filtering, name, found))
        place = process.scope.index(filtering)
        if found in process.scope[:place] or (process.host and found in process.host.all_loaded):
            return
        if found in process.scope:
            process.scope.remove(found)
        process.scope.insert(place, found)

    def _found(self, process: Process, consumer: Loaded, name: str) -> Loaded | Missing:
        """What a need of a name leads to, or why it leads nowhere."""
        for loaded in process.all_loaded:
            if loaded.is_named(name):
                loaded.names.add(name)
                return loaded
        reason = NOT_FOUND
        for path in self._candidates(process, consumer, name):
            file = self._files.at(path)
            if file is None:
                continue
            elf = file.elf
            if elf is not None and not _is_alike(elf, process.main.elf):
                # In a search it is passed over; a path is not searched for.
                reason = "wrong ELF class" if "/" in name else NOT_FOUND
                continue
            fault = fault_of_library(file)
            if fault:
                return Missing(consumer, name, fault, is_unread=not file.is_readable)
            return self._mapped(process, consumer, name, path, file)
        return Missing(consumer, name, reason)

    def _mapped(self, process: Process, consumer: Loaded, name: str, path: str, file: File) -> Loaded:
        for loaded in process.all_loaded:
            if loaded.file.identity == file.identity:
                loaded.names.add(name)
                return loaded
        assert file.elf is not None  # noqa: S101 -- what has none has a fault
        return Loaded(path, file, file.elf, consumer, {name}, os.path.dirname(path))

    def _candidates(self, process: Process, consumer: Loaded, name: str) -> Iterator[str]:
        if "/" in name:
            yield from self._expanded(name, consumer)
            return
        for directory in self._directories(process, consumer):
            yield f"{directory}/{name}"
        if "NODEFLIB" not in consumer.elf.flags:
            yield from self._system.by_name.get(name, ())
            yield from (f"{directory}/{name}" for directory in self._system.directories)

    def _directories(self, process: Process, consumer: Loaded) -> Iterator[str]:
        """DT_RPATH counts for whatever an object loads, DT_RUNPATH for its own needs alone."""
        if consumer.elf.runpath is None:
            asking: Loaded | None = consumer
            seen = set()
            while asking is not None:
                seen.add(asking)
                if asking.elf.runpath is None:
                    yield from self._expanded_all(asking.elf.rpath, asking)
                asking = asking.loader
            if process.main not in seen and process.main.elf.runpath is None:
                yield from self._expanded_all(process.main.elf.rpath, process.main)
        yield from self._layout.library_path
        yield from self._expanded_all(consumer.elf.runpath, consumer)

    def _expanded_all(self, search: str | None, owner: Loaded) -> Iterator[str]:
        for directory in (search or "").split(":"):
            if directory:
                yield from self._expanded(directory, owner)

    def _expanded(self, path: str, owner: Loaded) -> Iterator[str]:
        path = path.replace("${ORIGIN}", owner.origin).replace("$ORIGIN", owner.origin)
        for library in self._system.library_words if "LIB" in path else ("",):
            for machine in self._system.platform_words if "PLATFORM" in path else ("",):
                expanded = path.replace("${LIB}", library).replace("$LIB", library)
                expanded = expanded.replace("${PLATFORM}", machine).replace("$PLATFORM", machine)
                yield self._layout.place(os.path.normpath(expanded))


def _is_alike(library: Elf, program: Elf) -> bool:
    return library.elf_class == program.elf_class and library.machine == program.machine


def fault_of_library(file: File) -> str:
    """Why the loader stops at a file that is needed; "" where it does not."""
    if file.elf is None:
        return file.fault
    if file.elf.type == "EXEC":
        return "cannot dynamically load executable"
    if "PIE" in file.elf.flags:
        return "cannot dynamically load position-independent executable"
    return ""
