"""Which builds and attempts a report may be about, and which of them it is about.

A source's own name of a run decides where there is one. Otherwise a run that one source saw and a run that
another saw are the same one if

- it is the same spec, by any of its hashes; or, where one of them does not know the spec, the same package at
  overlapping times, and no other run fits;
- the environments do not contradict each other: what both tell is equal. Only the target counts where
  no source but CDash could have named the machine (TELL_NO_MACHINE): a site need not be one;
- the states do not contradict each other: they are equal, or one of them is not an end;
- they have no kind of source in common: two names of one kind are two runs;
- their times, where both know them, do not exclude each other, unless both succeeded: an installed prefix
  is there long after the run.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from spackmon.formats.submission import Environment
from spackmon.ingest.rows import Statement, over_rows
from spackmon.status import FINISHED, TELL_NO_MACHINE, BuildStatus, SourceKind

# Clocks of one machine, and file times cut to seconds; a failed build that is tried again takes longer.
_SLACK = timedelta(seconds=60)

_NO_MACHINE = ", ".join(f"'{kind}'" for kind in sorted(TELL_NO_MACHINE))

_ENVIRONMENT_FITS = f"""
    (e.target = '' OR :target = '' OR e.target = :target)
    AND (
        :no_machine = 1
        OR EXISTS (SELECT 1 FROM build_source s WHERE s.build_id = b.id AND s.kind = 'CDASH')
        AND NOT EXISTS (
            SELECT 1 FROM build_source s WHERE s.build_id = b.id AND s.kind NOT IN ({_NO_MACHINE})
        )
        OR (e.hostname = '' OR :hostname = '' OR e.hostname = :hostname)
        AND (e.platform = '' OR :platform = '' OR e.platform = :platform)
        AND (
            e.operating_system = '' OR :operating_system = ''
            OR e.operating_system = :operating_system
        )
        AND (e.kernel_version = '' OR :kernel_version = '' OR e.kernel_version = :kernel_version)
    )
    AND (b.owner_id = :owner_id OR :across_owners = 1)
"""  # noqa: S608 -- of our own constants

# A spec that was read from a file lacks the full_hash that 0.16 and 0.17 reported it by, and is another row.
_BUILDS_OF_SPEC = over_rows(
    "value text",
    f"""
    SELECT b.id, b.environment_id, b.owner_id, b.spec_id
    FROM (
        SELECT known.id
        FROM {{input}} i
        JOIN spec_hash h ON h.value = i.value
        JOIN build known ON known.spec_id = h.spec_id
        UNION
        SELECT s.build_id FROM {{input}} i JOIN build_source s ON s.spec_hash = i.value
    ) c
    JOIN build b ON b.id = c.id
    JOIN build_environment e ON e.id = b.environment_id
    WHERE {_ENVIRONMENT_FITS}
    ORDER BY b.id
    """,  # noqa: S608 -- of our own constants
)

_BUILDS_OF_KNOWN_SPEC = Statement(
    f"""
    SELECT b.id, b.environment_id, b.owner_id, b.spec_id
    FROM build b JOIN build_environment e ON e.id = b.environment_id
    WHERE b.spec_id = :spec_id AND {_ENVIRONMENT_FITS}
    ORDER BY b.id
    """  # noqa: S608 -- of our own constants
)

_BUILDS_AT_A_TIME = f"""
    SELECT b.id, b.environment_id, b.owner_id, b.spec_id
    FROM build b JOIN build_environment e ON e.id = b.environment_id
    WHERE b.package_id = :package_id AND {_ENVIRONMENT_FITS}
        AND EXISTS (
            SELECT 1 FROM attempt a WHERE a.build_id = b.id
                AND (:ends_at >= a.started_at OR :is_open = 1)
                AND (a.finished_at IS NULL OR a.finished_at >= :begins_at)
        )
"""  # noqa: S608 -- of our own constants

_BUILDS_OF_PACKAGE = Statement(f"{_BUILDS_AT_A_TIME} ORDER BY b.id")

# There are few, in an index of their own.
_WAITING_OF_PACKAGE = Statement(f"{_BUILDS_AT_A_TIME} AND b.spec_id IS NULL ORDER BY b.id")

_RUNS = over_rows(
    "build_id bigint",
    """
    SELECT b.id AS build_id, b.owner_id, b.environment_id, b.spec_id, b.package_id,
        a.id AS attempt_id, a.status, a.started_at, a.finished_at, a.duration_seconds,
        s.kind, s.key, s.spec_hash, s.first_reported_at
    FROM build b
    JOIN attempt a ON a.build_id = b.id
    LEFT JOIN build_source s ON s.attempt_id = a.id
    WHERE b.id IN (SELECT i.build_id FROM {input} i)
    ORDER BY b.id, a.number DESC, s.id
    """,
    moments=("started_at", "finished_at", "first_reported_at"),
)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A run as somebody saw it; `begin` is None where its times are not known, `end` where it goes on."""

    status: str | None
    sources: frozenset[tuple[str, str]]
    begin: datetime | None
    end: datetime | None
    unknown_hashes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt of a build, as it is stored; `has_own_times` that its source told when it ran."""

    build_id: int
    owner_id: int
    environment_id: int
    spec_id: int | None
    package_id: int | None
    attempt_id: int
    started_at: datetime
    seen: Sighting
    has_own_times: bool


@dataclass(frozen=True, slots=True)
class Build:
    """A build that a report may be about."""

    id: int
    environment_id: int
    owner_id: int
    spec_id: int | None


@dataclass(frozen=True, slots=True)
class Where:
    """Whose builds count, and in which environment: `no_machine` that only its target does."""

    environment: Environment
    no_machine: bool
    owner_id: int
    across_owners: bool = False

    def parameters(self) -> dict[str, str | int]:
        """As the statements take it."""
        return {
            **dataclasses.asdict(self.environment), "no_machine": int(self.no_machine),
            "owner_id": self.owner_id, "across_owners": int(self.across_owners),
        }  # fmt: skip


def builds_of_spec(connection: Connection, hashes: Iterable[str], where: Where) -> list[Build]:
    """The builds of a spec that a report from `where` may be about, by any of the spec's hashes."""
    values = sorted({(value,) for value in hashes})
    return [Build(*row) for row in _BUILDS_OF_SPEC.run(connection, values, **where.parameters())]


