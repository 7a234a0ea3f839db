"""Two reports of one source are one claim: the same in any order, and twice as once."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from spackmon.graph.identity import STRENGTH
from spackmon.runs.claim import PHASE_FAILED, Claim, Machine, PhaseClaim, worst

RankOfRow = Callable[[str, int], Any]
"""How a row of a table, given by its number, sorts among others: by what it holds."""


def _by_number(_table: str, row_id: int) -> int:
    return row_id


def completed(one: Claim, other: Claim, rank: RankOfRow = _by_number) -> Claim:
    """What two reports of one source say together.

    The spec is what the stronger hash of both names. A beginning only becomes earlier and an end later; of
    two texts the longer one counts, of two logs of a phase the longer one, of other contents the one that
    `rank` puts last.
    """
    named = max(one, other, key=_strength_of_name)
    package_id = named.package_id
    if named.spec_id is None:
        package_id = _either("package", one.package_id, other.package_id, rank)
    return dataclasses.replace(
        one,
        status=worst((one.status, other.status)),
        is_live=one.is_live and other.is_live,
        package_id=package_id,
        spec_id=named.spec_id,
        spec_hash=named.spec_hash,
        spec_hash_kind=named.spec_hash_kind,
        machine=Machine(
            *(max(getattr(one.machine, f.name), getattr(other.machine, f.name), key=_by_length)
              for f in dataclasses.fields(Machine))
        ),
        started_at=min(_known(one.started_at, other.started_at), default=None),
        finished_at=max(_known(one.finished_at, other.finished_at), default=None),
        duration_seconds=max(_known(one.duration_seconds, other.duration_seconds), default=None),
        time_uncertainty_seconds=max(one.time_uncertainty_seconds, other.time_uncertainty_seconds),
        times_enclose_run=one.times_enclose_run or other.times_enclose_run,
        # A client that was given up is there after all.
        abandoned_at=None,
        spack_version=_longer(one.spack_version, other.spack_version),
        spack_revision=_longer(one.spack_revision, other.spack_revision),
        prefix=_longer(one.prefix, other.prefix),
        installed_from=max(_known(one.installed_from, other.installed_from), default=None),
        environment_set_id=_either("environment_set", one.environment_set_id, other.environment_set_id, rank),
        manifest_id=_either("manifest", one.manifest_id, other.manifest_id, rank),
        configure_arguments=_longer(one.configure_arguments, other.configure_arguments),
        ci_job_id=_either("ci_job", one.ci_job_id, other.ci_job_id, rank),
        tags=one.tags | other.tags,
        phases=_phases(one.phases, other.phases, rank),
    )  # fmt: skip


def _strength_of_name(claim: Claim) -> tuple[bool, int, str]:
    kind, shown = claim.spec_hash_kind, claim.spec_hash
    return shown is not None, -1 if kind is None else STRENGTH[kind], shown or ""


def _phases(
    one: Iterable[PhaseClaim], other: Iterable[PhaseClaim], rank: RankOfRow
) -> tuple[PhaseClaim, ...]:
    by_name: dict[str, PhaseClaim] = {}
    for phase in (*one, *other):
        known = by_name.get(phase.name)
        by_name[phase.name] = phase if known is None else _phase(known, phase, rank)
    return tuple(sorted(by_name.values(), key=lambda phase: (phase.position, phase.name)))


def _phase(one: PhaseClaim, other: PhaseClaim, rank: RankOfRow) -> PhaseClaim:
    logged = max(one, other, key=lambda phase: phase.log_bytes)
    if one.log_bytes == other.log_bytes:
        logged = one if _either("log", one.log_id, other.log_id, rank) == one.log_id else other
    statuses = {one.status, other.status}
    return PhaseClaim(
        name=one.name,
        position=max(one.position, other.position),
        status=PHASE_FAILED if PHASE_FAILED in statuses else max(statuses),
        duration_seconds=max(_known(one.duration_seconds, other.duration_seconds), default=None),
        reported_at=min(one.reported_at, other.reported_at),
        log_id=logged.log_id,
        log_bytes=logged.log_bytes,
        mark=logged.mark,
        cpu_seconds=max(_known(one.cpu_seconds, other.cpu_seconds), default=None),
        peak_memory_bytes=max(_known(one.peak_memory_bytes, other.peak_memory_bytes), default=None),
    )


def _known(*values: Any) -> list[Any]:
    return [value for value in values if value is not None]


def _either(table: str, one: int | None, other: int | None, rank: RankOfRow) -> int | None:
    if one is None or other is None or one == other:
        return other if one is None else one
    return max(one, other, key=lambda row_id: rank(table, row_id))


def _longer(one: str | None, other: str | None) -> str | None:
    return max(_known(one, other), key=_by_length, default=None)


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text
