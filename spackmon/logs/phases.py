"""A whole build log, divided where Spack says that a phase begins, and the times that Spack wrote into it.

Every installer but that of 1.2 (`config:installer:new`) writes `==> zlib: Executing phase: 'install'` before
a phase, those before 0.16 without the package. `==> [2026-11-22-09:12:18.718217]` stands before a command:
local time, of a zone that the log does not name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from mmap import mmap

_COLOUR = rb"(?:\x1b\[[0-9;]*m)*"
_PHASE_LINE = re.compile(
    _COLOUR
    + rb"==>"
    + _COLOUR
    + rb" "
    + _COLOUR
    + rb"(?:(?P<package>[\w.+-]{1,200})"
    + _COLOUR
    + rb": )?Executing phase: '"
    + _COLOUR
    + rb"(?P<phase>[\w.+-]{1,200})"
    + _COLOUR
    + rb"'"
)
_PHASE_MARK = b"Executing phase: '"
# A longer line is none of Spack's: what stands before the mark in it is not looked at.
_LONGEST_START_BYTES = 300

_ARROW = b"==>"
_TIME = re.compile(rb"==>" + _COLOUR + rb" \[(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d\.\d{1,6})\]")
_TIME_FORMAT = "%Y-%m-%d-%H:%M:%S.%f"
# What an arrow at the start of a line follows: the line before, or the end of its colour.
_BEFORE_ARROW = b"\nm"


@dataclass(frozen=True, slots=True)
class LogPhase:
    """A phase's part of a log, from the line that names it on; `package` where that line names it."""

    package: str | None
    name: str
    text: bytes


@dataclass(frozen=True, slots=True)
class DividedLog:
    """`preamble` is what stands before the first phase; it and the phases' texts joined are the log."""

    preamble: bytes
    phases: tuple[LogPhase, ...]


def divide(log: bytes) -> DividedLog:
    """The phases of a log, each name once.

    The first phase tells which package is built: the phases of others, and one that had its turn before, are
    what a command printed (a test suite that runs Spack) and belong to the phase in which it did.
    """
    starts: list[tuple[int, str | None, str]] = []
    for start, package, name in _phase_lines(log):
        if not starts or (package == starts[0][1] and all(name != known for _, _, known in starts)):
            starts.append((start, package, name))
    if not starts:
        return DividedLog(log, ())
    ends = [start for start, _, _ in starts[1:]] + [len(log)]
    phases = [
        LogPhase(package, name, log[start:end])
        for (start, package, name), end in zip(starts, ends, strict=True)
    ]
    return DividedLog(log[: starts[0][0]], tuple(phases))


def first_time(log: bytes | mmap) -> datetime | None:
    """The first moment that Spack wrote into the log, without a zone."""
    place = -1
    while (place := log.find(_ARROW, place + 1)) >= 0:
        moment = _time_at(log, place)
        if moment is not None:
            return moment
    return None


def last_time(log: bytes) -> datetime | None:
    """The last moment that Spack wrote into the log, without a zone."""
    place = len(log)
    while (place := log.rfind(_ARROW, 0, place)) >= 0:
        moment = _time_at(log, place)
        if moment is not None:
            return moment
    return None


def _phase_lines(log: bytes) -> Iterator[tuple[int, str | None, str]]:
    place = -1
    # A search for the mark costs a tenth of one for the pattern at every line of a log.
    while (place := log.find(_PHASE_MARK, place + 1)) >= 0:
        start = log.rfind(b"\n", max(0, place - _LONGEST_START_BYTES), place) + 1
        if start == 0 and place > _LONGEST_START_BYTES:
            continue
        line = _PHASE_LINE.match(log, start)
        if line is not None:
            package = line["package"]
            yield start, None if package is None else package.decode("ascii"), line["phase"].decode("ascii")


def _time_at(log: bytes | mmap, position: int) -> datetime | None:
    line = _TIME.match(log, position)
    if line is None or (position > 0 and log[position - 1] not in _BEFORE_ARROW):
        return None
    try:
        return datetime.strptime(line[1].decode("ascii"), _TIME_FORMAT)
    except ValueError:
        return None
