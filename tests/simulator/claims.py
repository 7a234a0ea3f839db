"""What each source reported of a true run, and which of these claims must, may and cannot be one run.

The judge's own rules, from the issue's points 2 and 3:

- Facts that two claims have and that differ contradict: owner, spec (by any hash), package, prefix, version
  and commit of Spack, machine (the site of a CDash is none), how the run ended, and the keys of one kind of
  source. Kernels are no fact: CDash reports `uname -r`, Spack `uname -v`.
- Times contradict where they do not touch, two minutes of skew granted and what a source states that its
  times may be off. Where both claims know the start exactly, or both the end, these must agree as well. A
  row of the database, a stage and a prefix of the new installer know the end alone. CDash and JUnit have the
  time of a command, in which the run took place, and which may have ended an hour later. The logs of an
  uploaded ms1 run have local times, up to 14 hours away. A run whose end nobody reported may last for ever.
- That times touch does not show one run: in a day that may have been a run's, another one has room. Times
  *decide* where clocks alone may have made them differ: both claims know the start, or both the end, or one
  was cut off when the other ended; or one is a command and the run began while it was at work: within the
  seconds of its packages or, if its report was put to the server at once, before that came.
- Two claims of one run *must* be one attempt if they do not contradict, share a hash or a prefix, and their
  times decide. Where the times of another run's claim decide as well, two attempts are the smaller evil,
  and counted apart: the two ran within the two minutes by which clocks may be off.
- Claims of two runs *may* be one attempt only if nothing in them contradicts, and their times decide or
  there are none, and the stray ones have no claim of their own run that they must be with: nobody could
  know better. That is counted apart, too.
- ms1 names no run: what two clients that report of one build in turns say cannot be told apart.
- A client of ms1 that only named a build has reported no run: wherever that stands is right.
"""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from spackmon.formats.moments import BESIDE_PACKAGES_SECONDS, UNKNOWN_ZONE_SECONDS
from spackmon.status import FINISHED, BuildStatus
from spackmon.submission import (
    AnalysisReport,
    BuildReport,
    InstallReport,
    PhaseReport,
    StatusReport,
    Submission,
)
from tests.simulator.steps import Claimant
from tests.simulator.truth import Run

SLACK_SECONDS = 120.0


