"""What a run was, from its claims: each fact from the claim that knows it best.

| fact | taken from |
|---|---|
| status | a reported end, by PRECEDENCE; else what follows from the claims (`Claim.outcome`) |
| start, end, duration | the first by _worse_clock: the run's own, certain, with both ends; then by _CLOCKS |
| machine | each field from the first that names it; CDASH and JUNIT name no machine beside others |
| Spack, prefix, variables, arguments, manifest, CI job | the first by PRECEDENCE that has it |
| tags | all of them |
| phases | `spackmon.runs.phases` |
| errors, warnings | of each kind, the first by _EVENT_PRECEDENCE that has any |
| results of an analyzer | the first by PRECEDENCE that has them |
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from spackmon.runs.claim import OF_COMMANDS, Claim, Machine, worst
from spackmon.runs.evidence import is_upload_of
from spackmon.runs.phases import RunPhase, phases_of
from spackmon.runs.resolve import Group
from spackmon.runs.times import SKEW_SECONDS
from spackmon.status import FINISHED, BuildStatus, EventKind, InstalledFrom, SourceKind

PRECEDENCE = (
    SourceKind.EXTENSION,
    SourceKind.MS1,
    SourceKind.PREFIX,
    SourceKind.INSTALL_DATABASE,
    SourceKind.STAGE,
    SourceKind.FAILURE_MARKER,
    SourceKind.JUNIT,
    SourceKind.CDASH,
)
"""Who saw a run best: who was there, then what it left, then what a command reported afterwards."""

_EVENT_PRECEDENCE = (
    SourceKind.CDASH,
    SourceKind.EXTENSION,
    SourceKind.JUNIT,
    SourceKind.MS1,
    SourceKind.STAGE,
)
# Seconds that a source took itself count more than the times of a copy or of requests.
_CLOCKS = (
    SourceKind.EXTENSION,
    SourceKind.PREFIX,
    SourceKind.MS1,
    SourceKind.STAGE,
    SourceKind.INSTALL_DATABASE,
    SourceKind.FAILURE_MARKER,
    SourceKind.JUNIT,
    SourceKind.CDASH,
)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Times:
    """When a run ran; `end_is_inferred` where no source said when it ended."""

    started_at: datetime | None
    finished_at: datetime | None
    duration_seconds: float | None
    end_is_inferred: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One run; `events_of` names the claim that stands for a kind of event, `analyses_of` for an analyzer."""

    claims: Group
    owner_id: int
    spec_id: int | None
    spec_hash: str | None
    package_id: int | None
    machine: Machine
    status: BuildStatus
    times: Times
    first_reported_at: datetime
    spack_version: str | None
    spack_revision: str | None
    prefix: str | None
    installed_from: InstalledFrom | None
    environment_set_id: int | None
    manifest_id: int | None
    configure_arguments: str | None
    ci_job_id: int | None
    tags: frozenset[str]
    phases: tuple[RunPhase, ...]
    events_of: Mapping[EventKind, int]
    analyses_of: Mapping[str, int]

    @property
    def cpu_seconds(self) -> float | None:
        """Those of its phases together, as far as they are known; None where none is."""
        known = [phase.cpu_seconds for phase in self.phases if phase.cpu_seconds is not None]
        return sum(known) if known else None

    @property
    def peak_memory_bytes(self) -> int | None:
        """The most of any phase; None where none is known."""
        known = (phase.peak_memory_bytes for phase in self.phases)
        return max((peak for peak in known if peak is not None), default=None)


def run_of(claims: Group) -> Run:
    """The run that these claims speak of."""
    best = sorted(claims, key=lambda claim: (PRECEDENCE.index(claim.kind), claim.name))

    def first(fact: Callable[[Claim], Value | None]) -> Value | None:
        return next((value for claim in best if (value := fact(claim)) is not None), None)

    status, is_reported = _status(best)
    return Run(
        claims=claims,
        owner_id=next((claim.owner_id for claim in best if claim.owner_is_certain), best[0].owner_id),
        spec_id=first(lambda claim: None if claim.is_weak_spec else claim.spec_id)
        or first(lambda claim: claim.spec_id),
        spec_hash=first(lambda claim: claim.spec_hash),
        package_id=first(lambda claim: claim.package_id),
        machine=_machine(best),
        status=status,
        times=_times(best, status, is_reported),
        first_reported_at=min(claim.first_reported_at for claim in claims),
        spack_version=first(lambda claim: claim.spack_version or None),
        spack_revision=first(lambda claim: claim.spack_revision or None),
        prefix=first(lambda claim: claim.prefix),
        installed_from=first(lambda claim: claim.comes_from),
        environment_set_id=first(lambda claim: claim.environment_set_id),
        manifest_id=first(lambda claim: claim.manifest_id),
        configure_arguments=first(lambda claim: claim.configure_arguments),
        ci_job_id=first(lambda claim: claim.ci_job_id),
        tags=frozenset().union(*(claim.tags for claim in claims)),
        phases=phases_of(best, has_failed=status is BuildStatus.FAILED),
        events_of=_events(best),
        analyses_of=_analyses(best),
    )


def _status(best: Sequence[Claim]) -> tuple[BuildStatus, bool]:
    """How the run stands, and whether a source said so."""
    for claim in best:
        if claim.has_ended:
            return claim.status, True
    return worst(claim.outcome for claim in best), False


def _machine(best: Sequence[Claim]) -> Machine:
    there = [claim.machine for claim in best if claim.kind not in OF_COMMANDS]
    named = [machine for machine in there if machine != Machine()]
    if not named:
        named = [claim.machine for claim in best]
        return _completed(named)
    machine = _completed(named)
    beside = _completed([claim.machine for claim in best if claim.kind in OF_COMMANDS])
    # A site need not be a host, nor the release of a kernel its version.
    return machine.completed(Machine(platform=beside.platform, target=beside.target))