def builds_of_known_spec(connection: Connection, spec_id: int, where: Where) -> list[Build]:
    """The builds of a spec, by its identity alone."""
    rows = _BUILDS_OF_KNOWN_SPEC.run(connection, spec_id=spec_id, **where.parameters())
    return [Build(*row) for row in rows]


def builds_of_package(
    connection: Connection, package_id: int, where: Where, begin: datetime, end: datetime | None,
    *, waiting_only: bool = False,
) -> list[Build]:  # fmt: skip
    """The builds of a package, whatever its spec, that ran at such a time; or those that wait for a spec."""
    statement = _WAITING_OF_PACKAGE if waiting_only else _BUILDS_OF_PACKAGE
    rows = statement.run(
        connection, package_id=package_id, begins_at=begin - _SLACK, is_open=int(end is None),
               ends_at=(end or begin) + _SLACK, **where.parameters(),
    )  # fmt: skip
    return [Build(*row) for row in rows]


def runs_of(connection: Connection, build_ids: Iterable[int]) -> list[Run]:
    """The attempts of builds, the newest of each first."""
    rows = _RUNS.run(connection, sorted({(build_id,) for build_id in build_ids}))
    return [_run(list(of_attempt)) for _, of_attempt in groupby(rows, key=lambda row: row.attempt_id)]


def _run(rows: Sequence[Any]) -> Run:
    first = rows[0]
    sources = [row for row in rows if row.kind is not None]
    only_ms1 = all(row.kind == SourceKind.MS1 for row in sources)
    # A run whose source did not tell when it began stands with the moment in which that was reported.
    is_receipt = any(row.first_reported_at == first.started_at for row in sources)
    end = first.finished_at
    if end is None and first.duration_seconds is not None:
        end = first.started_at + timedelta(seconds=first.duration_seconds)
    # Cancelled because another build failed: ms1's clients go on with such a one.
    never_ran = first.status == BuildStatus.CANCELLED and first.finished_at is None and only_ms1
    seen = Sighting(
        status=BuildStatus.NOTRUN.value if never_ran else first.status,
        sources=frozenset((row.kind, row.key) for row in sources),
        begin=first.started_at,
        end=end,
        unknown_hashes=frozenset(row.spec_hash for row in sources if row.spec_hash is not None),
    )
    return Run(
        first.build_id, first.owner_id, first.environment_id, first.spec_id, first.package_id,
        first.attempt_id, first.started_at, seen, has_own_times=not only_ms1 and not is_receipt,
    )  # fmt: skip


def same_run(told: Sighting, run: Run, *, by_times: bool = False) -> bool:
    """Whether what was seen may be this run of the same spec; `by_times`: of the same package, no more."""
    if told.sources & run.seen.sources:
        return True
    kinds = {kind for kind, _ in told.sources}
    if any(kind in kinds for kind, _ in run.seen.sources):
        return False
    if told.status in FINISHED and run.seen.status in FINISHED and told.status != run.seen.status:
        return False
    if by_times:
        return _hashes_fit(told, run) and overlap(told, run.seen)
    if told.status == run.seen.status == BuildStatus.SUCCESS:
        return True
    if told.begin is None:
        return True
    # A report never arrives before what it reports: even where only that moment is known, this came after.
    if run.seen.end is not None and told.begin > run.seen.end + _SLACK:
        return False
    return not run.has_own_times or overlap(told, run.seen)


def _hashes_fit(told: Sighting, run: Run) -> bool:
    # A spec that is known has told all its hashes: one that is not known is none of them.
    if run.spec_id is not None:
        return not told.unknown_hashes
    return len(told.unknown_hashes | run.seen.unknown_hashes) <= 1


def overlap(one: Sighting, other: Sighting) -> bool:
    """Whether two runs may have been at one time."""
    if one.begin is None or other.begin is None:
        return False
    return (one.end is None or other.begin <= one.end + _SLACK) and (
        other.end is None or one.begin <= other.end + _SLACK
    )


def best_run(told: Sighting, runs: Iterable[Run], environment_id: int, owner_id: int) -> Run | None:
    """The run of the same spec that a report is about: at its time, in its environment, the newest."""
    fitting = [run for run in runs if same_run(told, run)]
    return max(
        fitting,
        key=lambda run: (
            run.has_own_times and overlap(told, run.seen),
            run.environment_id == environment_id,
            run.owner_id == owner_id,
            run.started_at,
            run.attempt_id,
        ),
        default=None,
    )


def only_run(told: Sighting, runs: Iterable[Run]) -> Run | None:
    """The only run of the same package that a report may be about, or None if there is none or another."""
    fitting = [run for run in runs if same_run(told, run, by_times=True)]
    return fitting[0] if len(fitting) == 1 else None


def best_build(builds: Iterable[Build], environment_id: int, owner_id: int) -> Build | None:
    """The build to which a run that nobody saw yet belongs."""
    return max(
        builds,
        key=lambda build: (build.environment_id == environment_id, build.owner_id == owner_id, -build.id),
        default=None,
    )
