"""What one source reported of one run: the only thing that runs are derived from.

A claim has what its source reported, and no other source changes it; `growth.completed` adds a later report
of the same source, in any order. Its contents (variables, manifest, logs) are named by the rows that hold
them, equal contents by equal rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cached_property

from spackmon.runs.times import Span, span_of
from spackmon.status import FINISHED, BuildStatus, EventKind, InstalledFrom, SourceKind

PHASE_FAILED = "ERROR"

OF_COMMANDS = frozenset({SourceKind.CDASH, SourceKind.JUNIT})
"""Reports of a whole command: their times are the command's, and they name no machine.

A site of CDash need not be one, and its kernel is the release and not the version; the target in a JUnit
report is that of the spec.
"""

_OUTRANKED = (
    BuildStatus.NOTRUN,
    BuildStatus.RUNNING,
    BuildStatus.CANCELLED,
    BuildStatus.SUCCESS,
    BuildStatus.FAILED,
)

# A commit is written whole or cut, never shorter than this.
_SHORTEST_COMMIT = 7


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run ran; what a source did not say is the empty string."""

    hostname: str = ""
    platform: str = ""
    operating_system: str = ""
    target: str = ""
    kernel_version: str = ""

    def contradicts(self, other: "Machine") -> bool:
        """Whether both name a field and name it differently."""
        return any(one and two and one != two for one, two in self._pairs(other))

    def agreement(self, other: "Machine") -> int:
        """How many fields both name alike."""
        return sum(1 for one, two in self._pairs(other) if one and one == two)

    def completed(self, other: "Machine") -> "Machine":
        """This one, with what only the other names."""
        return Machine(*(one or two for one, two in self._pairs(other)))

    def is_part_of(self, other: "Machine") -> bool:
        """Whether the other names all that this one names, alike."""
        return all(not one or one == two for one, two in self._pairs(other))

    def _pairs(self, other: "Machine") -> Iterator[tuple[str, str]]:
        return ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))


@dataclass(frozen=True, slots=True)
class PhaseClaim:
    """A phase as a source reported it, `position` counting from 1 within its report.

    `log_id` names the log by content, `log_bytes` is its size. `mark` is the first time of the log that Spack
    wrote with microseconds: no two runs share one. `reported_at` is when the report came.
    """

    name: str
    position: int
    status: str
    duration_seconds: float | None
    reported_at: datetime
    log_id: int | None = None
    log_bytes: int = 0
    mark: str | None = None
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None


