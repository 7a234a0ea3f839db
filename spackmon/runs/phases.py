"""The phases of a run, from those that its claims report.

A phase has its status from the claim that saw it best, a failure before all; its seconds, its resources and
its log each from the best claim that has them, of logs the longer one. The log of a whole run stands as a
phase of its own, unless the phases' own logs hold most of it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spackmon.logs.phase_order import ordered
from spackmon.status import SourceKind

if TYPE_CHECKING:
    from spackmon.runs.claim import Claim, PhaseClaim

WHOLE_LOG = "spack-build-out"
"""The phase that stands for a whole run whose source does not divide its log."""

_FAILED = "ERROR"


@dataclass(frozen=True, slots=True)
class RunPhase:
    """A phase of a run, `position` counting from 1 in the order in which they ran."""

    name: str
    position: int
    status: str
    duration_seconds: float | None
    reported_at: datetime
    log_id: int | None
    cpu_seconds: float | None
    peak_memory_bytes: int | None


def phases_of(best: Sequence["Claim"], *, has_failed: bool) -> tuple[RunPhase, ...]:
    """The phases that claims report, the best claim first, of a run that has failed or not."""
    by_name: dict[str, list[PhaseClaim]] = {}
    for claim in best:
        for phase in claim.phases:
            by_name.setdefault(phase.name, []).append(phase)
    _drop_whole_log(by_name)
    whole = [WHOLE_LOG] if WHOLE_LOG in by_name else []
    lists = [names for claim in best for names in _orders(claim, set(by_name) - {WHOLE_LOG})]
    return tuple(
        _phase(by_name[name], position, has_failed)
        for position, name in enumerate((*whole, *ordered(lists)), 1)
    )


def _orders(claim: "Claim", known: Collection[str]) -> list[list[str]]:
    """What a claim says of the order of phases: all of it, if its logs or one report say it, else nothing."""
    phases = [phase for phase in claim.phases if phase.name in known]
    marks = {phase.mark for phase in phases if phase.mark is not None}
    if len(marks) == len(phases):
        return [[phase.name for phase in sorted(phases, key=lambda phase: phase.mark or "")]]
    if claim.kind is SourceKind.MS1 and not claim.is_live:
        # Files of a saved run are uploaded in the order of their names.
        marked = sorted((p for p in phases if p.mark is not None), key=lambda phase: phase.mark or "")
        return [[phase.name for phase in marked], *([phase.name] for phase in phases if phase.mark is None)]
    if len({phase.position for phase in phases}) == len(phases):
        return [[phase.name for phase in sorted(phases, key=lambda phase: phase.position)]]
    # Reports that came one by one: each is known by itself.
    return [[phase.name] for phase in sorted(phases, key=lambda phase: (phase.reported_at, phase.name))]


def _phase(reported: Sequence["PhaseClaim"], position: int, has_failed: bool) -> RunPhase:
    worst = next((phase for phase in reported if phase.status == _FAILED), reported[0])
    with_log = [phase for phase in reported if phase.log_bytes]
    log = max(with_log, key=lambda phase: phase.log_bytes, default=None)
    name = reported[0].name
    return RunPhase(
        name=name,
        position=position,
        # What a log that is not divided shows is the phase that failed.
        status=_FAILED if name == WHOLE_LOG and has_failed else worst.status,
        duration_seconds=next((p.duration_seconds for p in reported if p.duration_seconds is not None), None),
        reported_at=min(phase.reported_at for phase in reported),
        log_id=None if log is None else log.log_id,
        cpu_seconds=next((p.cpu_seconds for p in reported if p.cpu_seconds is not None), None),
        peak_memory_bytes=next(
            (p.peak_memory_bytes for p in reported if p.peak_memory_bytes is not None), None
        ),
    )


def _drop_whole_log(by_name: dict[str, list["PhaseClaim"]]) -> None:
    whole = by_name.get(WHOLE_LOG)
    if whole is None or len(by_name) == 1:
        return
    divided = sum(
        max(phase.log_bytes for phase in reported) for name, reported in by_name.items() if name != WHOLE_LOG
    )
    if 2 * divided >= max(phase.log_bytes for phase in whole):
        del by_name[WHOLE_LOG]
