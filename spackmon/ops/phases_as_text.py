"""The phases of a claim as migrations 0038 to 0058 kept them: a list of lists in JSON.

A phase is `[name, status, when, log, mark, seconds, position, CPU seconds, memory]`, without what is null at
its end. Usual names and statuses are numbers. `when` it was reported is in microseconds since the claim was,
and so is a mark that is written as `datetime.isoformat` does; a position that is the place in the list is
null. `log` is the number of a row.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from spackmon.runs.claim import PhaseClaim

_NAMES = (
    "fetch", "stage", "patch", "unpack", "preprocess", "bootstrap", "autoreconf", "hostconfig", "initconfig",
    "edit", "cmake", "qmake", "meson", "configure", "build", "check", "build_test", "install", "installcheck",
    "install_test", "post-install", "test", "spack-build-out", "generate_luarocks_config",
)  # fmt: skip
_STATUSES = ("SUCCESS", "ERROR")
_NAME_NUMBERS, _STATUS_NUMBERS = (
    {word: number for number, word in enumerate(words)} for words in (_NAMES, _STATUSES)
)
_MICROSECOND = timedelta(microseconds=1)


def pack(phases: Iterable[PhaseClaim], since: datetime) -> str | None:
    """The text of a claim's phases, which was first reported at `since`; None for none."""
    ordered = sorted(phases, key=lambda phase: (phase.position, phase.name))
    packed = [_packed(phase, place, since) for place, phase in enumerate(ordered, 1)]
    return json.dumps(packed, ensure_ascii=False, separators=(",", ":")) if packed else None


def unpack(packed: str, since: datetime) -> list[PhaseClaim]:
    """The phases of a packed text, by their positions, without the sizes of their logs."""
    return [_unpacked(row, place, since) for place, row in enumerate(json.loads(packed), 1)]


def _packed(phase: PhaseClaim, place: int, since: datetime) -> list[Any]:
    row = [
        _NAME_NUMBERS.get(phase.name, phase.name),
        _STATUS_NUMBERS.get(phase.status, phase.status),
        (phase.reported_at - since) // _MICROSECOND,
        phase.log_id,
        None if phase.mark is None else _packed_mark(phase.mark, since),
        phase.duration_seconds,
        None if phase.position == place else phase.position,
        phase.cpu_seconds,
        phase.peak_memory_bytes,
    ]
    while row[-1] is None:
        row.pop()
    return row


def _unpacked(row: list[Any], place: int, since: datetime) -> PhaseClaim:
    values = dict(zip(count(), row, strict=False))
    mark = values.get(4)
    return PhaseClaim(
        name=_NAMES[row[0]] if isinstance(row[0], int) else row[0],
        position=place if values.get(6) is None else values[6],
        status=_STATUSES[row[1]] if isinstance(row[1], int) else row[1],
        duration_seconds=values.get(5),
        reported_at=since + row[2] * _MICROSECOND,
        log_id=values.get(3),
        mark=_mark(mark, since) if isinstance(mark, int) else mark,
        cpu_seconds=values.get(7),
        peak_memory_bytes=values.get(8),
    )


def _packed_mark(mark: str, since: datetime) -> str | int:
    try:
        packed = (datetime.fromisoformat(mark).replace(tzinfo=UTC) - since) // _MICROSECOND
    except ValueError:
        return mark
    return packed if _mark(packed, since) == mark else mark


def _mark(packed: int, since: datetime) -> str:
    return (since + packed * _MICROSECOND).replace(tzinfo=None).isoformat()