@dataclass(slots=True, eq=False)
class Claim:
    """The union of what one claimant reported; `facts` by the names that `reading` has."""

    who: Claimant
    has_hash: bool = False
    package: str | None = None
    prefix: str | None = None
    hostname: str | None = None
    version: str | None = None
    revision: str | None = None
    status: BuildStatus | None = None
    started: float | None = None
    finished: float | None = None
    seconds: float | None = None
    uncertain_seconds: float = 0.0
    encloses: bool = False
    first_arrival: float = math.inf
    last_arrival: float = -math.inf
    installed_from: str | None = None
    variables: dict[str, str] | None = None
    arguments: str | None = None
    files: frozenset[str] | None = None
    tags: set[str] = field(default_factory=set)
    phases: dict[str, set[bytes]] = field(default_factory=dict)
    phase_seconds: dict[str, float] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    whole_log: bytes | None = None
    heard: float | None = None
    """When a run that it did not see end was at work for the last time."""
    talks: int = 0
    """How often a client of ms1 began to speak of it."""
    is_interleaved: bool = False
    """Another client of ms1 spoke of its build while it did."""

    def __repr__(self) -> str:
        span = "at no time" if self.span is None else "{:.0f} to {:.0f}".format(*self.span)
        return f"{self.kind} of {self.run.number} ({self.status}, {span})"

    @property
    def run(self) -> Run:
        """Whose it is in truth."""
        return self.who.run

    @property
    def kind(self) -> str:
        """The kind of its source."""
        return self.who.kind

    @property
    def names_it(self) -> bool:
        """Whether it says at all what was built."""
        return self.has_hash or self.package is not None

    @property
    def is_upload(self) -> bool:
        """A saved run of ms1: the moments at which it came say nothing."""
        return self.who.name.startswith("saved")

    @property
    def only_announces(self) -> bool:
        """An ms1 client named the build and was never heard of again: nothing ran that anybody saw."""
        return self.kind == "MS1" and not self.phases and self.status is None and self.variables is None

    @property
    def starts_exactly(self) -> bool:
        """Whether it knows when its run began."""
        return self.started is not None and self.kind != "MS1" and self._is_exact

    @property
    def ends_exactly(self) -> bool:
        """Whether it knows when its run ended."""
        if self.kind == "MS1":
            return self.status in FINISHED and not self.is_upload
        return self.finished is not None and self._is_exact

    @property
    def begin(self) -> float | None:
        """When its run began, exactly; of a run that ms1 saved, by the logs whose zone its folder names."""
        is_saved = self.is_upload and self._is_exact
        return self.started if self.starts_exactly or is_saved else None

    @property
    def end(self) -> float | None:
        """When its run ended, exactly; when it was last heard of, if it was cut off."""
        if self.encloses or self.uncertain_seconds or (self.is_upload and not self._looks_live):
            return None
        if self.kind == "MS1":
            return self.last_arrival if self.status in FINISHED else self.heard
        return self.finished if self.finished is not None else self.heard

    @property
    def sees_end(self) -> bool:
        """Whether its `end` is that of its run."""
        is_reported = self.status in FINISHED or (self.kind != "MS1" and self.finished is not None)
        return self.end is not None and is_reported

    @property
    def _looks_live(self) -> bool:
        """Whether an upload cannot be known as one: it came once, on the day of the run, and in its time."""
        is_alone = self.talks == 1 and self.started is None
        logged = sum(phase.seconds for phase in self.run.phases[:-1])
        if logged > self.last_arrival - self.first_arrival + 10.0:
            return False
        return is_alone and self.last_arrival - self.run.started <= 2 * UNKNOWN_ZONE_SECONDS

    @property
    def _is_exact(self) -> bool:
        return not (self.encloses or self.uncertain_seconds)

    @property
    def span(self) -> tuple[float, float] | None:
        """The time in which its run was, by what it states and how far that may be off; None of no time."""
        if self.kind == "MS1":
            return self._span_of_ms1()
        times = [moment for moment in (self.started, self.finished) if moment is not None]
        if not times:
            return None
        begin, end = times[0], times[-1]
        if self.finished is None and self.status not in FINISHED:
            end = math.inf
        return begin - (0.0 if self.encloses else self.uncertain_seconds), end + self.uncertain_seconds

    def _span_of_ms1(self) -> tuple[float, float] | None:
        if not self.is_upload:
            return self.first_arrival, self.last_arrival if self.status in FINISHED else math.inf
        if not any(self.phases.values()):
            return None
        if self.started is not None:
            return self.started, max(self.started, self.first_arrival)
        return self.run.started - UNKNOWN_ZONE_SECONDS, self.run.ended + UNKNOWN_ZONE_SECONDS

    def take(self, submission: Submission, arrival: float) -> None:
        """Add what a submission says."""
        self.first_arrival = min(self.first_arrival, arrival)
        self.last_arrival = max(self.last_arrival, arrival)
        match submission:
            case InstallReport():
                self._take_install(submission)
            case BuildReport():
                self.has_hash = True
                self.hostname = submission.environment.hostname
                self.version = submission.spack_version
                self.tags |= set(submission.tags)
            case PhaseReport():
                self.phases.setdefault(submission.name, set()).add(submission.output or b"")
                self.heard = max(arrival, self.heard or arrival)
                if submission.status == "ERROR":
                    self.status = BuildStatus.FAILED
            case StatusReport():
                self.status = submission.status
            case AnalysisReport():
                self.variables = dict(submission.environment_variables or {})
                self.arguments = submission.configure_arguments or self.arguments
                self.files = frozenset(file.path for file in submission.install_files or ())

    def _take_install(self, report: InstallReport) -> None:
        self.has_hash |= report.graph is not None or report.spec_hash is not None
        self.package = self.package or report.package_name or (
            report.graph.nodes[report.graph.root].name if report.graph else None
        )  # fmt: skip
        self.prefix = self.prefix or report.prefix
        if report.environment is not None and self.kind != "CDASH":
            self.hostname = self.hostname or report.environment.hostname or None
        self.version = self.version or report.spack_version
        self.revision = self.revision or report.spack_revision
        if report.status in FINISHED or self.status is None:
            self.status = report.status or self.status
        self.started = report.started_at.timestamp() if report.started_at else self.started
        self.finished = report.finished_at.timestamp() if report.finished_at else self.finished
        self.seconds = self.seconds if report.duration_seconds is None else report.duration_seconds
        if report.environment_variables is not None:
            self.variables = dict(report.environment_variables)
        self.arguments = self.arguments or report.configure_arguments
        if report.install_files is not None:
            self.files = frozenset(file.path for file in report.install_files)
        self.encloses |= report.times_enclose_run
        self.uncertain_seconds = max(self.uncertain_seconds, report.time_uncertainty_seconds or 0.0)
        self.installed_from = self.installed_from or report.installed_from
        self.tags |= set(report.tags)
        self.phase_seconds |= {p.name: p.duration_seconds for p in report.phases if p.duration_seconds}
        if self.kind == "EXTENSION" and self.started is not None and self.phase_seconds:
            self.heard = self.started + sum(self.phase_seconds.values())
        for phase in report.phases:
            logs = self.phases.setdefault(phase.name, set())
            if phase.output:
                logs.add(phase.output)
            if phase.status == "ERROR" and self.status not in FINISHED:
                self.status = BuildStatus.FAILED
        self.events |= {event.text for event in report.events}
        self.whole_log = self.whole_log or report.log


