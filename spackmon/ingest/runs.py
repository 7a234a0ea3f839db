"""Phases and statuses: which attempt of a build a report belongs to.

A report belongs to the build's newest attempt, with these exceptions:

- The client had announced a re-run after this attempt began: it begins the next attempt. Clients ask for a
  build once a run, and 0.16 and 0.17 never finish the package that broke, so that an announcement is the
  only sign that its run is over.
- The attempt is finished, nothing was announced:
  - a phase that the attempt has already begins the next attempt;
  - a phase that it does not have arrived late (`monitor upload` replays statuses before phases) and is
    added to it;
  - a status equal to the attempt's is no change (0.18 marks a failed package twice);
  - any other status begins the next attempt.
- The attempt's end was inferred: it was cancelled because another build failed, or a phase of it ended in
  ERROR (0.16 and 0.17 say no more about the package that broke). The next report about it counts as if it
  had not ended. Such an attempt has no `finished_at`.

A build's status is that of its newest attempt.
"""

from typing import Any

from sqlalchemy import Connection, Row

from spackmon.errors import Refused
from spackmon.formats.submission import PhaseReport, StatusReport
from spackmon.ingest.locks import lock_builds
from spackmon.ingest.phase_logs import replace_log, write_log
from spackmon.ingest.receipts import PhaseReceipt, StatusReceipt
from spackmon.ingest.rows import LARGEST_ROW_ID, Statement, over_rows
from spackmon.ingest.sources import add_source, ms1_source
from spackmon.models import utc_now
from spackmon.status import FINISHED, BuildStatus

_NOT_RUN = Statement(
    """
    SELECT other.id FROM build mine
    JOIN build other ON other.owner_id = mine.owner_id AND other.environment_id = mine.environment_id
        AND other.status = 'NOTRUN'
    WHERE mine.id = :build_id AND mine.owner_id = :owner_id
    """
)

_MERGED = Statement("SELECT build_id FROM merged_build WHERE id = :build_id")

_STATE = Statement(
    """
    SELECT b.id AS build_id, b.owner_id, b.rerun_announced, s.hash AS spec_hash, p.name AS spec_name,
        a.id AS attempt_id, a.number, a.status, a.spack_version, a.started_at, a.finished_at
    FROM build b
    JOIN spec s ON s.id = b.spec_id
    JOIN package_version v ON v.id = s.package_version_id
    JOIN package p ON p.id = v.package_id
    JOIN attempt a ON a.build_id = b.id
    WHERE b.id = :build_id
    ORDER BY a.number DESC
    LIMIT 1
    """,
    moments=("started_at", "finished_at"),
)

_SET_BUILD = Statement(
    """
    UPDATE build
    SET status = :status, duration_seconds = :duration_seconds, rerun_announced = false, updated_at = :now
    WHERE id = :build_id
    """
)

_SET_ATTEMPT = Statement(
    """
    UPDATE attempt
    SET status = :status, finished_at = CASE WHEN :finished = 1 THEN :now END,
        duration_seconds = :duration_seconds
    WHERE id = :attempt_id
    """
)

_NEXT_ATTEMPT = Statement(
    """
    INSERT INTO attempt (build_id, number, status, spack_version, started_at, finished_at)
    VALUES (:build_id, :number, :status, :spack_version, :now, CASE WHEN :finished = 1 THEN :now END)
    RETURNING id
    """
)

_CANCEL_ATTEMPTS = over_rows(
    "build_id bigint",
    """
    UPDATE attempt SET status = 'CANCELLED'
    WHERE status = 'NOTRUN' AND build_id IN (SELECT i.build_id FROM {input} i)
    """,
)

_CANCEL_BUILDS = over_rows(
    "build_id bigint",
    """
    UPDATE build SET status = 'CANCELLED', updated_at = :now
    WHERE status = 'NOTRUN' AND id IN (SELECT i.build_id FROM {input} i)
    """,
)

_FIND_PHASE = Statement("SELECT id, status FROM phase WHERE attempt_id = :attempt_id AND name = :name")

_HAS_BROKEN_PHASE = Statement(
    "SELECT 1 FROM phase WHERE attempt_id = :attempt_id AND status = 'ERROR' LIMIT 1"
)

_INSERT_PHASE = Statement(
    """
    INSERT INTO phase (attempt_id, name, position, status, reported_at)
    SELECT a.id, :name, (SELECT count(*) + 1 FROM phase p WHERE p.attempt_id = a.id), :status, :now
    FROM attempt a WHERE a.id = :attempt_id
    RETURNING id
    """
)

_UPDATE_PHASE = Statement("UPDATE phase SET status = :status, reported_at = :now WHERE id = :phase_id")


def apply_status(connection: Connection, report: StatusReport, person_id: int) -> StatusReceipt:
    """Set a build's status; FAILED cancels the owner's builds there that have not run.

    Raises Refused BUILD_UNKNOWN and BUILD_NOT_YOURS.
    """
    failed = report.status is BuildStatus.FAILED
    not_run, run = lock_build(connection, report.build_id, person_id, with_not_run=failed)
    receipt = StatusReceipt(run.build_id, run.spec_hash, run.spec_name)
    if _is_over(run):
        if report.status == run.status and not run.rerun_announced:
            return receipt
        _begin_next_attempt(connection, run, report.status)
    elif report.status != run.status or _end_is_inferred(run):
        _set_status(connection, run, run.attempt_id, report.status, is_reported=True)
    if failed and not_run:
        _CANCEL_ATTEMPTS.run(connection, not_run)
        _CANCEL_BUILDS.run(connection, not_run, now=utc_now())
    return receipt


