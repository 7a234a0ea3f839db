"""Many builds of a package in the place of one: each program is started once, and then only what differs is.

Another build whose files lie and need as those of the first changes nothing of what is loaded and in which
order. Then what can break are the needs that the first build served, and those that only the other one has.
Everything else is left to `predict`, whose answers these are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from spackmon.abi.files import File
from spackmon.abi.loader import Loaded, Process, System
from spackmon.abi.lookup import (
    NameOf,
    Need,
    Provider,
    Resolution,
    check_versions,
    definition,
    provider_of,
    resolve,
)
from spackmon.abi.reader.elf import CALL, Elf, Symbol
from spackmon.abi.splice import (
    Openings,
    Prediction,
    judge_symbol,
    judge_unread,
    judge_versions,
    predict,
)
from spackmon.abi.stored import StoredFiles
from spackmon.abi.trials import Packages, Trials

MOST_STARTED_ANEW = 1_000
"""So many pairs of builds that lie or need otherwise are looked into in one answer."""
_TOO_MANY = "too many builds differ in more than symbols: ask about this one alone"


class _Key(NamedTuple):
    """What a look-up depends on."""

    name: str
    version: str | None
    is_call: bool
    is_copied: bool


class _Found:
    """Which look-ups one of some files serves, as far as they were made; `main` serves no copy of its own."""

    def __init__(self, files: Sequence[File], main: File | None = None) -> None:
        self._files = files
        self._main = main
        self._asked: set[_Key] = set()
        self._lacking: set[_Key] = set()

    def lacking(self, keys: Set[_Key]) -> Set[_Key]:
        """Those that none of them serves."""
        if new := keys - self._asked:
            self._lacking |= {key for key in new if not self._is_served(key)}
            self._asked |= new
        return self._lacking & keys

    def _is_served(self, key: _Key) -> bool:
        return any(
            definition(file, key.name, key.version, is_call=key.is_call) is not None
            for file in self._files
            if not (key.is_copied and file is self._main)
        )


@dataclass
class _Other:
    """A file of another build in the place of one. `needs` are those that must be served."""

    file: File
    found: _Found
    needs: Mapping[_Key, Symbol]
    has_same_versions: bool


class Builds:
    """Builds of a package, of which each may take the place of another; `files` are those of all."""

    def __init__(self, files: StoredFiles, system: System) -> None:
        self.files = files
        self.system = system
        self._others: dict[tuple[str, str, str], _Other | None] = {}
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        self._found: dict[str, _Found] = {}
        self._needs: dict[str, Mapping[_Key, Symbol]] = {}
        self._left = MOST_STARTED_ANEW

    def may_start_anew(self) -> bool:
        """Whether another pair may be looked into as a whole; it is counted."""
        self._left -= 1
        return self._left >= 0

    def other(self, old: str, new: str, place: str) -> _Other | None:
        """What stands at a place below a prefix in another build; None where it is not alike."""
        key = (old, new, place)
        if key not in self._others:
            self._others[key] = self._alike(old, new, place)
        return self._others[key]

    def new_names(self, old: str, new: str) -> frozenset[str]:
        """The names of files that a build has where another has none."""
        key = (old, new)
        if key not in self._names:
            before, after = self.files.places_below(old), self.files.places_below(new)
            self._names[key] = frozenset(place.rpartition("/")[2] for place in after - before)
        return self._names[key]

    def _alike(self, old: str, new: str, place: str) -> _Other | None:
        before, after = self.files.at(old + place), self.files.at(new + place)
        if before is None or after is None or before.elf is None or after.elf is None:
            return None
        if _interface(before.elf, old) != _interface(after.elf, new):
            return None
        found = self._found.setdefault(after.identity, _Found([after]))
        needs = self._needs.get(after.identity)
        if needs is None:
            needs = {_key(need): need for need in after.needs if need.binding != "WEAK"}
            self._needs[after.identity] = needs
        return _Other(after, found, needs, before.elf.version_needs == after.elf.version_needs)


def _interface(elf: Elf, prefix: str) -> tuple[object, ...]:
    """What of a file decides what is loaded, whatever its prefix."""
    paths = tuple(path and f"{path}/".replace(f"{prefix}/", "/ /") for path in (elf.rpath, elf.runpath))
    return (
        elf.elf_class, elf.machine, elf.type, elf.soname, elf.needed, paths, elf.filters, elf.auxiliaries,
        elf.flags, elf.interpreter,
    )  # fmt: skip


@dataclass
class _Run:
    """A process as it is today. `places` are those of the package's files in it, by place in the scope."""

    process: Process
    resolution: Resolution
    places: Mapping[int, str]
    names: frozenset[str]
    outside: _Found
    served: dict[str, dict[_Key, list[Provider]]] = field(default_factory=dict)
    versions: dict[str, frozenset[str]] = field(default_factory=dict)
    settled: dict[str, set[_Key]] = field(default_factory=dict)

    @cached_property
    def unresolved(self) -> Mapping[Need, Provider]:
        """What nothing defines today."""
        return self.resolution.unresolved()

    @cached_property
    def unserved(self) -> frozenset[tuple[str, str | None]]:
        """The same by symbol and version, whoever needs it."""
        return frozenset((need.symbol, need.version) for need in self.unresolved)


