"""What the requests of a client of ms1 say of its runs: claims that grow request by request.

A client names no run: it asks for a build and then reports about that number. What it reports belongs to the
newest claim of that number, with these exceptions:

- The client had announced a re-run after the claim began: its next report begins another claim. Clients
  ask for a build once a run, and 0.16 and 0.17 never finish the package that broke, so that an announcement
  is the only sign that its run is over.
- The claim has a reported end, nothing was announced:
  - a phase that the claim has already begins another one;
  - a phase that it does not have arrived late (`monitor upload` replays statuses before phases) and is added;
  - a status equal to the claim's is no change (0.18 marks a failed package twice);
  - any other status begins another one.

What comes late, has a log that was written long before, or came in less time than its logs took, was not
reported while it ran: its times are those in its logs, without their zone, and not those of its arrival.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from spackmon.runs.claim import Claim, PhaseClaim
from spackmon.status import FINISHED, BuildStatus

_ZONES = timedelta(hours=14)
"""How far a local time may be from UTC."""
_SLACK = timedelta(minutes=2)
_DELAY = timedelta(seconds=10)
"""How much later than another a request may have been taken that was sent as soon."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The newest claim of a build that a client asked for; `next_run` is what it announced after that began.

    That is JSON: `at`, `spack_version` and `tags` of the run to come.
    """

    claim: Claim
    next_run: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether its run has ended, or another one has been announced."""
        return self.next_run is not None or self.claim.has_ended


def asked_again(
    one: Conversation, now: datetime, spack_version: str | None, tags: Collection[str], *, announces_run: bool
) -> Conversation:
    """The conversation after its client asked for the build once more; the same if that says nothing."""
    claim = one.claim
    begun = claim.status is not BuildStatus.NOTRUN or bool(claim.phases)
    if begun and announces_run:
        # One that an earlier command announced never ran.
        announced = {"at": now.isoformat(), "spack_version": spack_version, "tags": sorted(tags)}
        return replace(one, next_run=json.dumps(announced))
    if announces_run:
        # What an earlier command announced never ran: its words are not this run's.
        return replace(one, claim=replace(
            claim, tags=frozenset(tags), is_live=True, started_at=now, cancelled_at=None,
            spack_version=spack_version, last_reported_at=now,
        ))  # fmt: skip
    if not set(tags) <= claim.tags:
        return replace(one, claim=replace(claim, tags=claim.tags | set(tags)))
    return one


def following(one: Conversation, now: datetime, *, began_at: datetime | None) -> Conversation:
    """The next run of a build, as it was announced; else it began at `began_at`."""
    announced = json.loads(one.next_run) if one.next_run else {}
    before = one.claim
    series, _, number = before.key.rpartition("/")
    return Conversation(Claim(
        id=0, owner_id=before.owner_id, owner_is_certain=True, kind=before.kind,
        key=f"{series}/{int(number) + 1}", first_reported_at=now, last_reported_at=now,
        package_id=before.package_id, spec_id=before.spec_id, spec_hash=before.spec_hash,
        spec_hash_kind=before.spec_hash_kind, machine=before.machine, is_live=True,
        started_at=datetime.fromisoformat(announced["at"]) if announced else began_at,
        spack_version=announced.get("spack_version", before.spack_version),
        tags=frozenset(announced.get("tags", ())),
    ))  # fmt: skip


def says_nothing(one: Conversation, status: BuildStatus) -> bool:
    """Whether a status is that of a run which has ended already."""
    return one.is_over and one.next_run is None and status is one.claim.status


def with_status(claim: Claim, status: BuildStatus, now: datetime) -> Claim:
    """The claim of a run that goes on, with a status that came `now`."""
    return replace(
        claim, status=status, finished_at=now if status in FINISHED and claim.is_live else None,
        cancelled_at=None, abandoned_at=None, last_reported_at=now,
    )  # fmt: skip


def begins_another(one: Conversation, phase_name: str) -> bool:
    """Whether a phase is of a run after the one that the claim is of."""
    is_known = any(phase.name == phase_name for phase in one.claim.phases)
    return one.is_over and (is_known or one.next_run is not None)


def with_phase(claim: Claim, phase: PhaseClaim, now: datetime) -> Claim:
    """The claim with a phase that came `now`, in place of one of its name; the same if that is equal."""
    known = {one.name: one for one in claim.phases}
    if known.get(phase.name) == phase and claim.cancelled_at is claim.abandoned_at is None:
        return claim
    after = replace(
        claim,
        phases=tuple({**known, phase.name: phase}.values()),
        status=BuildStatus.RUNNING if claim.status is BuildStatus.NOTRUN else claim.status,
        cancelled_at=None, abandoned_at=None, last_reported_at=now,
    )  # fmt: skip
    is_late = not after.is_live or after.has_ended or _is_late(phase, claim, now) or _is_hasty(after, now)
    return _as_it_ran(after) if is_late else after


def _is_late(phase: PhaseClaim, before: Claim, now: datetime) -> bool:
    """Whether a phase's log was begun before a client that is running could have begun it."""
    if phase.mark is None:
        return False
    began_at = datetime.fromisoformat(phase.mark).replace(tzinfo=UTC)
    last = max([before.started_at or now, *(one.reported_at for one in before.phases)])
    return not last - _ZONES - _SLACK <= began_at <= now + _ZONES + _SLACK


def _is_hasty(claim: Claim, now: datetime) -> bool:
    """Whether the times in the logs are further apart than the requests: nobody runs faster than his logs."""
    began = [datetime.fromisoformat(phase.mark) for phase in claim.phases if phase.mark is not None]
    heard_at = min(phase.reported_at for phase in claim.phases)
    # A run that nobody announced was heard of when its first phase was over.
    if claim.started_at is None or claim.started_at >= heard_at or not began:
        return False
    return max(began) - min(began) > now - claim.started_at + _DELAY


def _as_it_ran(claim: Claim) -> Claim:
    """The claim with the times in its logs, since its reports came long after the run."""
    began = [datetime.fromisoformat(p.mark).replace(tzinfo=UTC) for p in claim.phases if p.mark is not None]
    return replace(
        claim, is_live=False, finished_at=None, started_at=min(began, default=None),
        time_uncertainty_seconds=_ZONES.total_seconds() if began else 0.0,
    )  # fmt: skip
