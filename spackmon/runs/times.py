"""When a run ran according to one claim, and whether the times of two claims may be those of one run.

| source | its begin | its end |
|---|---|---|
| EXTENSION, PREFIX, INSTALL_DATABASE, STAGE | the run's | the run's |
| MS1 while it ran | when the client began with the package: not after the run's | arrival of the status |
| CDASH | the command's, not after the run's | package seconds added to it, not after the run's |
| JUNIT | the command's, not after the run's | as CDASH |

So the run lies somewhere within the span of CDASH and JUNIT, which ends later by what the source says of
it, and begins within that of MS1.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spackmon.status import SourceKind

if TYPE_CHECKING:
    from spackmon.runs.claim import Claim

SKEW_SECONDS = 120.0
"""How far the clocks of two machines may be apart."""

# How much later than it says a command's run may have ended, where the source does not say it.
_COMMAND_SECONDS = {SourceKind.CDASH: 900.0, SourceKind.JUNIT: 3600.0}
_GUESSED_SECONDS = 3600.0
"""What formats say of how late it may have been where nobody saw the command end."""
# How much earlier than its first command a source may say that a run began.
_LONGEST_FETCH_SECONDS = 3600.0
# How long a run may have gone on whose source does not say when it ended.
_LONGEST_CUT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a run: from `begin` to `end`, one of which may stand for both.

    `has_begin` and `has_end` tell whether that end is the run's own, not a bound. `heard_at` is when a run
    without an end was last heard of. Where the span is a whole command's (`encloses_run`), the run may have
    ended `late_seconds` after it; the command itself had not ended `busy_seconds` after it. A begin that is
    that of the first command in a log may be `fetch_seconds` late.
    """

    begin: datetime
    end: datetime
    has_begin: bool
    has_end: bool
    tolerance_seconds: float = 0.0
    heard_at: datetime | None = None
    encloses_run: bool = False
    late_seconds: float = 0.0
    busy_seconds: float = 0.0
    fetch_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds()

    def gap_seconds(self, other: "Span") -> float:
        """The time between both, 0 where they overlap."""
        if self.begin > other.end:
            return (self.begin - other.end).total_seconds()
        return max(0.0, (other.begin - self.end).total_seconds())

    def distance_seconds(self, other: "Span") -> float:
        """How far they are from being the same: by the ends, the begins, or the gap between them.

        A run is as far from a command as from the time in which that was busy.
        """
        if self.encloses_run is not other.encloses_run:
            return _outside_seconds(self, other) if self.encloses_run else _outside_seconds(other, self)
        mine, theirs = self._last, other._last
        if self.has_end and other.has_end:
            return abs((self.end - other.end).total_seconds())
        if self._has_same_begin(other):
            return abs((self.begin - other.begin).total_seconds())
        if (self.has_end or other.has_end) and mine is not None and theirs is not None:
            return abs((mine - theirs).total_seconds())
        return self.gap_seconds(other)

    def touches(self, other: "Span") -> bool:
        """Whether one run may have both: they overlap, and what both know of it is the same."""
        allowed = SKEW_SECONDS + self.tolerance_seconds + other.tolerance_seconds
        late = self.late_seconds if other.begin > self.end else other.late_seconds
        if self.gap_seconds(other) > allowed + late:
            return False
        if self.encloses_run is not other.encloses_run:
            return _has_room(self, other, allowed) and _has_room(other, self, allowed)
        if self.has_end and other.has_end and abs((self.end - other.end).total_seconds()) > allowed:
            return False
        if not self._has_same_begin(other):
            return True
        allowed += self.fetch_seconds + other.fetch_seconds
        return abs((self.begin - other.begin).total_seconds()) <= allowed

    def decides(self, other: "Span") -> bool:
        """Whether two spans that touch show one run: clocks alone may have made its times differ.

        A begin or an end is in both, or one is a command that ran while the other did. That both may have
        been at one time, as of a local time of no zone or of a run without an end, is not enough.
        """
        if self.tolerance_seconds or other.tolerance_seconds:
            return False
        if self.encloses_run is not other.encloses_run:
            run = other if self.encloses_run else self
            knows_moment = run.has_begin or run._last is not None
            # A command builds a spec once: no other run of it can have been while it was busy.
            return knows_moment and self.distance_seconds(other) <= SKEW_SECONDS
        if not (self._has_same_begin(other) or (self.has_end and other.has_end)):
            return _is_cut_at(self, other) or _is_cut_at(other, self)
        return self.distance_seconds(other) <= SKEW_SECONDS

    @property
    def _last(self) -> datetime | None:
        """When its run ended, or was last heard of."""
        return self.end if self.has_end else self.heard_at

    def _has_same_begin(self, other: "Span") -> bool:
        return (self.has_begin or self.encloses_run) and (other.has_begin or other.encloses_run)


