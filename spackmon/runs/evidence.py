"""Whether two claims may speak of one run, and what says that they do.

Facts that both know and that differ contradict: owner, package, spec, machine, Spack, prefix, how it ended,
where it was installed from, when it ran, and two names of one kind of source. Times in logs, equal to the
microsecond, prove one run whatever the reports' own times and names: a run that was saved is uploaded
later, and twice.
"""

from dataclasses import dataclass

from spackmon.runs.claim import OF_COMMANDS, Claim, same_prefix, same_revision, same_version
from spackmon.runs.times import SKEW_SECONDS, Span
from spackmon.status import BuildStatus, SourceKind

_LEFT_BEHIND = frozenset({SourceKind.STAGE, SourceKind.FAILURE_MARKER})
# What is there now was made by the last success.
OF_LAST_SUCCESS = frozenset({SourceKind.PREFIX, SourceKind.INSTALL_DATABASE, SourceKind.MS1})


@dataclass(frozen=True, slots=True)
class Evidence:
    """How strongly two claims agree: by time, and as far as clocks allow to tell by facts that both know."""

    agreement: int
    distance_seconds: float

    @property
    def rank(self) -> tuple[int, int, float]:
        """What sorts the strongest first."""
        return int(self.distance_seconds // SKEW_SECONDS), -self.agreement, self.distance_seconds

    def is_clearly_better(self, other: "Evidence") -> bool:
        """Whether clocks that are off could not have made the other the better one."""
        return other.distance_seconds - self.distance_seconds > SKEW_SECONDS


def same_logs(one: Claim, other: Claim) -> bool:
    """Whether their logs prove one run."""
    if one.marks & other.marks:
        return True
    if not one.kind is other.kind is SourceKind.MS1 or (one.is_live and other.is_live):
        return False
    # A run that is uploaded again: its logs say no times, but all that both have is equal.
    logs = {phase.name: phase.log_id for phase in one.phases if phase.log_bytes}
    both = [
        (logs[phase.name], phase.log_id) for phase in other.phases if phase.log_bytes and phase.name in logs
    ]
    return bool(both) and all(mine == theirs for mine, theirs in both)


def same_spec(one: Claim, other: Claim) -> bool:
    """Whether both know what was built, and it is the same."""
    if one.spec_id is not None and other.spec_id is not None:
        return one.spec_id == other.spec_id or _shares_weak_hash(one, other)
    return (
        one.spec_hash is not None
        and one.spec_id is other.spec_id is None
        and one.spec_hash == other.spec_hash
    )


def _shares_weak_hash(one: Claim, other: Claim) -> bool:
    # What lies on disk may name a spec by a DAG hash that several share: any of them may be meant.
    is_weak = one.is_weak_spec or other.is_weak_spec
    return is_weak and one.dag_hash is not None and one.dag_hash == other.dag_hash


def is_upload_of(one: Claim, other: Claim) -> bool:
    """Whether `one` are requests of ms1 that came as an upload of a run that `other` proves by its logs.

    A client sends what runs or saves it: what came twice, or had ended before it came, was saved.
    """
    if one.kind is not SourceKind.MS1 or not one.is_live or not same_logs(one, other):
        return False
    return other.kind is SourceKind.MS1 or _at_different_times(one, other)


def contradict(one: Claim, other: Claim, *, in_time: bool = True) -> bool:
    """Whether something that both know keeps them from being one run; their times with `in_time` alone."""
    if _different_facts(one, other):
        return True
    # Requests of ms1 have the times and the number of an upload, which may come at any time and twice.
    if SourceKind.MS1 in (one.kind, other.kind) and same_logs(one, other):
        return False
    two_names = one.kind is other.kind and one.key != other.key
    # A time to the microsecond in both logs says more than a clock that was read before or after the run.
    in_time = in_time and not one.marks & other.marks
    return two_names or _ended_differently(one, other) or (in_time and _at_different_times(one, other))


def _different_facts(one: Claim, other: Claim) -> bool:
    return (
        (one.owner_id != other.owner_id and one.owner_is_certain and other.owner_is_certain)
        or _differ(one.package_id, other.package_id)
        or _different_specs(one, other)
        or _different_machines(one, other)
        or not same_version(one.spack_version, other.spack_version)
        or not same_revision(one.spack_revision, other.spack_revision)
        or not same_prefix(one.prefix, other.prefix)
        or _differ(one.comes_from, other.comes_from)
    )


def _differ(one: object, other: object) -> bool:
    return one is not None and other is not None and one != other


def _different_specs(one: Claim, other: Claim) -> bool:
    # All hashes of a stored spec are stored: a hash that is none of them is another spec's.
    return one.knows_spec and other.knows_spec and not same_spec(one, other)


def _different_machines(one: Claim, other: Claim) -> bool:
    if one.kind not in OF_COMMANDS and other.kind not in OF_COMMANDS:
        return one.machine.contradicts(other.machine)
    names = ["platform"]
    if SourceKind.JUNIT not in (one.kind, other.kind):
        names.append("target")
    return any(_differ(getattr(one.machine, n) or None, getattr(other.machine, n) or None) for n in names)


def _ended_differently(one: Claim, other: Claim) -> bool:
    ends = one.ended_as, other.ended_as
    if None in ends or ends[0] is ends[1]:
        return False
    # What a run that was broken off left behind looks like a failure, if it was at that time.
    is_left_behind = bool({one.kind, other.kind} & _LEFT_BEHIND) and None not in (one.span, other.span)
    return BuildStatus.SUCCESS in ends or not is_left_behind


def _at_different_times(one: Claim, other: Claim) -> bool:
    mine, theirs = one.span, other.span
    if mine is not None and theirs is not None:
        return not mine.touches(theirs)
    return _seen_before(one, theirs) or _seen_before(other, mine)


def times_decide(one: Claim, other: Claim) -> bool:
    """Whether the times of two claims that have some show one run, if nothing contradicts it."""
    return one.span is not None and other.span is not None and one.span.decides(other.span)


def _seen_before(untimed: Claim, other: Span | None) -> bool:
    """Whether a claim without times was reported before the other's run ended, or began if it has no end."""
    if other is None or untimed.span is not None:
        return False
    moment = other.end if other.has_end else other.begin
    allowed = SKEW_SECONDS + other.tolerance_seconds
    return (moment - untimed.first_reported_at).total_seconds() > allowed


def evidence(one: Claim, other: Claim) -> Evidence:
    """How strongly two claims that do not contradict each other agree."""
    agreement = one.machine.agreement(other.machine)
    agreement += _alike(one.prefix, other.prefix) + _alike(one.spack_revision, other.spack_revision)
    agreement += int(one.owner_id == other.owner_id and one.owner_is_certain and other.owner_is_certain)
    mine, theirs = one.span, other.span
    if mine is None or theirs is None:
        return Evidence(agreement, 0.0)
    return Evidence(agreement, mine.distance_seconds(theirs))


def _alike(one: str | None, other: str | None) -> int:
    return int(bool(one) and one == other)