def apply_phase(connection: Connection, report: PhaseReport, person_id: int) -> PhaseReceipt:
    """Store a phase with its log; the same phase of an unfinished attempt again: the last one stays.

    Raises Refused BUILD_UNKNOWN and BUILD_NOT_YOURS.
    """
    _, run = lock_build(connection, report.build_id, person_id)
    attempt_id: int = run.attempt_id
    known = _FIND_PHASE.run(connection, attempt_id=attempt_id, name=report.name)
    if _is_over(run) and (known or run.rerun_announced):
        attempt_id = _begin_next_attempt(connection, run, BuildStatus.RUNNING)
        known = ()
    phase_id = _write_phase(connection, attempt_id, report, known)
    if attempt_id != run.attempt_id or not _is_over(run):
        broke = _HAS_BROKEN_PHASE.run(connection, attempt_id=attempt_id)
        status = BuildStatus.FAILED if broke else BuildStatus.RUNNING
        if attempt_id != run.attempt_id or run.status != status:
            _set_status(connection, run, attempt_id, status, is_reported=False)
    return PhaseReceipt(phase_id, report.name, report.status, run.build_id, run.spec_hash, run.spec_name)


def lock_build(
    connection: Connection, build_id: int, person_id: int, with_not_run: bool = False
) -> tuple[list[tuple[int]], Row[*tuple[Any, ...]]]:
    """A build with its newest attempt, kept for this transaction.

    With it, if wanted, the other builds of its owner and environment that have not run: their ids. A number
    that the build had before it turned out to be another one leads to that.
    Raises Refused BUILD_UNKNOWN, BUILD_NOT_YOURS and SPEC_UNKNOWN.
    """
    if not 0 < build_id <= LARGEST_ROW_ID:
        raise _unknown(build_id)
    ids = {build_id}
    if with_not_run:
        ids.update(row.id for row in _NOT_RUN.run(connection, build_id=build_id, owner_id=person_id))
    owners = lock_builds(connection, ids)
    if build_id not in owners:
        merged = _MERGED.run(connection, build_id=build_id)
        if not merged:
            raise _unknown(build_id)
        return lock_build(connection, merged[0].build_id, person_id, with_not_run)
    if owners[build_id] != person_id:
        raise Refused("BUILD_NOT_YOURS", 403, f"build {build_id} belongs to somebody else")
    # Read after the lock is held: the statement that waits for it sees attempts as they were before.
    run = _STATE.run(connection, build_id=build_id)
    if not run:
        raise Refused("SPEC_UNKNOWN", 409, f"the spec of build {build_id} is not known yet: report it first")
    return sorted((other,) for other in ids - {build_id}), run[0]


def _unknown(build_id: int) -> Refused:
    return Refused("BUILD_UNKNOWN", 404, f"there is no build {build_id}: post it to builds/new/ first")


def _end_is_inferred(run: Row[*tuple[Any, ...]]) -> bool:
    return run.status in FINISHED and run.finished_at is None


def _is_over(run: Row[*tuple[Any, ...]]) -> bool:
    if run.status == BuildStatus.CANCELLED and run.finished_at is None:
        return False
    return bool(run.rerun_announced) or (run.status in FINISHED and not _end_is_inferred(run))


def _set_status(
    connection: Connection,
    run: Row[*tuple[Any, ...]],
    attempt_id: int,
    status: BuildStatus,
    *,
    is_reported: bool,
) -> None:
    now, finished = utc_now(), is_reported and status in FINISHED
    # A clock that was set back must not make a build end before it began.
    seconds = max(0.0, (now - run.started_at).total_seconds()) if finished else None
    values = {"status": status.value, "duration_seconds": seconds, "now": now}
    _SET_ATTEMPT.run(connection, attempt_id=attempt_id, finished=int(finished), **values)
    _SET_BUILD.run(connection, build_id=run.build_id, **values)


def _begin_next_attempt(connection: Connection, run: Row[*tuple[Any, ...]], status: BuildStatus) -> int:
    now = utc_now()
    created = _NEXT_ATTEMPT.run(
        connection, build_id=run.build_id, number=run.number + 1, status=status.value,
        spack_version=run.spack_version, finished=int(status in FINISHED), now=now,
    )  # fmt: skip
    values = {"status": status.value, "duration_seconds": None, "now": now}
    _SET_BUILD.run(connection, build_id=run.build_id, **values)
    attempt_id: int = created[0].id
    source = ms1_source(run.build_id, run.number + 1)
    add_source(connection, source, run.owner_id, (run.build_id, attempt_id), None, now)
    return attempt_id


def _write_phase(connection: Connection, attempt_id: int, report: PhaseReport, known: Any) -> int:
    if not known:
        created = _INSERT_PHASE.run(
            connection, attempt_id=attempt_id, name=report.name, status=report.status, now=utc_now()
        )
        phase_id: int = created[0].id
        if report.output:
            write_log(connection, phase_id, report.output)
        return phase_id
    phase_id = known[0].id
    changed = report.output is not None and replace_log(connection, phase_id, report.output)
    if changed or known[0].status != report.status:
        _UPDATE_PHASE.run(connection, phase_id=phase_id, status=report.status, now=utc_now())
    return phase_id