class Dependent:
    """Prefixes that use a build of a package; `packages` replace that by itself."""

    def __init__(self, builds: Builds, packages: Packages) -> None:
        self._builds = builds
        self._packages = packages
        self._prefix = packages.replaced[0]
        self._trials = Trials(builds.files, builds.system, packages)
        self._today = Prediction()
        self._runs = self._started()

    def with_build(self, prefix: str, below: tuple[str, ...] = ()) -> Prediction:
        """What the build below a prefix does to it, without warnings; `below` are those that it uses."""
        if self._runs is not None:
            found = Prediction(undecided=set(self._today.undecided))
            if all(self._judge(found, run, prefix) for run in self._runs):
                return found
        return predict(self._builds.files, self._builds.system, replace(self._packages, replacement=prefix))

    def _started(self) -> list[_Run] | None:
        """None where plugins are in their hosts, of which `predict` knows more."""
        files = self._builds.files
        paths = [path for prefix in self._packages.consumers for path in files.below(prefix)]
        judge_unread(self._today, files, paths)
        runs = []
        openings = Openings(self._trials, self._packages)
        for pair in self._trials.pairs(paths):
            if pair.before.host is not None:
                return None
            openings.see(pair.before)
            runs.append(self._run(pair.before))
        openings.judge(self._today)
        return runs

    def _run(self, process: Process) -> _Run:
        places = {
            at: loaded.path[len(self._prefix) :]
            for at, loaded in enumerate(process.scope)
            if self._packages.is_replaced(loaded.path)
        }
        names = frozenset(
            name
            for loaded in process.scope
            for name in (*loaded.elf.needed, *loaded.elf.filters, *loaded.elf.auxiliaries)
        )
        rest = [one.file for at, one in enumerate(process.scope) if at not in places]
        outside = _Found(rest, process.main.file)
        run = _Run(process, resolve(process, self._trials.name_of), places, names, outside)
        self._note_needs(run)
        for at, place in places.items():
            run.versions[place] = frozenset(_versions_of(run, process.scope[at]))
        return run

    def _note_needs(self, run: _Run) -> None:
        """What the package's files serve to others, and which of their own needs they do not serve."""
        for provider in run.resolution.providers.values():
            need, loaded = provider.need, provider.loaded
            is_served = loaded is not None and self._packages.is_replaced(loaded.path)
            if self._packages.is_replaced(provider.consumer.path):
                if not is_served:
                    run.settled.setdefault(self._place(provider.consumer), set()).add(_key(need))
            elif loaded is not None and is_served and need.binding != "WEAK":
                of_file = run.served.setdefault(self._place(loaded), {})
                of_file.setdefault(_key(need), []).append(provider)

    def _place(self, loaded: Loaded) -> str:
        return loaded.path[len(self._prefix) :]

    def _judge(self, found: Prediction, run: _Run, prefix: str) -> bool:
        """False where more than symbols differs."""
        if run.names & self._builds.new_names(self._prefix, prefix):
            return False
        others: dict[str, _Other] = {}
        for place in run.places.values():
            other = self._builds.other(self._prefix, prefix, place)
            if other is None:
                return False
            others[place] = other
        after = _After(run, others, self._prefix, prefix)
        for place, other in others.items():
            served = run.served.get(place, {})
            for key in run.outside.lacking(other.found.lacking(served.keys())):
                for provider in served[key]:
                    self._add_need(found, after, provider.consumer, provider.need)
            if not self._has_versions(run, place, other):
                self._add_versions(found, after, after.run.process.scope)
            elif not other.has_same_versions:
                self._add_versions(found, after, [after.loaded(place)])
            for key in _unserved(run, place, other, others.values()):
                self._add_need(found, after, after.loaded(place), other.needs[key])
        return True

    def _has_versions(self, run: _Run, place: str, other: _Other) -> bool:
        elf = other.file.elf
        return (
            elf is None or not elf.version_definitions or run.versions[place] <= other.file.defined_versions
        )

    def _add_need(self, found: Prediction, after: "_After", consumer: Loaded, need: Symbol) -> None:
        process = after.process
        provider = provider_of(process.scope, process.main, consumer, need)
        if provider.loaded is not None:
            return
        key = Need(after.name_of(consumer), need.name, need.version)
        judge_symbol(
            found,
            provider,
            process,
            is_new=key not in after.run.resolution.providers,
            was_served=(need.name, need.version) not in after.run.unserved,
        )

    def _add_versions(self, found: Prediction, after: "_After", consumers: list[Loaded]) -> None:
        resolution = Resolution()
        for loaded in consumers:
            name = after.name_of(loaded)
            check_versions(resolution, after.process, after.now(loaded), name)
        judge_versions(found, after.run.resolution, resolution)


