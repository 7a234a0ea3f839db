"""What a report adds to an attempt and its build: what was not known. Nothing is replaced.

A status only grows, a beginning only becomes earlier and an end later; all else stays as it was first told.
So the reports of one run may come in any order and any number of times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from spackmon.formats.submission import InstallPhase, InstallReport
from spackmon.ingest.analysis import replace_attributes, replace_files, replace_variables
from spackmon.ingest.phase_logs import write_log
from spackmon.ingest.rows import Statement, over_rows
from spackmon.models import utc_now
from spackmon.status import BuildStatus, SourceKind

Value = TypeVar("Value")

WHOLE_LOG = "spack-build-out"
"""The phase that stands for a whole run whose source does not divide its log."""

# An end outranks what comes before it. Of two ends that sources of one run tell, the worse is kept: that a
# part of it failed is seen by one of them only.
_RANK = {
    status: rank
    for rank, status in enumerate(
        (
            BuildStatus.NOTRUN,
            BuildStatus.RUNNING,
            BuildStatus.CANCELLED,
            BuildStatus.SUCCESS,
            BuildStatus.FAILED,
        )
    )
}

_READ_ATTEMPT = Statement(
    """
    SELECT status, started_at, finished_at, duration_seconds, spack_version, spack_revision
    FROM attempt WHERE id = :attempt_id
    """,
    moments=("started_at", "finished_at"),
)

_SET_ATTEMPT = Statement(
    """
    UPDATE attempt
    SET status = :status, started_at = :started_at, finished_at = :finished_at,
        duration_seconds = :duration_seconds, spack_version = :spack_version, spack_revision = :spack_revision
    WHERE id = :attempt_id
    """
)

_READ_PHASES = Statement(
    """
    SELECT p.id, p.name, p.position, p.status, p.duration_seconds,
        COALESCE((SELECT sum(c.size_bytes) FROM log_chunk c WHERE c.phase_id = p.id), 0) AS log_bytes
    FROM phase p WHERE p.attempt_id = :attempt_id
    """
)

_INSERT_PHASES = over_rows(
    "name text, position integer, status text, duration_seconds double precision",
    """
    INSERT INTO phase (attempt_id, name, position, status, duration_seconds, reported_at)
    SELECT CAST(:attempt_id AS bigint), i.name, i.position, i.status, i.duration_seconds, :now
    FROM {input} i
    WHERE true
    ORDER BY i.position
    RETURNING id, name
    """,
)

_SET_SECONDS = Statement("UPDATE phase SET duration_seconds = :duration_seconds WHERE id = :phase_id")

_DELETE_LOG = Statement("DELETE FROM log_chunk WHERE phase_id = :phase_id")

_DELETE_PHASE = Statement("DELETE FROM phase WHERE id = :phase_id")

_READ_BUILD = Statement(
    """
    SELECT b.package_id, b.prefix, b.configure_arguments,
        EXISTS (SELECT 1 FROM environment_variable v WHERE v.build_id = b.id) AS has_variables,
        EXISTS (SELECT 1 FROM install_file f WHERE f.build_id = b.id) AS has_files
    FROM build b WHERE b.id = :build_id
    """
)

_SET_BUILD = Statement(
    """
    UPDATE build
    SET package_id = :package_id, prefix = :prefix, configure_arguments = :configure_arguments
    WHERE id = :build_id
    """
)

_ANALYZERS = Statement("SELECT analyzer FROM analysis WHERE build_id = :build_id")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an attempt itself."""

    status: str
    started_at: datetime
    finished_at: datetime | None
    duration_seconds: float | None
    spack_version: str | None
    spack_revision: str | None


def facts_of(report: InstallReport, now: datetime) -> Facts:
    """What a report says of the attempt it begins."""
    return Facts(
        status=(report.status or BuildStatus.NOTRUN).value,
        started_at=beginning(report) or now,
        finished_at=report.finished_at,
        duration_seconds=_seconds(report),
        spack_version=report.spack_version,
        spack_revision=report.spack_revision,
    )


def complete_attempt(connection: Connection, attempt_id: int, told: Facts) -> bool:
    """Add what is `told` to what is known of an attempt; whether there was anything to add."""
    known = read_attempt(connection, attempt_id)
    both = completed(known, told)
    if both == known:
        return False
    _SET_ATTEMPT.run(
        connection, attempt_id=attempt_id, status=both.status, started_at=both.started_at,
        finished_at=both.finished_at, duration_seconds=both.duration_seconds,
        spack_version=both.spack_version, spack_revision=both.spack_revision,
    )  # fmt: skip
    return True


def read_attempt(connection: Connection, attempt_id: int) -> Facts:
    """What is known of an attempt, which exists."""
    return Facts(*_READ_ATTEMPT.run(connection, attempt_id=attempt_id)[0])


def completed(known: Facts, told: Facts) -> Facts:
    """What is known with what is told beside it."""
    ends = [end for end in (known.finished_at, told.finished_at) if end is not None]
    return Facts(
        status=max(known.status, told.status, key=lambda status: _RANK[BuildStatus(status)]),
        started_at=min(known.started_at, told.started_at),
        finished_at=max(ends, default=None),
        duration_seconds=_first(known.duration_seconds, told.duration_seconds),
        spack_version=_first(known.spack_version, told.spack_version),
        spack_revision=_first(known.spack_revision, told.spack_revision),
    )


