"""What the loader refuses of programs as they are, before any user finds it: `ldd -r` of all of them."""

from spackmon.abi.files import Files
from spackmon.abi.loader import NOT_FOUND, Process, System
from spackmon.abi.lookup import resolve
from spackmon.abi.splice import (
    MissingLibrary,
    MissingSymbol,
    MissingVersion,
    Prediction,
    absent_that_may_define,
    judge_unread,
    sentence_of_missing_version,
    undefined,
)
from spackmon.abi.trials import Packages, Trials

# Nothing is below it, so that nothing is replaced.
_NOWHERE = "/ "


def missing_today(
    files: Files, system: System, consumers: tuple[str, ...], others: tuple[str, ...]
) -> Prediction:
    """What is missing to the programs and libraries of the consumers, with LD_BIND_NOW=1.

    `undecided` names each library that is not there to be looked into, `warnings` nothing.
    """
    packages = Packages(consumers, (_NOWHERE,), _NOWHERE, others)
    trials = Trials(files, system, packages)
    found = Prediction()
    paths = [path for prefix in consumers for path in files.below(prefix)]
    judge_unread(found, files, paths)
    for pair in trials.pairs(paths):
        if not _add_libraries(found, pair.before, system):
            _add_symbols(found, pair.before, trials)
    return found


def _add_libraries(found: Prediction, process: Process, system: System) -> bool:
    """Whether the loader stops there."""
    stops = False
    for missing in process.missing:
        sentence = f"{missing.library}: {missing.reason}"
        if missing.is_unread or (not system.knows(missing.library) and missing.reason == NOT_FOUND):
            found.undecided.add(f"{missing.library} is not stored")
            continue
        stops = True
        key = MissingLibrary(missing.consumer.file_name, missing.library)
        found.missing_libraries[key] = (
            f"{process.main.path}: error while loading shared libraries: {sentence}"
        )
    return stops


def _add_symbols(found: Prediction, process: Process, trials: Trials) -> None:
    resolution = resolve(process, trials.name_of)
    for version, consumer in resolution.versions_missing.items():
        key = MissingVersion(consumer.file_name, version.file, version.version)
        found.missing_versions[key] = sentence_of_missing_version(version, consumer)
    for need, provider in resolution.unresolved().items():
        if absent_that_may_define(provider, process) is None:
            missing = MissingSymbol(provider.consumer.file_name, need.symbol, need.version)
            found.missing[missing] = f"{process.main.path}: symbol lookup error: {undefined(provider)}"
