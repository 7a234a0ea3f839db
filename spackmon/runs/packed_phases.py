"""The phases of a claim as a few bytes, by which they are kept.

First how many they are; then of each the number of its log's row in four bytes, 0 for none; then of each its
name, its status, when it was reported, flags, and what these say is there. Usual names and statuses are
numbers, others 0 and a text. `when` is in microseconds since the claim was reported, and so is a mark that is
written as `datetime.isoformat` does; seconds are microseconds where that is exact. A position that is the
place among them is left out. Numbers have seven bits a byte, the lowest first, and the highest bit where more
follow.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from spackmon.runs.claim import PhaseClaim

# What is stored has their places, from 1: names are added at the end.
_NAMES = (
    "fetch", "stage", "patch", "unpack", "preprocess", "bootstrap", "autoreconf", "hostconfig", "initconfig",
    "edit", "cmake", "qmake", "meson", "configure", "build", "check", "build_test", "install", "installcheck",
    "install_test", "post-install", "test", "spack-build-out", "generate_luarocks_config",
)  # fmt: skip
_STATUSES = ("SUCCESS", "ERROR")
_LOG_BYTES = 4
_MICROSECOND, _IN_SECOND = timedelta(microseconds=1), 1_000_000
# Beyond, a float tells no microseconds apart.
_MOST_SECONDS = 2.0**32
_DOUBLE = struct.Struct(">d")
_BITS, _LOW, _MORE = 7, 0x7F, 0x80
# What is there of a phase, and how it is written.
_MARK, _MARK_AS_TEXT = 1, 2
_SECONDS, _SECONDS_AS_DOUBLE = 4, 8
_POSITION = 16
_CPU_SECONDS, _CPU_SECONDS_AS_DOUBLE = 32, 64
_MEMORY = 128


def pack(phases: Iterable[PhaseClaim], since: datetime) -> bytes | None:
    """The bytes of a claim's phases, which was first reported at `since`; None for none."""
    ordered = sorted(phases, key=lambda phase: (phase.position, phase.name))
    if not ordered:
        return None
    packed = _Writer()
    packed.number(len(ordered))
    for phase in ordered:
        packed += (phase.log_id or 0).to_bytes(_LOG_BYTES)
    for place, phase in enumerate(ordered, 1):
        _pack(packed, phase, place, since)
    return bytes(packed)


def unpack(packed: bytes | None, since: datetime, log_bytes: Mapping[int, int]) -> tuple[PhaseClaim, ...]:
    """The phases that are packed, by their positions; `log_bytes` are the sizes of logs."""
    return tuple(
        PhaseClaim(
            name=one.name,
            position=one.position,
            status=one.status,
            duration_seconds=one.seconds,
            reported_at=since + one.when * _MICROSECOND,
            log_id=one.log_id,
            log_bytes=0 if one.log_id is None else log_bytes[one.log_id],
            mark=_mark(one.mark, since) if isinstance(one.mark, int) else one.mark,
            cpu_seconds=one.cpu_seconds,
            peak_memory_bytes=one.memory,
        )
        for one in _read(packed)
    )


def logs_of(packed: bytes | None) -> list[tuple[str, int | None]]:
    """The names of the phases that are packed, each with the log that it names."""
    return [(one.name, one.log_id) for one in _read(packed)]


