"""Specs with what is stored of their files, read of the facts that `installed` selects."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from spackmon.abi.files import File
from spackmon.abi.loader import System
from spackmon.abi.reader.elf import Elf
from spackmon.abi.reader.packed import unpack_head, unpack_symbols
from spackmon.abi.stored import UNKNOWN_SYSTEM, PackedFile, StoredFiles, SymbolTable
from spackmon.abi.trials import Packages
from spackmon.graph.spec import Deptype
from spackmon.query.abi.hosts import Hosts, Identity
from spackmon.query.abi.installed import MOST_FILES
from spackmon.recent import Recent

_UNREADABLE = "what is stored of it cannot be read"
LOADED = (Deptype.LINK | Deptype.RUN).value
"""The bits of the edges along which the loader goes."""


@dataclass
class Installation:
    """A spec; `prefix` is None where nothing was read of any build of it. `paths` are its ELF files."""

    id: int
    hash: str
    name: str
    version: str
    is_external: bool = False
    prefix: str | None = None
    paths: list[str] = field(default_factory=list)
    is_cut: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it has ELF files that are known."""
        return self.prefix is not None and bool(self.paths)


@dataclass(frozen=True, eq=False)
class Site:
    """Where the loader looks: the files of all prefixes, and of a machine's system where one is known."""

    files: StoredFiles
    system: System
    host: Identity | None = None

    def host_image(self) -> dict[str, str] | None:
        """The schema's HostImage."""
        return self.host and dict(zip(("os", "osVersion", "architecture"), self.host, strict=True))