class _After:
    """A process with another build in it, made when it is looked at."""

    def __init__(self, run: _Run, others: Mapping[str, _Other], old: str, new: str) -> None:
        self.run = run
        self.name_of = NameOf(old, new)
        self._others = others
        self._prefix = new

    @cached_property
    def process(self) -> Process:
        """With the other build's files in the places of the first's."""
        before = self.run.process
        main = next((now for old, now in self._now.items() if old is before.root), before.root)
        return replace(before, root=main, scope=[self._now.get(one, one) for one in before.scope])

    @cached_property
    def _now(self) -> dict[Loaded, Loaded]:
        return dict(self._replaced())

    def _replaced(self) -> Iterator[tuple[Loaded, Loaded]]:
        for at, place in self.run.places.items():
            old, file = self.run.process.scope[at], self._others[place].file
            assert file.elf is not None  # noqa: S101 -- what is alike has it
            path = self._prefix + place
            yield old, replace(old, path=path, file=file, elf=file.elf, origin=path.rpartition("/")[0])

    def loaded(self, place: str) -> Loaded:
        """The other build's file at a place."""
        return next(
            self._now[self.run.process.scope[at]] for at, its in self.run.places.items() if its == place
        )

    def now(self, loaded: Loaded) -> Loaded:
        """What stands for a file today's process has."""
        return self._now.get(loaded, loaded)


def _unserved(run: _Run, place: str, other: _Other, others: Iterable[_Other]) -> Set[_Key]:
    """What a file of the other build needs that no file serves; most of it is served by the build's own."""
    needed = run.outside.lacking(other.needs.keys() - run.settled.get(place, set()))
    for one in others:
        needed = one.found.lacking(needed)
    return needed


def _key(need: Symbol) -> _Key:
    is_call = bool(need.lookups & CALL) or need.type == "TLS"
    return _Key(need.name, need.version, is_call, need.is_copied)


def _versions_of(run: _Run, provider: Loaded) -> Iterator[str]:
    """The versions that others need of a file of the package, and that do not fail today."""
    missing = {(one.file, one.version) for one in run.resolution.versions_missing}
    for loaded in run.process.scope:
        for need in loaded.elf.version_needs:
            if provider.is_named(need.file) and (need.file, need.version) not in missing and not need.is_weak:
                yield need.version