def contradict(one: Claim, other: Claim) -> bool:
    """Whether no run could be both."""
    facts = [
        (one.run.owner, other.run.owner),
        (one.package, other.package),
        (one.prefix, other.prefix),
        (one.hostname, other.hostname),
        (one.version, other.version),
        (one.revision, other.revision),
        (_end_of(one, other), _end_of(other, one)),
    ]
    if any(mine and others and mine != others for mine, others in facts):
        return True
    if one.has_hash and other.has_hash and one.run.spec.hash != other.run.spec.hash:
        return True
    if one.kind == other.kind and one.who.key and other.who.key and one.who.key != other.who.key:
        return True
    return not times_touch(one, other)


def _end_of(claim: Claim, beside: Claim) -> BuildStatus | None:
    """How it says that its run ended; what a run that was broken off leaves behind looks like a failure."""
    is_left = claim.kind == "STAGE" and beside.status == BuildStatus.CANCELLED
    return claim.status if claim.status in FINISHED and not is_left else None


def times_touch(one: Claim, other: Claim) -> bool:
    """Whether they may be about one time; what has no time touches everything."""
    span, others = one.span, other.span
    if span is None or others is None:
        return True
    if one.starts_exactly and other.starts_exactly and abs(span[0] - others[0]) > SLACK_SECONDS:
        return False
    if one.ends_exactly and other.ends_exactly and abs(span[1] - others[1]) > SLACK_SECONDS:
        return False
    return span[0] <= others[1] + SLACK_SECONDS and others[0] <= span[1] + SLACK_SECONDS


def times_decide(one: Claim, other: Claim) -> bool:
    """Whether two claims that do not contradict are shown to be of one run by their times."""
    if one.encloses and other.encloses:
        return True
    if one.encloses or other.encloses:
        command, claim = (one, other) if one.encloses else (other, one)
        return _was_at_work(command, claim.end if claim.begin is None else claim.begin)
    begins, ends = (one.begin, other.begin), (one.end, other.end)
    if None not in begins or (one.sees_end and other.sees_end):
        return _near(*(ends if one.sees_end and other.sees_end else begins))
    return _was_cut_at(one, other) or _was_cut_at(other, one)


