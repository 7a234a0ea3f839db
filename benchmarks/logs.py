"""Build logs: how far the labelled ones are read as a person reads them, and how fast any are read."""

import statistics
import time
from collections.abc import Callable, Iterator

from benchmarks.databases import Loaded
from benchmarks.measure import Result, at_least, at_most, exactly
from spackmon.logs.event import Event
from spackmon.logs.groups import group
from spackmon.logs.scanner import read
from tests.logs.scoring import score
from tests.logs.test_scanner import labelled, listed

TOPIC = "logs"
_MEGABYTE = 1_000_000
_PIECE_BYTES = 1 << 18

_COMMAND = "libtool: compile: gcc -DHAVE_CONFIG_H -I../include -O2 -g -c src/unit_{0:06}.c -o unit_{0:06}.o\n"
_WARNING = "src/unit_{0:06}.c:{0}:9: warning: unused variable 'v{0}' [-Wunused-variable]\n"
_END = "src/last.c:3:1: error: 'x' undeclared\nmake: *** [Makefile:6: last.o] Error 1\n"


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Shares of the labelled logs, speeds in CPU seconds; the database plays no part."""
    return [*_shares(loaded), *_speeds(loaded, 10 if quick else 100)]


def _shares(loaded: Loaded) -> Iterator[Result]:
    found = score((label, listed(report)) for label, report in labelled())
    first = [event for _, report in labelled() for event in report.events if event.is_first]
    other = sum(event.class_name == "other" for event in first) / len(first)
    result = _result(loaded)
    yield result("root event first", found.share(found.not_first), "share", at_least(0.97))
    yield result("root event among three", found.share(found.not_among_three), "share", at_least(0.99))
    yield result("precision of errors, strict", found.errors.strict_precision, "share", at_least(0.95))
    yield result("recall of errors", found.errors.recall, "share", at_least(0.97))
    yield result("precision of warnings", found.warnings.strict_precision, "share", at_least(0.97))
    yield result("recall of warnings", found.warnings.recall, "share", at_least(0.97))
    yield result("class of the root event", found.share(found.wrong_class), "share", at_least(0.95))
    yield result("blame of the root event", found.share(found.wrong_blame), "share", at_least(0.97))
    yield result("root events of class other", other, "share", at_most(0.10))
    yield result("false alarms in logs that succeeded", len(found.false_alarms), "", exactly(0))
    yield result("groups split, or look-alikes joined", len(found.split + found.joined), "", exactly(0))


def _speeds(loaded: Loaded, megabytes: int) -> Iterator[Result]:
    result = _result(loaded)
    for what, warnings, target in (("a warning in 40 lines", 40, 60), ("a warning in 2 lines", 2, 25)):
        log = _log(megabytes * _MEGABYTE, warnings)
        seconds = _cpu(lambda log=log: read(_pieces(log)))
        yield result(f"{megabytes} MB, {what}", len(log) / _MEGABYTE / seconds, "MB/s", at_least(target))
    events = [event for _, report in labelled() for event in report.events if event.group]
    yield result("fingerprint", 1e6 * _cpu(lambda: _fingerprints(events)) / len(events), "µs", at_most(20))


def _result(loaded: Loaded) -> Callable[..., Result]:
    return lambda what, value, unit, target: Result(TOPIC, loaded.name, what, value, unit, target)


def _fingerprints(events: list[Event]) -> None:
    for event in events:
        group(event)


def _log(size_bytes: int, lines_of_a_warning: int) -> bytes:
    lines = []
    length = number = 0
    while length < size_bytes:
        number += 1
        line = (_COMMAND if number % lines_of_a_warning else _WARNING).format(number)
        lines.append(line)
        length += len(line)
    return ("".join(lines) + _END).encode()


def _pieces(log: bytes) -> Iterator[bytes]:
    for start in range(0, len(log), _PIECE_BYTES):
        yield log[start : start + _PIECE_BYTES]


def _cpu(work: Callable[[], object]) -> float:
    def once() -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    return statistics.median(once() for _ in range(3))
