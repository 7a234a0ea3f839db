"""What breaks when one build of a package takes another's place, by the loader's rules under LD_BIND_NOW.

Only what was resolved before can break: whatever is missing in both is said, and decides nothing.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from spackmon.abi.files import Files
from spackmon.abi.loader import NOT_FOUND, Loaded, Missing, Process, System
from spackmon.abi.lookup import Provider, Resolution, VersionMissing, resolve
from spackmon.abi.trials import Packages, Pair, Trials

# Both are called; which of several functions it is, is decided at the start.
_CALLED = frozenset(("FUNC", "GNU_IFUNC"))
# In the libraries of glibc and GCC nothing is without a version: a need without one is not theirs.
VERSIONED = (
    "libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "ld-linux", "ld64.so.",
    "libgcc_s.so.", "libstdc++.so.", "libgfortran.so.", "libgomp.so.", "libquadmath.so.", "libatomic.so.",
)  # fmt: skip


class Verdict(StrEnum):
    """What is predicted of all programs."""

    WORKS = "works"
    BREAKS = "breaks"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class MissingSymbol:
    """A symbol that a file needs and nothing defines any more; `consumer` is the name of a file."""

    consumer: str
    symbol: str
    version: str | None


@dataclass(frozen=True, order=True)
class MissingLibrary:
    """A library that a file needs, and that cannot be loaded."""

    consumer: str
    library: str


@dataclass(frozen=True, order=True)
class MissingVersion:
    """A version that a file needs of another, which does not define it."""

    consumer: str
    file: str
    version: str


@dataclass
class Prediction:
    """What the loader would say. Each dictionary leads from a finding to ld.so's sentence about it.

    `undecided` is why it cannot be known, `broken_before` what fails today.
    """

    missing: dict[MissingSymbol, str] = field(default_factory=dict)
    missing_libraries: dict[MissingLibrary, str] = field(default_factory=dict)
    missing_versions: dict[MissingVersion, str] = field(default_factory=dict)
    soname_ok: bool = True
    warnings: set[str] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)
    broken_before: set[str] = field(default_factory=set)

    @property
    def verdict(self) -> Verdict:
        """Something that is known to break is not undecided."""
        if self.missing or self.missing_libraries or self.missing_versions:
            return Verdict.BREAKS
        return Verdict.UNKNOWN if self.undecided else Verdict.WORKS


def predict(files: Files, system: System, packages: Packages) -> Prediction:
    """What happens to the programs and libraries of the consumers."""
    return _Judge(files, system, packages).prediction()


class _Judge:
    def __init__(self, files: Files, system: System, packages: Packages) -> None:
        self._files = files
        self._system = system
        self._packages = packages
        self._trials = Trials(files, system, packages)
        self._prediction = Prediction()
        self._package_by_path: dict[str, str] = {}

    def prediction(self) -> Prediction:
        paths = [path for prefix in self._packages.consumers for path in self._files.below(prefix)]
        openings = Openings(self._trials, self._packages)
        for pair in self._trials.pairs(paths):
            openings.see(pair.before)
            self._compare(pair)
        openings.judge(self._prediction)
        judge_unread(self._prediction, self._files, paths)
        return self._prediction

    def _compare(self, pair: Pair) -> None:
        before = resolve(pair.before, self._trials.name_of)
        self._compare_names(pair)
        self._say_broken_before(pair, before)
        before_host, after_host = pair.before.host, pair.after.host
        if before_host and after_host and self._new_missing(before_host, after_host):
            # It does not come to open a plugin.
            return
        if self._compare_libraries(pair):
            return
        after = resolve(pair.after, self._trials.name_of)
        judge_versions(self._prediction, before, after)
        self._compare_symbols(pair, before, after)
        self._warn(before, after)

    def _compare_names(self, pair: Pair) -> None:
        """Every name that the package served must be a file of the replacement."""
        served = {
            name: found for _, name, found in pair.before.served if self._packages.is_replaced(found.path)
        }
        for missing in pair.after.missing:
            self._prediction.soname_ok &= missing.library not in served
        for _, name, found in pair.after.served:
            if name not in served:
                continue
            self._prediction.soname_ok &= self._packages.is_replaced(found.path)
            old, new = served[name].elf.soname, found.elf.soname
            if old != new:
                self._prediction.warnings.add(f"soname {old or 'none'} became {new or 'none'}")

    def _compare_libraries(self, pair: Pair) -> bool:
        """Whether the loader stops before it comes to symbols."""
        served = {name for _, name, _ in pair.before.all_served}
        stops = False
        for missing in self._new_missing(pair.before, pair.after):
            sentence = f"{missing.library}: {missing.reason}"
            is_elsewhere = not self._system.knows(missing.library) and missing.library not in served
            if missing.is_unread or (is_elsewhere and missing.reason == NOT_FOUND):
                self._prediction.undecided.add(sentence)
                continue
            stops = True
            key = MissingLibrary(missing.consumer.file_name, os.path.basename(missing.library))
            self._prediction.missing_libraries[key] = (
                f"{pair.after.main.path}: error while loading shared libraries: {sentence}"
            )
        return stops

    def _new_missing(self, before: Process, after: Process) -> list[Missing]:
        """What is missing before is missing for whoever needs it after, too."""
        known = {missing.library for missing in before.all_missing}
        return [missing for missing in after.missing if missing.library not in known]

    def _compare_symbols(self, pair: Pair, before: Resolution, after: Resolution) -> None:
        unresolved_before = before.unresolved()
        unserved = {(need.symbol, need.version) for need in unresolved_before}
        for need, provider in after.unresolved().items():
            if need in unresolved_before:
                continue
            judge_symbol(
                self._prediction,
                provider,
                pair.after,
                is_new=need not in before.providers,
                was_served=(need.symbol, need.version) not in unserved,
            )

    def _say_broken_before(self, pair: Pair, before: Resolution) -> None:
        said = self._prediction.broken_before
        for missing in pair.before.missing:
            said.add(f"{missing.consumer.path}: {missing.library}: {missing.reason}")
        if not pair.before.all_missing:
            said.update(map(undefined, before.unresolved().values()))

    def _warn(self, before: Resolution, after: Resolution) -> None:
        warnings = self._prediction.warnings
        for file in sorted(after.unversioned_files & before.versioned_files):
            warnings.add(f"{file} lost its version information")
        for missing in after.weak_versions_missing - before.weak_versions_missing:
            warnings.add(f"{missing.file}: weak version {missing.version} not found")
        weak_before = before.weak_unresolved()
        for need in after.weak_unresolved():
            if need in before.providers and need not in weak_before:
                warnings.add(f"{need.symbol}: weak, no longer defined")
        for need, provider in after.providers.items():
            known = before.providers.get(need)
            if known is not None:
                warnings.update(self._changes(need.symbol, known, provider))

    def _changes(self, name: str, before: Provider, after: Provider) -> list[str]:
        """What the loader does not mind, but the program may."""
        old, new = before.definition, after.definition
        if old is None or new is None or before.loaded is None or after.loaded is None:
            return []
        if old is new and self._package_of(before.loaded) == self._package_of(after.loaded):
            return []
        found = []
        if old.type != new.type and not {old.type, new.type} <= _CALLED:
            found.append(f"{name}: {old.type} became {new.type}")
        if after.need.is_copied and old.size != new.size:
            found.append(f"{name}: size {old.size} became {new.size} behind a copy relocation")
        if after.need.is_copied and new.visibility == "PROTECTED" != old.visibility:
            found.append(f"{name}: protected, behind a copy relocation")
        if self._is_other_package(before.loaded, after.loaded):
            found.append(f"{name}: provided by {after.loaded.path} instead of {before.loaded.path}")
        return found

    def _is_other_package(self, before: Loaded, after: Loaded) -> bool:
        return self._package_of(before) != self._package_of(after)

    def _package_of(self, loaded: Loaded) -> str:
        package = self._package_by_path.get(loaded.path)
        if package is None:
            package = self._package_by_path[loaded.path] = self._packages.of(loaded.path)
        return package


def judge_unread(prediction: Prediction, files: Files, paths: Sequence[str]) -> None:
    """Say what cannot be known of files because there are none, or because one cannot be read."""
    if not paths:
        prediction.undecided.add("no symbols are known: there is no program and no library")
    for path in paths:
        file = files.at(path)
        if file is not None and file.elf is None and not file.is_static:
            prediction.undecided.add(f"{path}: {file.fault}")


class Openings:
    """Programs that open libraries by name: where no file needs the package by name, it may be opened so."""

    def __init__(self, trials: Trials, packages: Packages) -> None:
        self._trials, self._packages = trials, packages
        self._is_used = self._is_opening = False

    def see(self, process: Process) -> None:
        """A process as it is today."""
        self._is_used |= any(self._packages.is_replaced(found.path) for _, _, found in process.served)
        self._is_opening |= self._trials.opens(process)

    def judge(self, prediction: Prediction) -> None:
        """Say what cannot be known of it."""
        if self._is_opening and not self._is_used:
            prediction.undecided.add("a program calls dlopen, and no file needs the package by name")


def judge_versions(prediction: Prediction, before: Resolution, after: Resolution) -> None:
    """Say which versions are not there any longer."""
    for missing, consumer in after.versions_missing.items():
        if missing not in before.versions_missing:
            key = MissingVersion(consumer.file_name, missing.file, missing.version)
            prediction.missing_versions[key] = sentence_of_missing_version(missing, consumer)
    # Whoever needed it before was served.
    served = {(missing.file, missing.version) for missing in before.undecided_versions}
    for missing in after.undecided_versions:
        if (missing.file, missing.version) not in served:
            prediction.undecided.add(
                f"{missing.consumer} needs version {missing.version} of {missing.file}: not there"
            )


def judge_symbol(
    prediction: Prediction, provider: Provider, process: Process, *, is_new: bool, was_served: bool
) -> None:
    """Say of a need that nothing serves in a process what comes of it.

    `is_new`: nobody had it before; `was_served`: so was whoever had it.
    """
    need, sentence = provider.need, undefined(provider)
    absent = absent_that_may_define(provider, process) if is_new else None
    if absent is None:
        key = MissingSymbol(provider.consumer.file_name, need.name, need.version)
        prediction.missing[key] = f"{process.main.path}: symbol lookup error: {sentence}"
    elif was_served:
        prediction.undecided.add(f"{sentence}, unless {absent} defines it")


def absent_that_may_define(provider: Provider, process: Process) -> str | None:
    """A library that is not there, and might define what is needed."""
    absent = [missing.library for missing in process.all_missing]
    version = provider.need.version
    if version is None:
        return next((name for name in absent if not name.startswith(VERSIONED)), None)
    asked = {need.file for need in provider.consumer.elf.version_needs if need.version == version}
    return next((name for name in absent if name in asked), None)


def sentence_of_missing_version(missing: VersionMissing, consumer: Loaded) -> str:
    """What ld.so says of a version that is not there."""
    return f"{missing.file}: version `{missing.version}' not found (required by {consumer.path})"


def undefined(provider: Provider) -> str:
    """What ld.so says of a symbol that nothing defines, without the program that it stops."""
    version = f", version {provider.need.version}" if provider.need.version else ""
    return f"{provider.consumer.path}: undefined symbol: {provider.need.name}{version}"