def _was_cut_at(cut: Claim, other: Claim) -> bool:
    if (
        cut.sees_end
        or not other.sees_end
        or other.end is None
        or other.end < (cut.started or cut.first_arrival)
    ):
        return False
    return _near(cut.end, other.end)


def _near(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= SLACK_SECONDS


def could_be_one(one: Claim, other: Claim) -> bool:
    """Whether all that their times say is that they are of one run, or nothing."""
    return one.span is None or other.span is None or times_decide(one, other)


def _was_at_work(command: Claim, moment: float | None) -> bool:
    if moment is None or command.started is None or command.finished is None:
        return False
    # An hour is what an importer says that was not there.
    late = command.uncertain_seconds if command.uncertain_seconds < BESIDE_PACKAGES_SECONDS else 0.0
    return command.started - SLACK_SECONDS <= moment <= command.finished + late + SLACK_SECONDS


def share(one: Claim, other: Claim) -> bool:
    """Whether both name one hash or one prefix."""
    by_hash = one.has_hash and other.has_hash and one.run.spec.hash == other.run.spec.hash
    return by_hash or (one.prefix is not None and one.prefix == other.prefix)


@dataclass(slots=True)
class Claims:
    """All claims of a history, and how they belong together."""

    by_claimant: dict[Claimant, Claim]
    must: dict[Claim, set[Claim]] = field(default_factory=lambda: defaultdict(set))
    """Claims of the same run with which a claim must be one attempt."""
    might: dict[Claim, set[Claim]] = field(default_factory=lambda: defaultdict(set))
    """Claims of other runs with which it might be one by all they share."""

    def relate(self) -> None:
        """Fill `must` and `might`."""
        by_package: dict[tuple[int, str], list[Claim]] = defaultdict(list)
        for claim in self.by_claimant.values():
            by_package[claim.run.owner, claim.run.spec.package].append(claim)
        for near in by_package.values():
            self._relate(near)

    def _relate(self, near: list[Claim]) -> None:
        for place, one in enumerate(near):
            for other in near[place + 1 :]:
                if contradict(one, other):
                    continue
                if one.run is not other.run:
                    if not (one.names_it and other.names_it and could_be_one(one, other)):
                        continue
                    self.might[one].add(other)
                    self.might[other].add(one)
                elif share(one, other) and None not in (one.span, other.span) and times_decide(one, other):
                    self.must[one].add(other)
                    self.must[other].add(one)

    def of(self, claimants: Iterable[Claimant]) -> list[Claim]:
        """Those claims."""
        return [self.by_claimant[claimant] for claimant in claimants if claimant in self.by_claimant]


def claims_of(moments: Iterable[tuple[float, Claimant, Submission]]) -> Claims:
    """What was reported, related."""
    claims = Claims({})
    talks: dict[tuple[int, str, str], list[tuple[Claim, int]]] = defaultdict(list)
    for arrival, claimant, submission in moments:
        claim = claims.by_claimant.setdefault(claimant, Claim(claimant))
        claim.take(submission, arrival)
        if not isinstance(submission, InstallReport):
            run = claimant.run
            claim.talks += isinstance(submission, BuildReport) and submission.announces_run
            talks[run.owner, run.spec.hash, run.machine.hostname].append((claim, claim.talks))
    for talk in talks.values():
        _mark_interleaved(talk)
    claims.relate()
    return claims


def _mark_interleaved(talk: list[tuple[Claim, int]]) -> None:
    """Mark the claims of which one spoke between two requests of the other, by who spoke in which order."""
    first: dict[tuple[Claim, int], int] = {}
    for number, turn in enumerate(talk):
        between = {claim for claim, _ in talk[first.setdefault(turn, number) : number]} - {turn[0]}
        for claim in between | ({turn[0]} if between else set()):
            claim.is_interleaved = True
