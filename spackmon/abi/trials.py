"""What is started to see whether it still starts: each program, and what no program needs, in its hosts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spackmon.abi.files import Files
from spackmon.abi.loader import Layout, Loader, Process, System, is_below
from spackmon.abi.lookup import NameOf, resolve

_OPENING = frozenset(("dlopen", "dlmopen"))
_LIBRARY_FOLDERS = ("lib", "lib64")


@dataclass(frozen=True)
class Packages:
    """Prefixes: of consumers, of what is replaced (under all its names), of what replaces it, of others."""

    consumers: tuple[str, ...]
    replaced: tuple[str, ...]
    replacement: str
    others: tuple[str, ...] = ()

    def is_replaced(self, path: str) -> bool:
        """Whether a path is one of the package that is replaced, in either build."""
        return any(is_below(path, prefix) for prefix in (*self.replaced, self.replacement))

    def of(self, path: str) -> str:
        """The package of a path: its prefix, one for both builds of what is replaced, "" for the system."""
        if self.is_replaced(path):
            return self.replacement
        return next((prefix for prefix in (*self.consumers, *self.others) if is_below(path, prefix)), "")


@dataclass(frozen=True)
class Pair:
    """The same process before and after the replacement."""

    before: Process
    after: Process


class Trials:
    """Starts programs twice: before and after."""

    def __init__(self, files: Files, system: System, packages: Packages) -> None:
        self._files = files
        self._packages = packages
        self.name_of = NameOf(*packages.replaced, packages.replacement)
        moved = tuple((prefix, packages.replacement) for prefix in packages.replaced)
        before, after = packages.replaced[0], packages.replacement
        rest = [*packages.others, *packages.consumers]
        # By their own paths, and with LD_LIBRARY_PATH as environment modules would set it.
        self._loaders = [
            (
                Loader(files, system, Layout((), self._folders([before, *rest]) if is_with_path else ())),
                Loader(files, system, Layout(moved, self._folders([after, *rest]) if is_with_path else ())),
            )
            for is_with_path in (False, True)
        ]

    def pairs(self, paths: Sequence[str]) -> Iterator[Pair]:
        """Of the ELF files of the consumers."""
        alone = {path: pair for path in paths if (pair := self._pair(path)) is not None}
        programs = [pair for pair in alone.values() if pair.before.root.elf.is_program]
        yield from programs
        in_programs = {loaded.path for pair in programs for loaded in pair.before.scope}
        rest = [path for path in alone if path not in in_programs and not _is_program(alone[path])]
        needed = {
            loaded.path for path in rest for _, _, loaded in alone[path].before.served if loaded.path != path
        }
        hosts = [pair.before.root.path for pair in programs if self.opens(pair.before)]
        for path in rest:
            if path in needed or not hosts:
                yield alone[path]
            else:
                yield from self._in_hosts(path, hosts)

    def opens(self, process: Process) -> bool:
        """Whether something of the packages in a process calls dlopen."""
        return any(
            need.name in _OPENING
            for loaded in process.scope
            if self._packages.of(loaded.path)
            for need in loaded.file.needs
        )

    def _in_hosts(self, path: str, hosts: list[str]) -> Iterator[Pair]:
        """In those of the programs that serve it best: which one opens it cannot be seen."""
        pairs = [pair for host in hosts if (pair := self._pair(path, host)) is not None]
        unserved = [len(resolve(pair.before, self.name_of).unresolved()) for pair in pairs]
        yield from (pair for pair, count in zip(pairs, unserved, strict=True) if count == min(unserved))

    def _pair(self, path: str, host: str | None = None) -> Pair | None:
        (own, own_after), (with_path, with_path_after) = self._loaders
        before = _started(own, path, host)
        if before is None:
            return None
        with_path_before = _started(with_path, path, host)
        if with_path_before is not None and self._finds_more(before, with_path_before):
            before, own_after = with_path_before, with_path_after
        after = _started(own_after, path, host)
        return None if after is None else Pair(before, after)

    def _finds_more(self, own: Process, with_path: Process) -> bool:
        """Whether files do not find each other by their own paths: who starts them sets LD_LIBRARY_PATH."""
        unserved = {(missing.consumer.path, missing.library) for missing in own.all_missing}
        unserved |= {
            (consumer.path, name)
            for consumer, name, found in own.all_served
            if not self._packages.of(found.path)
        }
        return any(
            (consumer.path, name) in unserved and self._packages.of(found.path)
            for consumer, name, found in with_path.all_served
        )

    def _folders(self, prefixes: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"{prefix}/{folder}" for prefix in prefixes for folder in _LIBRARY_FOLDERS)


def _is_program(pair: Pair) -> bool:
    return pair.before.root.elf.is_program


def _started(loader: Loader, path: str, host: str | None) -> Process | None:
    if host is None:
        return loader.load(path)
    started = loader.load(host)
    return None if started is None else loader.load(path, started)