def _is_cut_at(cut: Span, other: Span) -> bool:
    """Whether a run was last heard of when the other ended, which it had not before this began."""
    if cut.has_end or cut.heard_at is None or not other.has_end or other.end < cut.begin:
        return False
    return abs((cut.heard_at - other.end).total_seconds()) <= SKEW_SECONDS


def _has_room(command: Span, run: Span, allowed_seconds: float) -> bool:
    """Whether a run began in a command, which took as long as it: a command adds up its packages' seconds."""
    if not command.encloses_run:
        return True
    is_early = run.has_begin and (command.begin - run.begin).total_seconds() > allowed_seconds
    # A command of no length has one end alone.
    if is_early and command.seconds:
        return False
    is_whole = run.has_begin and run.has_end
    return not is_whole or run.seconds <= command.seconds + allowed_seconds


def _outside_seconds(command: Span, run: Span) -> float:
    """How long before or after a command was busy a run began or, if no source says when, ended."""
    moment = run.begin if run.has_begin else run._last
    if moment is None:
        return command.gap_seconds(run)
    early = (command.begin - moment).total_seconds()
    late = (moment - command.end).total_seconds() - command.busy_seconds
    return max(0.0, early, late)


def span_of(claim: "Claim") -> Span | None:
    """When the run ran according to this claim; None if it has no times."""
    if claim.kind is SourceKind.MS1 and claim.is_live:
        return _live(claim)
    end, moment = claim.finished_at, claim.last_reported_moment
    begin = claim.started_at
    if begin is None and end is not None and claim.duration_seconds is not None:
        begin = _before(end, claim.duration_seconds)
    if begin is None and end is None:
        return None
    first = begin if begin is not None else end
    last = moment if moment is not None else first
    assert first is not None  # noqa: S101 -- one of both is given
    assert last is not None  # noqa: S101 -- as above
    last = max(first, last)
    if claim.times_enclose_run or claim.kind in _COMMAND_SECONDS:
        late = _late_seconds(claim)
        busy = late if late < _GUESSED_SECONDS else 0.0
        return Span(first, last, False, False, encloses_run=True, late_seconds=late, busy_seconds=busy)
    has_begin, tolerance = begin is not None, claim.time_uncertainty_seconds
    if end is not None or claim.duration_seconds is not None:
        return Span(first, last, has_begin, claim.ended_as is not None, tolerance)
    # Of seconds of phases follows when it was last heard of, and a phase that failed was its end.
    was_heard = any(phase.duration_seconds is not None for phase in claim.phases)
    if was_heard and claim.ended_as is not None:
        return Span(first, last, has_begin, True, tolerance)
    heard_at = last if was_heard else None
    fetch = _LONGEST_FETCH_SECONDS if claim.kind is SourceKind.MS1 else 0.0
    return Span(
        first, _after(last, _LONGEST_CUT), has_begin, False, tolerance, heard_at, fetch_seconds=fetch
    )  # fmt: skip


def window(claim: "Claim") -> tuple[datetime, datetime] | None:
    """The time within which another claim of the run must touch: what an index finds neighbours by."""
    own = claim.span
    if own is None:
        return None
    # Half of the skew on each side: both windows overlap then where the spans are a whole one apart.
    margin = timedelta(seconds=SKEW_SECONDS / 2 + own.tolerance_seconds)
    try:
        return own.begin - margin, own.end + margin + timedelta(seconds=own.late_seconds)
    except OverflowError:
        return own.begin, own.end


def _live(claim: "Claim") -> Span:
    begin, tolerance = claim.started_at or claim.first_reported_at, claim.time_uncertainty_seconds
    last = max([begin, *(phase.reported_at for phase in claim.phases)])
    if claim.has_ended and claim.finished_at is not None:
        return Span(begin, max(begin, claim.finished_at), False, True, tolerance)
    if claim.ended_as is not None and claim.phases:
        return Span(begin, last, False, True, tolerance)
    heard_at = last if claim.phases else None
    if claim.outcome == claim.status:
        last = _after(last, _LONGEST_CUT)
    return Span(begin, last, False, False, tolerance, heard_at)


def _late_seconds(claim: "Claim") -> float:
    return claim.time_uncertainty_seconds or _COMMAND_SECONDS.get(claim.kind, 0.0)


def _after(moment: datetime, delay: timedelta) -> datetime:
    try:
        return moment + delay
    except OverflowError:
        return moment


def _before(moment: datetime, seconds: float) -> datetime:
    try:
        return moment - timedelta(seconds=seconds)
    except OverflowError:
        return moment
