"""What the loader finds when it looks a symbol or a version up (glibc, dl-lookup.c, dl-version.c)."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from spackmon.abi.files import File
from spackmon.abi.loader import Loaded, Process
from spackmon.abi.reader.elf import CALL, UNDEFINED, Symbol


class Need(NamedTuple):
    """A symbol that a file needs; `consumer` is the file's name among those that are compared."""

    consumer: str
    symbol: str
    version: str | None


class VersionMissing(NamedTuple):
    """A version that a file must define before the loader starts anything."""

    consumer: str
    file: str
    version: str


class Provider(NamedTuple):
    """Who needs a symbol and how, and who defines it, None if nobody does."""

    consumer: Loaded
    need: Symbol
    loaded: Loaded | None
    definition: Symbol | None


@dataclass
class Resolution:
    """How every need of a process ends: by a provider, or by none."""

    providers: dict[Need, Provider] = field(default_factory=dict)
    versions_missing: dict[VersionMissing, Loaded] = field(default_factory=dict)
    weak_versions_missing: set[VersionMissing] = field(default_factory=set)
    undecided_versions: set[VersionMissing] = field(default_factory=set)
    versioned_files: set[str] = field(default_factory=set)
    unversioned_files: set[str] = field(default_factory=set)

    def unresolved(self) -> dict[Need, Provider]:
        """Needs for which the loader would stop."""
        return {
            need: provider
            for need, provider in self.providers.items()
            if provider.loaded is None and provider.need.binding != "WEAK"
        }

    def weak_unresolved(self) -> dict[Need, Provider]:
        """Needs that become 0."""
        return {
            need: provider
            for need, provider in self.providers.items()
            if provider.loaded is None and provider.need.binding == "WEAK"
        }


def definition(file: File, name: str, version: str | None, *, is_call: bool) -> Symbol | None:
    """The symbol of a file that a need of `name` and `version` finds.

    `is_call`: what the program itself only calls, and gives an address to, does not serve calls.
    """
    if file.elf is None:
        return None
    has_versions = file.elf.has_symbol_versions
    newest = []
    for symbol in file.definitions.get(name, ()):
        if is_call and symbol.section == UNDEFINED:
            continue
        if not has_versions:
            return symbol
        if version is not None:
            if symbol.version == version or (symbol.version is None and not symbol.is_version_hidden):
                return symbol
        elif symbol.version_index <= 2:
            # A program that was built before there were versions needs the first of them.
            return symbol
        elif not symbol.is_version_hidden:
            newest.append(symbol)
    return newest[0] if len(newest) == 1 else None


def resolve(process: Process, name_of: "NameOf") -> Resolution:
    """Every need of what the process loads; the host of a plugin was resolved before."""
    resolution = Resolution()
    scope, main = _named(process.all_loaded), process.main
    for loaded in process.scope:
        name = name_of(loaded)
        check_versions(resolution, process, loaded, name)
        for need in loaded.file.needs:
            key = Need(name, need.name, need.version)
            resolution.providers[key] = _provider_of(scope, main, loaded, need)
    return resolution


class NameOf:
    """The name under which a file is compared: within a prefix that moves it is the file's own name."""

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = tuple(f"{prefix}/" for prefix in prefixes)

    def __call__(self, loaded: Loaded) -> str:
        return loaded.file_name if loaded.path.startswith(self._prefixes) else loaded.path


def provider_of(scope: list[Loaded], main: Loaded, consumer: Loaded, need: Symbol) -> Provider:
    """What a file's need finds in the scope of its process."""
    return _provider_of(_named(scope), main, consumer, need)


_Named = list[tuple[Loaded, Collection[str]]]


def _named(scope: list[Loaded]) -> _Named:
    """A scope with the names that each of its files defines."""
    return [(loaded, loaded.file.names) for loaded in scope]


def _provider_of(scope: _Named, main: Loaded, consumer: Loaded, need: Symbol) -> Provider:
    name = need.name
    for loaded, names in scope:
        if name in names and not (loaded is main and need.is_copied):
            is_call = bool(need.lookups & CALL) or need.type == "TLS"
            found = definition(loaded.file, name, need.version, is_call=is_call)
            if found is not None:
                return Provider(consumer, need, loaded, found)
    return Provider(consumer, need, None, None)


def check_versions(resolution: Resolution, process: Process, consumer: Loaded, name: str) -> None:
    """Note the versions that a file needs and that are not there; `name` is as `resolve` compares it."""
    scope = process.all_loaded
    absent = {missing.library for missing in process.all_missing}
    for need in consumer.elf.version_needs:
        provider = next((loaded for loaded in scope if loaded.is_named(need.file)), None)
        missing = VersionMissing(name, need.file, need.version)
        if provider is None and need.file in absent:
            resolution.undecided_versions.add(missing)
            continue
        if provider is not None and not provider.elf.version_definitions:
            resolution.unversioned_files.add(need.file)
            continue
        resolution.versioned_files.add(need.file)
        if provider is not None and need.version in provider.file.defined_versions:
            continue
        if need.is_weak and provider is not None:
            resolution.weak_versions_missing.add(missing)
        else:
            resolution.versions_missing[missing] = consumer
