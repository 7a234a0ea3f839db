"""Specs with what is stored of their files, read of the facts that `installed` selects."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spackmon.abi.elf import Elf
from spackmon.abi.files import File
from spackmon.abi.packed import unpack_head, unpack_symbols
from spackmon.abi.stored import UNKNOWN_SYSTEM, PackedFile, StoredFiles, SymbolTable
from spackmon.abi.trials import Packages
from spackmon.graph.spec import Deptype
from spackmon.query.abi.installed import MOST_FILES

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
    prefix: str | None = None
    paths: list[str] = field(default_factory=list)
    is_cut: bool = False

    @property
    def is_known(self) -> bool:
        """Whether it has ELF files that are known."""
        return self.prefix is not None and bool(self.paths)


class Installed:
    """All specs of the facts; `files` are theirs."""

    system = UNKNOWN_SYSTEM

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
        self.files = StoredFiles(self._read_files(), self._read_links())

    def named(self, group: str) -> list[Installation]:
        """The specs that were asked for by this name, the newest first."""
        found = (one for one in self._facts[group] if one in self.specs)
        return [self.specs[one] for one in sorted(found, reverse=True)]

    def graph(self, root: Installation) -> list[Installation]:
        """A spec and all below it, itself first."""
        return [self.specs[one] for one in _reached(root.id, self._below) if one in self.specs]

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

    def uses(self, spec: Installation, package: str) -> list[Installation]:
        """The specs of a package that a spec itself links or runs."""
        below = (self.specs[one] for one in sorted(self._loaded[spec.id]) if one in self.specs)
        return [one for one in below if one.name == package]

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

    def _file(self, path: str, elf_file_id: int | None, value: str | None) -> File:
        if elf_file_id is None:
            return File(path, None, _UNREADABLE if value is None else value)
        head, table = self._elves[elf_file_id]
        if head is None or table is None:
            return File(path, None, _UNREADABLE)
        return PackedFile(path, head, table)

    @cached_property
    def _elves(self) -> Mapping[int, tuple[Elf | None, SymbolTable | None]]:
        tables = {one: _table(content) for one, content in self._facts["sets"]}
        return {one: (_head(content), tables[set_id]) for one, set_id, content in self._facts["elves"]}


def _head(content: str) -> Elf | None:
    try:
        return unpack_head(bytes.fromhex(content))
    except ValueError:
        return None


def _table(content: str) -> SymbolTable | None:
    try:
        return SymbolTable(unpack_symbols(bytes.fromhex(content)))
    except ValueError:
        return None


def _reached(root: int, below: Mapping[int, set[int]]) -> list[int]:
    found = {root: None}
    left = [root]
    while left:
        for one in sorted(below.get(left.pop(), ())):
            if one not in found:
                found[one] = None
                left.append(one)
    return list(found)