def _completed(machines: Iterable[Machine]) -> Machine:
    machine = Machine()
    for other in machines:
        machine = machine.completed(other)
    return machine


def _times(best: Sequence[Claim], status: BuildStatus, is_reported: bool) -> Times:
    all_timed = [claim for claim in best if claim.span is not None]
    timed = sorted((claim for claim in all_timed if not _is_upload(claim, all_timed)), key=_worse_clock)
    has_ended = status in FINISHED
    if not timed:
        last = max(claim.last_reported_at for claim in best) if has_ended else None
        seconds = next((c.duration_seconds for c in best if c.duration_seconds is not None), None)
        return Times(None, last, seconds, end_is_inferred=has_ended)
    started_at, finished_at, seconds = _ends(timed)
    if not has_ended:
        return Times(started_at, None, None, end_is_inferred=False)
    is_inferred = finished_at is None or not is_reported
    if finished_at is None:
        finished_at = max(moment for claim in timed if (moment := _last_moment(claim)) is not None)
    return Times(started_at, finished_at, seconds, is_inferred)


def _is_upload(claim: Claim, others: Collection[Claim]) -> bool:
    """Whether requests of ms1 came when the run had ended, as another source knows: times of an upload."""
    if claim.kind is not SourceKind.MS1 or not claim.is_live or claim.span is None:
        return False
    beside = [other for other in others if other is not claim]
    if any(is_upload_of(claim, other) for other in beside):
        return True
    ends = [other.span for other in beside if other.span is not None and other.span.has_end]
    return any(end.end <= claim.span.begin and end.tolerance_seconds <= SKEW_SECONDS for end in ends)


def _worse_clock(claim: Claim) -> tuple[bool, bool, bool, int, tuple[str, str, int]]:
    """What sorts the best clock first: the run's own, certain, with both ends."""
    has_both = claim.duration_seconds is not None or (
        claim.started_at is not None and claim.finished_at is not None
    )
    is_uncertain = claim.time_uncertainty_seconds > SKEW_SECONDS
    return _is_bound(claim), is_uncertain, not has_both, _CLOCKS.index(claim.kind), claim.name


def _is_bound(claim: Claim) -> bool:
    """Whether its times are those of a whole command, which say nothing of how long its parts took."""
    return claim.times_enclose_run or claim.kind in OF_COMMANDS


def _ends(timed: Sequence[Claim]) -> tuple[datetime | None, datetime | None, float | None]:
    """Start, end and duration of the best clock; where it has one end alone, the other of the next."""
    claim = timed[0]
    started_at, finished_at, seconds = claim.started_at, claim.finished_at, claim.duration_seconds
    if started_at is None and finished_at is not None and seconds is not None and claim.span is not None:
        started_at = claim.span.begin
    if finished_at is None and started_at is not None and seconds is not None:
        finished_at = claim.last_reported_moment
    is_own = not _is_bound(claim)
    if not is_own and seconds is not None and started_at is not None:
        # The command's begin, and the run's own length: together they are bounds that agree.
        finished_at = started_at + timedelta(seconds=seconds)
    for other in timed[1:]:
        both = _with_other_end(claim, started_at, finished_at, other)
        if both is not None:
            (started_at, finished_at), is_own = both, is_own and not _is_bound(other)
    if started_at is not None and finished_at is not None:
        finished_at = max(started_at, finished_at)
    if seconds is None and is_own and started_at is not None and finished_at is not None:
        seconds = max(0.0, (finished_at - started_at).total_seconds())
    return started_at, finished_at, seconds


def _with_other_end(
    claim: Claim, started_at: datetime | None, finished_at: datetime | None, other: Claim
) -> tuple[datetime, datetime] | None:
    """Both ends, the missing one from another claim; None where none is missing, or that has it not."""
    begun, ended = other.started_at, other.finished_at if other.has_ended else None
    is_rough = _is_bound(other) or other.time_uncertainty_seconds > SKEW_SECONDS
    if is_rough and claim.is_live and claim.ended_as is BuildStatus.FAILED:
        # The phase that failed was reported as it did: that is nearer than a sum of seconds, or any zone.
        ended = _last_moment(claim)
    if started_at is None and finished_at is not None and begun is not None:
        return (min(begun, finished_at), finished_at) if _in_order(begun, finished_at) else None
    if finished_at is None and started_at is not None and ended is not None:
        return (started_at, max(started_at, ended)) if _in_order(started_at, ended) else None
    return None


def _in_order(begun: datetime, ended: datetime) -> bool:
    """Whether a run may have these two from two clocks: a short one may seem to end before it began."""
    return (begun - ended).total_seconds() <= SKEW_SECONDS


def _last_moment(claim: Claim) -> datetime | None:
    if claim.is_live:
        return max([claim.started_at or claim.first_reported_at, *(p.reported_at for p in claim.phases)])
    return claim.last_reported_moment


def _events(best: Sequence[Claim]) -> Mapping[EventKind, int]:
    """Who stands for the errors and who for the warnings: a source may look for one of them alone."""
    chosen: dict[EventKind, int] = {}
    for claim in sorted(best, key=lambda claim: _position(_EVENT_PRECEDENCE, claim.kind)):
        for kind in claim.event_kinds:
            chosen.setdefault(kind, claim.id)
    return chosen


def _analyses(best: Sequence[Claim]) -> Mapping[str, int]:
    chosen: dict[str, int] = {}
    for claim in best:
        for analyzer in sorted(claim.analyzers):
            chosen.setdefault(analyzer, claim.id)
    return chosen


def _position(order: Sequence[SourceKind], kind: SourceKind) -> int:
    return order.index(kind) if kind in order else len(order)
