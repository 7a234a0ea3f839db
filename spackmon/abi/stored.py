"""Files as they are stored: those of prefixes that are not on this machine, without those of its system."""

import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import compress, count, islice, takewhile
from typing import NamedTuple

from spackmon.abi.files import File, is_needed
from spackmon.abi.loader import System
from spackmon.abi.reader.elf import UNDEFINED, Elf, Symbol
from spackmon.abi.reader.packed import Symbols

_MAXIMUM_LINKS = 40

UNKNOWN_SYSTEM = System(
    directories=(),
    library_words=("lib64", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"),
    platform_words=("x86_64", "haswell", "aarch64"),
    looked_for=frozenset(),
)
"""The libraries of the system are not stored, and neither is where they are."""


# Which of several functions it is, is decided at the start: whoever calls it sees none of that.
_TYPES = {"GNU_IFUNC": "FUNC", "COMMON": "OBJECT"}
_WITH_SIZE = frozenset(("OBJECT", "TLS"))


class Export(NamedTuple):
    """What others see of a symbol: its type, and of a variable its size in bytes."""

    type: str
    size: int | None


class Definitions:
    """What others find in a file, by name: `places` has the symbols, made when they are looked for."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        found = [symbol.is_found for symbol in _of_kinds(symbols)]
        flags = list(map(found.__getitem__, symbols.kinds_of))
        self.places = dict(zip(compress(symbols.names, flags), compress(count(), flags), strict=True))
        self._several: dict[str, list[int]] = {}
        self._made: dict[str, Sequence[Symbol]] = {}
        if len(self.places) < sum(flags):
            for place in compress(count(), flags):
                self._several.setdefault(symbols.names[place], []).append(place)

    def __contains__(self, name: object) -> bool:
        """Whether there is a symbol of this name."""
        return name in self.places

    def get(self, name: str, otherwise: Sequence[Symbol] = ()) -> Sequence[Symbol]:
        """The symbols of this name, in the order of the file."""
        made = self._made.get(name)
        if made is None:
            place = self.places.get(name)
            if place is None:
                return otherwise
            made = [self._symbols.at(one) for one in self._several.get(name, (place,))]
            self._made[name] = made
        return made


class SymbolTable:
    """The symbols of files that have the same ones."""

    def __init__(self, symbols: Symbols) -> None:
        self.symbols = symbols

    @cached_property
    def definitions(self) -> Definitions:
        """See File."""
        return Definitions(self.symbols)

    @cached_property
    def needs(self) -> list[Symbol]:
        """See File."""
        flags = [is_needed(symbol) for symbol in _of_kinds(self.symbols)]
        places = compress(count(), map(flags.__getitem__, self.symbols.kinds_of))
        # A name is not asked for by its kind.
        return [self.symbols.at(place) for place in places if self.symbols.names[place]]

    @cached_property
    def exports(self) -> dict[tuple[str, str | None], Export]:
        """What they offer to others, by name and version."""
        kinds = [
            (kind.version, _TYPES.get(kind.type, kind.type))
            if kind.is_found and kind.section != UNDEFINED
            else None
            for kind in _of_kinds(self.symbols)
        ]
        found = {}
        columns = zip(self.symbols.names, self.symbols.kinds_of, self.symbols.sizes, strict=True)
        for name, number, size in columns:
            if (kind := kinds[number]) is not None:
                version, type_ = kind
                found[name, version] = Export(type_, size if type_ in _WITH_SIZE else None)
        return found


class PackedFile(File):
    """A file of which `elf` has no symbols: these are in `table`."""

    def __init__(self, identity: str, elf: Elf, table: SymbolTable) -> None:
        super().__init__(identity, elf)
        self.table = table

    @cached_property
    def definitions(self) -> Definitions:
        """See File."""
        return self.table.definitions

    @cached_property
    def names(self) -> Collection[str]:
        """See File."""
        return self.table.definitions.places

    @cached_property
    def needs(self) -> list[Symbol]:
        """See File."""
        return self.table.needs

    @cached_property
    def own_versions(self) -> frozenset[str]:
        """The versions that it defines, but for the base one, which is its name."""
        entries = self.elf.version_definitions if self.elf else ()
        return frozenset(entry.version for entry in entries if not entry.is_base)

    @cached_property
    def exports(self) -> dict[tuple[str, str | None], Export]:
        """What it offers to others, by name and version, without the symbols that stand for versions."""
        exports = self.table.exports
        return {key: one for key, one in exports.items() if key[0] not in self.own_versions}


def _of_kinds(symbols: Symbols) -> list[Symbol]:
    """A symbol of each kind; it has some name."""
    return [Symbol._make(["?", *kind[:5], 0, *kind[5:]]) for kind in symbols.kinds]


def _below(paths: Sequence[str], prefix: str) -> Iterator[str]:
    """Those of sorted paths that are below a prefix."""
    beginning = f"{prefix}/"
    return takewhile(
        lambda path: path.startswith(beginning), islice(paths, bisect_left(paths, beginning), None)
    )


class StoredFiles:
    """Files by path, and the links that lead to them."""

    def __init__(self, files: Mapping[str, File], links: Mapping[str, str]) -> None:
        self._files = files
        self._links = links
        self._paths = sorted(files)
        self._found: dict[str, File | None] = {}

    def at(self, path: str) -> File | None:
        """What is at a path, links followed; None where no ELF file is."""
        if path not in self._found:
            self._found[path] = self._followed(path)
        return self._found[path]

    def below(self, prefix: str) -> Iterator[str]:
        """The paths of the ELF files below a prefix, in order."""
        return _below(self._paths, prefix)

    def places_below(self, prefix: str) -> frozenset[str]:
        """Where all files and links below a prefix are, without it."""
        paths = (*_below(self._paths, prefix), *_below(self._sorted_links, prefix))
        return frozenset(path[len(prefix) :] for path in paths)

    @cached_property
    def _sorted_links(self) -> list[str]:
        return sorted(self._links)

    def _followed(self, path: str) -> File | None:
        for _ in range(_MAXIMUM_LINKS):
            if path in self._files:
                return self._files[path]
            led_on = self._led_on(path)
            if led_on is None:
                return None
            path = led_on
        return None

    def _led_on(self, path: str) -> str | None:
        """Where the first link on the way to a path leads."""
        at = path.find("/", 1)
        while True:
            part = path if at < 0 else path[:at]
            if part in self._links:
                target = os.path.join(os.path.dirname(part), self._links[part])
                return os.path.normpath(target + path[len(part) :])
            if at < 0:
                return None
            at = path.find("/", at + 1)
