"""Where the loader's files come from: a disk, or what is stored of one."""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Protocol

from spackmon.abi.reader.elf import UNDEFINED, Elf, Symbol

_NOT_LOOKED_UP = frozenset(("HIDDEN", "INTERNAL"))


def is_needed(symbol: Symbol) -> bool:
    """Whether a file looks its symbol up, and does not find it in itself."""
    return bool(
        symbol.lookups
        and symbol.name
        and symbol.binding != "LOCAL"
        and symbol.visibility not in _NOT_LOOKED_UP
        and (symbol.section == UNDEFINED or symbol.is_copied or not symbol.is_found)
    )


class Definitions(Protocol):
    """What others find in a file, by name."""

    def __contains__(self, name: object, /) -> bool:
        """Whether there is a symbol of this name."""
        ...

    def get(self, name: str, otherwise: Sequence[Symbol], /) -> Sequence[Symbol]:
        """The symbols of this name, in the order of the file."""
        ...


class File:
    """What the loader finds where it opens a path.

    `identity` is equal for every path of the same file. `elf` is None where the loader would stop with
    `fault`; `is_readable` is False where we, but not the loader, have to stop.
    """

    def __init__(
        self,
        identity: str,
        elf: Elf | None,
        fault: str = "",
        *,
        is_static: bool = False,
        is_readable: bool = True,
    ) -> None:
        self.identity = identity
        self.elf = elf
        self.fault = fault
        self.is_static = is_static
        self.is_readable = is_readable

    @cached_property
    def definitions(self) -> Definitions:
        """What others find in this file, by name."""
        found: dict[str, list[Symbol]] = {}
        for symbol in self.elf.symbols if self.elf else ():
            if symbol.is_found:
                found.setdefault(symbol.name, []).append(symbol)
        return found

    @cached_property
    def names(self) -> Collection[str]:
        """The names of what others find in it: whether one is there is asked for each need and each file."""
        return frozenset(symbol.name for symbol in (self.elf.symbols if self.elf else ()) if symbol.is_found)

    @cached_property
    def needs(self) -> list[Symbol]:
        """What this file looks up, and does not find in itself."""
        return [symbol for symbol in (self.elf.symbols if self.elf else ()) if is_needed(symbol)]

    @cached_property
    def defined_versions(self) -> frozenset[str]:
        """The versions that it defines, without its own name."""
        return frozenset(entry.version for entry in self.elf.version_definitions) if self.elf else frozenset()


class Files(Protocol):
    """A file system, as far as the loader and a prediction look at it."""

    def at(self, path: str) -> File | None:
        """What is at a path, links followed; None where nothing is, or nothing that may be opened."""
        ...

    def below(self, prefix: str) -> Iterable[str]:
        """The paths of the ELF files below a prefix, without links, in order."""
        ...