class Installed:
    """All specs of the facts; `files` are theirs."""

    def __init__(self, facts: Any) -> None:
        self._facts = facts
        self.specs = {one[0]: Installation(*one) for one in facts["specs"]}
        for spec_id, prefix in facts["builds"]:
            self.specs[spec_id].prefix = prefix
        self._below: dict[int, set[int]] = defaultdict(set)
        self._loaded: dict[int, set[int]] = defaultdict(set)
        for parent, child, deptypes in facts["edges"]:
            self._below[parent].add(child)
            if deptypes & LOADED:
                self._loaded[parent].add(child)
        self._own_files, self._links = self._read_files(), self._read_links()
        self.files = StoredFiles(self._own_files, self._links)
        self._sites: dict[tuple[int | None, bool], Site] = {}

    def named(self, group: str) -> list[Installation]:
        """The specs that were asked for by this name, the newest first."""
        found = (one for one in self._facts[group] if one in self.specs)
        return [self.specs[one] for one in sorted(found, reverse=True)]

    def graph(self, root: Installation) -> list[Installation]:
        """A spec and all below it, itself first."""
        return [self.specs[one] for one in _reached(root.id, self._below) if one in self.specs]

    def site(self, *roots: Installation) -> Site:
        """Where the loader looks that starts what is below some specs, on the machine of the first.

        Nothing is known of a name that nobody looked for there, or that may be one of a spec below them
        whose files nobody read.
        """
        specs = [one for root in roots for one in _reached(root.id, self._loaded)]
        # Of an external spec the system has the files.
        is_complete = all(
            one in self.specs and (self.specs[one].is_external or self.specs[one].prefix is not None)
            for one in specs
        )
        key = (self._hosts.of(specs), is_complete)
        if key not in self._sites:
            self._sites[key] = self._site(*key)
        return self._sites[key]

    def _site(self, image_id: int | None, is_complete: bool) -> Site:
        if image_id is None:
            return Site(self.files, UNKNOWN_SYSTEM)
        host = self._hosts.host(image_id)
        files = {
            path: self._file(path, elf_file_id, None, identity=f"system {elf_file_id}")
            for path, elf_file_id in host.elf_files.items()
        }
        system = host.system if is_complete else replace(host.system, looked_for=frozenset())
        return Site(StoredFiles(files | self._own_files, self._links), system, host.identity)

    @cached_property
    def _hosts(self) -> Hosts:
        names: dict[int, set[str]] = defaultdict(set)
        for spec in self.specs.values():
            for path in spec.paths:
                elf = self._own_files[path].elf
                if elf is not None:
                    names[spec.id].update(elf.needed, elf.filters, elf.auxiliaries)
        return Hosts(self._facts, names)

    def prefixes(self, root: Installation) -> tuple[str, ...]:
        """Those of what a spec depends on."""
        return tuple(one.prefix for one in self.graph(root) if one.prefix and one is not root)

    def dependents(self, root: Installation, of: Installation) -> list[Installation]:
        """Those of a graph from which edges lead to `of`."""
        graph = self.graph(root)
        found = {of.id}
        while more := {one.id for one in graph if one.id not in found and self._below[one.id] & found}:
            found |= more
        return [one for one in graph if one.id in found and one.id != of.id]

    def used_by(self, spec: Installation) -> list[Installation]:
        """What a spec itself links or runs."""
        return [self.specs[one] for one in sorted(self._loaded[spec.id]) if one in self.specs]

    def uses(self, spec: Installation, package: str) -> list[Installation]:
        """The specs of a package that a spec itself links or runs."""
        return [one for one in self.used_by(spec) if one.name == package]

    def packages(
        self,
        consumers: Iterable[Installation],
        replaced: Installation,
        replacement: Installation,
        graph: Iterable[Installation],
    ) -> Packages:
        """The prefixes of a splice; `replaced` and `replacement` have one."""
        judged = [one for one in consumers if one.prefix is not None]
        apart = {replaced.id, replacement.id, *(one.id for one in judged)}
        others = dict.fromkeys(
            one.prefix for one in (*graph, *self.graph(replacement)) if one.prefix and one.id not in apart
        )
        return Packages(
            consumers=tuple(one.prefix for one in judged if one.prefix),
            replaced=(replaced.prefix or "",),
            replacement=replacement.prefix or "",
            others=tuple(others),
        )

    def unknown(self, consumers: Collection[Installation]) -> set[str]:
        """Why what is judged of these may be less than there is."""
        found = {f"no symbols are known of {one.name}" for one in consumers if one.prefix is None}
        return found | {f"{one.prefix}: it has more files than are read" for one in consumers if one.is_cut}

    def _read_files(self) -> dict[str, File]:
        files: dict[str, File] = {}
        for spec_id, path, elf_file_id, value in self._facts["files"]:
            spec = self.specs[spec_id]
            spec.is_cut |= len(spec.paths) >= MOST_FILES
            spec.paths.append(path)
            files[path] = self._file(path, elf_file_id, value)
        return files

    def _read_links(self) -> dict[str, str]:
        links: dict[str, str] = {}
        counts: dict[int, int] = defaultdict(int)
        for spec_id, path, destination in self._facts["links"]:
            links[path] = destination
            counts[spec_id] += 1
            self.specs[spec_id].is_cut |= counts[spec_id] > MOST_FILES
        return links

    def _file(
        self, path: str, elf_file_id: int | None, value: str | None, identity: str | None = None
    ) -> File:
        if elf_file_id is None:
            return File(path, None, _UNREADABLE if value is None else value)
        head, table = self._elves[elf_file_id]
        if head is None or table is None:
            return File(path, None, _UNREADABLE)
        return PackedFile(identity or path, head, table)

    @cached_property
    def _elves(self) -> Mapping[int, tuple[Elf | None, SymbolTable | None]]:
        tables = {one: _table(content) for one, content in self._facts["sets"]}
        return {one: (_head(content), tables[set_id]) for one, set_id, content in self._facts["elves"]}


def _head(content: str) -> Elf | None:
    try:
        return unpack_head(bytes.fromhex(content))
    except ValueError:
        return None


_TABLES = Recent(64 << 20)
"""What was unpacked lately: the same libraries stand in most graphs."""
_SYMBOL_BYTES = 400


def _table(content: str) -> SymbolTable | None:
    key = hashlib.sha256(content.encode()).digest()
    known: SymbolTable | None = _TABLES.get(key)
    if known is not None:
        return known
    try:
        table = SymbolTable(unpack_symbols(bytes.fromhex(content)))
    except ValueError:
        return None
    _TABLES.put(key, table, _SYMBOL_BYTES * (1 + len(table.symbols.names)))
    return table


def _reached(root: int, below: Mapping[int, set[int]]) -> list[int]:
    found = {root: None}
    left = [root]
    while left:
        for one in sorted(below.get(left.pop(), ())):
            if one not in found:
                found[one] = None
                left.append(one)
    return list(found)