def _pack(packed: "_Writer", phase: PhaseClaim, place: int, since: datetime) -> None:
    mark = None if phase.mark is None else _packed_mark(phase.mark, since)
    seconds, cpu_seconds = _short(phase.duration_seconds), _short(phase.cpu_seconds)
    position = None if phase.position == place else phase.position
    packed.word(phase.name, _NAMES)
    packed.word(phase.status, _STATUSES)
    packed.signed((phase.reported_at - since) // _MICROSECOND)
    packed.number(
        _flag(_MARK, mark)
        | _flag(_MARK_AS_TEXT, mark, str)
        | _flag(_SECONDS, seconds)
        | _flag(_SECONDS_AS_DOUBLE, seconds, float)
        | _flag(_POSITION, position)
        | _flag(_CPU_SECONDS, cpu_seconds)
        | _flag(_CPU_SECONDS_AS_DOUBLE, cpu_seconds, float)
        | _flag(_MEMORY, phase.peak_memory_bytes)
    )
    for value in (mark, seconds, position, cpu_seconds, phase.peak_memory_bytes):
        packed.value(value)


def _flag(flag: int, value: object, type_: type = object) -> int:
    return flag if value is not None and isinstance(value, type_) else 0


def _short(seconds: float | None) -> int | float | None:
    """Microseconds, where these are the same."""
    if seconds is None or not abs(seconds) < _MOST_SECONDS:
        return seconds
    microseconds = round(seconds * _IN_SECOND)
    return microseconds if microseconds / _IN_SECOND == seconds else seconds


def _packed_mark(mark: str, since: datetime) -> str | int:
    try:
        packed = (datetime.fromisoformat(mark).replace(tzinfo=UTC) - since) // _MICROSECOND
    except ValueError:
        return mark
    return packed if _mark(packed, since) == mark else mark


def _mark(packed: int, since: datetime) -> str:
    return (since + packed * _MICROSECOND).replace(tzinfo=None).isoformat()


class _Writer(bytearray):
    """Values one after the other."""

    def number(self, number: int) -> None:
        while number > _LOW:
            self.append(number & _LOW | _MORE)
            number >>= _BITS
        self.append(number)

    def signed(self, number: int) -> None:
        self.number(number << 1 if number >= 0 else ~number << 1 | 1)

    def text(self, text: str) -> None:
        content = text.encode()
        self.number(len(content))
        self += content

    def word(self, word: str, usual: tuple[str, ...]) -> None:
        if word in usual:
            self.number(usual.index(word) + 1)
        else:
            self.number(0)
            self.text(word)

    def value(self, value: str | float | None) -> None:
        if isinstance(value, str):
            self.text(value)
        elif isinstance(value, float):
            self += _DOUBLE.pack(value)
        elif value is not None:
            self.signed(value)


class _Phase(NamedTuple):
    """A phase as it is packed."""

    log_id: int | None
    name: str
    status: str
    when: int
    mark: str | int | None
    seconds: float | None
    position: int
    cpu_seconds: float | None
    memory: int | None


def _read(packed: bytes | None) -> Iterator[_Phase]:
    if packed is None:
        return
    reader = _Reader(packed)
    logs = [int.from_bytes(reader.take(_LOG_BYTES)) or None for _ in range(reader.number())]
    for place, log_id in enumerate(logs, 1):
        name, status, when = reader.word(_NAMES), reader.word(_STATUSES), reader.signed()
        has = reader.number()
        mark = (reader.text() if has & _MARK_AS_TEXT else reader.signed()) if has & _MARK else None
        yield _Phase(
            log_id, name, status, when, mark,
            seconds=reader.seconds(has & _SECONDS, has & _SECONDS_AS_DOUBLE),
            position=reader.signed() if has & _POSITION else place,
            cpu_seconds=reader.seconds(has & _CPU_SECONDS, has & _CPU_SECONDS_AS_DOUBLE),
            memory=reader.signed() if has & _MEMORY else None,
        )  # fmt: skip


class _Reader:
    """Reads what _Writer wrote, in the same order."""

    def __init__(self, packed: bytes) -> None:
        self._packed, self._at = packed, 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._packed[self._at - size : self._at]

    def number(self) -> int:
        number = shift = 0
        while True:
            byte = self._packed[self._at]
            self._at += 1
            number |= (byte & _LOW) << shift
            if byte <= _LOW:
                return number
            shift += _BITS

    def signed(self) -> int:
        number = self.number()
        return ~(number >> 1) if number & 1 else number >> 1

    def text(self) -> str:
        return self.take(self.number()).decode()

    def word(self, usual: tuple[str, ...]) -> str:
        number = self.number()
        return usual[number - 1] if number else self.text()

    def seconds(self, is_there: int, as_double: int) -> float | None:
        if not is_there:
            return None
        if as_double:
            seconds: float = _DOUBLE.unpack(self.take(_DOUBLE.size))[0]
            return seconds
        return self.signed() / _IN_SECOND