# Compared by identity: of two states of one claim only the later one is in a set of claims.
@dataclass(frozen=True, eq=False)
class Claim:
    """What the source `kind`, `key` of `owner_id` reported of one run.

    `owner_is_certain` is false where an operator imported what somebody had built. `spec_hash` is the hash
    by which the source names its spec, and `spec_hash_kind` of which kind it is if the source says so;
    `spec_id` is the spec of that name, None while no such is stored. `is_weak_spec`: the name is the hash of
    several specs, as the `dag_hash` of before Spack 0.18 may be, and means any of them. `is_external`: the
    spec was on the machine before Spack, which has never built it. Of the times see
    `spackmon.runs.times`: `time_uncertainty_seconds` is how far they may be off, `times_enclose_run` that
    they are those of a whole command, `is_live` that reports came while it ran. `cancelled_at` is when
    another failure of the same client ended what had not run; `abandoned_at` when a client that had begun,
    and was silent for long, was given up.
    """

    id: int
    owner_id: int
    owner_is_certain: bool
    kind: SourceKind
    key: str
    first_reported_at: datetime
    last_reported_at: datetime
    package_id: int | None = None
    spec_id: int | None = None
    spec_hash: str | None = None
    spec_hash_kind: str | None = None
    dag_hash: str | None = None
    is_weak_spec: bool = False
    machine: Machine = field(default_factory=Machine)
    status: BuildStatus = BuildStatus.NOTRUN
    is_live: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    duration_seconds: float | None = None
    time_uncertainty_seconds: float = 0.0
    times_enclose_run: bool = False
    cancelled_at: datetime | None = None
    abandoned_at: datetime | None = None
    spack_version: str | None = None
    spack_revision: str | None = None
    prefix: str | None = None
    installed_from: InstalledFrom | None = None
    is_external: bool = False
    environment_set_id: int | None = None
    manifest_id: int | None = None
    configure_arguments: str | None = None
    ci_job_id: int | None = None
    tags: frozenset[str] = frozenset()
    phases: tuple[PhaseClaim, ...] = ()
    event_kinds: frozenset[EventKind] = frozenset()
    analyzers: frozenset[str] = frozenset()
    attempt_id: int | None = None

    @property
    def name(self) -> tuple[str, str, int]:
        """Its identity, independent of its row's number: claims are sorted by it."""
        return self.kind, self.key, self.owner_id

    @cached_property
    def marks(self) -> frozenset[tuple[str, str]]:
        """The times in its logs that prove which run it was; a binary brings the log of another."""
        if self.installed_from is InstalledFrom.BUILD_CACHE:
            return frozenset()
        return frozenset((phase.name, phase.mark) for phase in self.phases if phase.mark is not None)

    @property
    def comes_from(self) -> InstalledFrom | None:
        """Where what was installed came from, by the source or by the spec."""
        return InstalledFrom.EXTERNAL if self.is_external else self.installed_from

    @cached_property
    def span(self) -> Span | None:
        """When the run ran according to this claim; None if it has no times."""
        return span_of(self)

    @property
    def knows_spec(self) -> bool:
        """Whether it names a spec, which need not be stored."""
        return self.spec_id is not None or self.spec_hash is not None

    @property
    def has_ended(self) -> bool:
        """Whether the source says how the run ended."""
        return self.status in FINISHED

    @property
    def ended_as(self) -> BuildStatus | None:
        """How the source saw the run end, if it did: a phase that failed ends it, too."""
        if self.has_ended:
            return self.status
        has_failed = any(phase.status == PHASE_FAILED for phase in self.phases)
        return BuildStatus.FAILED if has_failed else None

    @property
    def outcome(self) -> BuildStatus:
        """How the run stands by this claim alone, with what follows from it."""
        if self.ended_as is not None:
            return self.ended_as
        if self.cancelled_at is not None or self.abandoned_at is not None:
            return BuildStatus.CANCELLED
        return BuildStatus.RUNNING if self.phases and self.status is BuildStatus.NOTRUN else self.status

    @property
    def last_reported_moment(self) -> datetime | None:
        """The latest moment of the run that follows from what was reported."""
        if self.started_at is None:
            return self.finished_at
        seconds = self.duration_seconds
        if seconds is None:
            seconds = sum(phase.duration_seconds or 0.0 for phase in self.phases)
        try:
            ended = self.started_at + timedelta(seconds=seconds)
        except OverflowError:
            ended = self.started_at
        return ended if self.finished_at is None else max(self.started_at, self.finished_at)


def worst(statuses: Iterable[BuildStatus]) -> BuildStatus:
    """The one that counts: an end outranks what comes before it, and of two ends a failure that was seen."""
    return max(statuses, key=_OUTRANKED.index)


def same_version(one: str | None, other: str | None) -> bool:
    """Whether two versions of Spack may be one: `0.23.0 (eedc414…)` is 0.23.0, `0.17.0-2-gabc` is 0.17.0."""
    if not one or not other:
        return True
    return _release(one) == _release(other)


def _release(version: str) -> str:
    return version.strip().split(" ", 1)[0].split("-", 1)[0].split("+", 1)[0]


def same_revision(one: str | None, other: str | None) -> bool:
    """Whether two commits may be one: either may be cut."""
    if not one or not other:
        return True
    length = min(len(one), len(other))
    return length < _SHORTEST_COMMIT or one[:length] == other[:length]


def same_prefix(one: str | None, other: str | None) -> bool:
    """Whether two prefixes may be one directory."""
    return not one or not other or one.rstrip("/") == other.rstrip("/")
