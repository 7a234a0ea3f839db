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
# How much earlier than its first command a source may say that a run began.
_LONGEST_FETCH_SECONDS = 3600.0
# How long a run may have gone on whose source does not say when it ended.
_LONGEST_CUT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Span:
    """The time of a run: from `begin` to `end`, one of which may stand for both.

    `has_begin` and `has_end` tell whether that end is the run's own, not a bound. Where the span is a whole
    command's (`encloses_run`), the run may have ended `late_seconds` after it.
    """

    begin: datetime
    end: datetime
    has_begin: bool
    has_end: bool
    tolerance_seconds: float = 0.0
    encloses_run: bool = False
    late_seconds: float = 0.0

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
        """How far they are from being the same: by the ends, the begins, or the gap between them."""
        if self.has_end and other.has_end:
            return abs((self.end - other.end).total_seconds())
        if self.has_begin and other.has_begin:
            return abs((self.begin - other.begin).total_seconds())
        return self.gap_seconds(other)

    def touches(self, other: "Span") -> bool:
        """Whether one run may have both: they overlap, and neither its length nor both ends differ."""
        allowed = SKEW_SECONDS + self.tolerance_seconds + other.tolerance_seconds
        late = self.late_seconds if other.begin > self.end else other.late_seconds
        if self.gap_seconds(other) > allowed + late:
            return False
        if self.encloses_run or other.encloses_run:
            return _has_room(self, other, allowed) and _has_room(other, self, allowed)
        if not (self.has_begin and other.has_begin):
            return True
        if not (self.has_end and other.has_end):
            # A run that nobody saw end must at least have begun with the other: a fetch is in some begins.
            return abs((self.begin - other.begin).total_seconds()) <= allowed + _LONGEST_FETCH_SECONDS
        return (
            abs((self.begin - other.begin).total_seconds()) <= allowed
            or abs((self.end - other.end).total_seconds()) <= allowed
        )


def _has_room(command: Span, run: Span, allowed_seconds: float) -> bool:
    """Whether a run began in a command, which took as long as it: a command adds up its packages' seconds."""
    if not command.encloses_run or run.encloses_run:
        return True
    is_early = run.has_begin and (command.begin - run.begin).total_seconds() > allowed_seconds
    # A command of no length has one end alone.
    if is_early and command.seconds:
        return False
    is_whole = run.has_begin and run.has_end
    return not is_whole or run.seconds <= command.seconds + allowed_seconds


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
    is_enclosing = claim.times_enclose_run or claim.kind in _COMMAND_SECONDS
    has_begin = begin is not None and not is_enclosing
    tells_end = end is not None or claim.duration_seconds is not None
    first = begin if begin is not None else end
    last = moment if moment is not None else first
    assert first is not None  # noqa: S101 -- one of both is given
    assert last is not None  # noqa: S101 -- as above
    if is_enclosing:
        last, late = max(first, last), _late_seconds(claim)
        return Span(first, last, has_begin, False, encloses_run=True, late_seconds=late)
    if not tells_end:
        last = _after(last, _LONGEST_CUT)
    has_end = claim.has_ended and tells_end
    return Span(first, max(first, last), has_begin, has_end, claim.time_uncertainty_seconds)


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
    begin = claim.started_at or claim.first_reported_at
    if claim.has_ended and claim.finished_at is not None:
        return Span(begin, max(begin, claim.finished_at), False, True, claim.time_uncertainty_seconds)
    last = max([begin, *(phase.reported_at for phase in claim.phases)])
    if claim.outcome == claim.status:
        last = _after(last, _LONGEST_CUT)
    return Span(begin, last, False, False, claim.time_uncertainty_seconds)


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