def complete_phases(connection: Connection, attempt_id: int, report: InstallReport) -> tuple[int, bool]:
    """Add a report's phases and logs to an attempt: how many phases are new, and whether anything is.

    A log of the whole run stands as a phase WHOLE_LOG, unless the phases' own logs hold the most of it.
    """
    known = {row.name: row for row in _READ_PHASES.run(connection, attempt_id=attempt_id)}
    told: dict[str, InstallPhase] = {}
    for phase in report.phases:
        told.setdefault(phase.name, phase)
    ids = _insert_phases(
        connection, attempt_id, known, [phase for name, phase in told.items() if name not in known]
    )
    changed = bool(ids)
    for name, phase in told.items():
        row = known.get(name)
        if phase.output and (row is None or not row.log_bytes):
            write_log(connection, row.id if row else ids[name], phase.output)
            changed = True
        if row and row.duration_seconds is None and phase.duration_seconds is not None:
            _SET_SECONDS.run(connection, phase_id=row.id, duration_seconds=phase.duration_seconds)
            changed = True
    created = len(ids)
    if report.log and WHOLE_LOG not in told:
        status = "ERROR" if report.status is BuildStatus.FAILED else "SUCCESS"
        whole_created = _add_whole_log(connection, attempt_id, report.log, status)
        created, changed = created + whole_created, changed or whole_created
    if changed and WHOLE_LOG in known:
        settle_whole_log(connection, attempt_id)
    return created, changed


def _insert_phases(
    connection: Connection, attempt_id: int, known: dict[str, Any], phases: Sequence[InstallPhase]
) -> dict[str, int]:
    last = max((row.position for row in known.values()), default=0)
    rows = [
        (phase.name, position, phase.status, _float(phase.duration_seconds))
        for position, phase in enumerate(phases, last + 1)
    ]
    created = _INSERT_PHASES.run(connection, rows, attempt_id=attempt_id, now=utc_now())
    return {row.name: row.id for row in created}


def _add_whole_log(connection: Connection, attempt_id: int, log: bytes, status: str) -> bool:
    known = {row.name: row for row in _READ_PHASES.run(connection, attempt_id=attempt_id)}
    if WHOLE_LOG in known or _hold_most_of(known, len(log)):
        return False
    whole = InstallPhase(WHOLE_LOG, status)
    write_log(connection, _insert_phases(connection, attempt_id, known, [whole])[WHOLE_LOG], log)
    return True


def _hold_most_of(phases: dict[str, Any], log_bytes: int) -> bool:
    logged: int = sum(row.log_bytes for name, row in phases.items() if name != WHOLE_LOG)
    return 2 * logged >= log_bytes


def settle_whole_log(connection: Connection, attempt_id: int) -> None:
    """Drop the log of a whole run whose phases have brought their own since."""
    known = {row.name: row for row in _READ_PHASES.run(connection, attempt_id=attempt_id)}
    whole = known.get(WHOLE_LOG)
    if whole is None or len(known) == 1:
        return
    if whole.log_bytes and _hold_most_of(known, whole.log_bytes):
        _DELETE_LOG.run(connection, phase_id=whole.id)
        _DELETE_PHASE.run(connection, phase_id=whole.id)


def complete_build(
    connection: Connection, build_id: int, report: InstallReport, package_id: int | None
) -> bool:
    """Add to a build what a report tells beside its run, each kind of it only where the build has none."""
    known = _READ_BUILD.run(connection, build_id=build_id)[0]
    is_new = (known.package_id, known.prefix, known.configure_arguments)
    both = (
        _first(known.package_id, package_id),
        _first(known.prefix, report.prefix),
        _first(known.configure_arguments, report.configure_arguments),
    )
    changed = both != is_new
    if changed:
        _SET_BUILD.run(
            connection, build_id=build_id, package_id=both[0], prefix=both[1], configure_arguments=both[2]
        )
    if report.environment_variables and not known.has_variables:
        replace_variables(connection, build_id, report.environment_variables)
        changed = True
    if report.install_files and not known.has_files:
        replace_files(connection, build_id, report.install_files)
        changed = True
    if report.attributes:
        analyzers = {row.analyzer for row in _ANALYZERS.run(connection, build_id=build_id)}
        new = {name: found for name, found in report.attributes.items() if name not in analyzers}
        if new:
            replace_attributes(connection, build_id, new)
            changed = True
    return changed


def beginning(report: InstallReport) -> datetime | None:
    """When the run began, as far as that can be told from a report: not later than it ended."""
    if report.started_at is not None or report.finished_at is None:
        return report.started_at
    return report.finished_at - timedelta(seconds=report.duration_seconds or 0.0)


def _seconds(report: InstallReport) -> float | None:
    # CDash's times are those of the whole command, of all the packages that it installed.
    is_own = report.source.kind is not SourceKind.CDASH
    if report.duration_seconds is None and report.started_at and report.finished_at and is_own:
        return max(0.0, (report.finished_at - report.started_at).total_seconds())
    return _float(report.duration_seconds)


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _first(known: Value | None, told: Value | None) -> Value | None:
    return told if known is None else known
