"""Every statement of attempts and their phases: what runs are written as."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import RowStatement, Statement, insert_missing, over_rows
from spackmon.ingest.tables.hanging import OF_ATTEMPT, End, referring
from spackmon.models.places import number_of
from spackmon.runs.facts import Run
from spackmon.runs.phases import RunPhase

_FACTS = (
    "environment_id", "status", "started_at", "finished_at", "end_is_inferred", "duration_seconds",
    "cpu_seconds", "peak_memory_bytes", "reported_at", "spack_version", "spack_revision", "installed_from",
    "prefix", "environment_set_id", "manifest_id", "ci_job_id",
    "tag_set_id", "configure_arguments_id",
)  # fmt: skip

_OF_PHASE = (
    "position", "status", "duration_seconds", "reported_at", "log_id", "cpu_seconds", "peak_memory_bytes",
)  # fmt: skip
_KIND = "k.name = i.name AND k.position = i.position AND k.status = i.status"

_READ = over_rows(
    "id bigint",
    f"""
    SELECT a.id, a.build_id, {", ".join(f"a.{name}" for name in _FACTS)},
        b.owner_id, b.spec_id, b.package_id, b.environment_id AS build_environment_id
    FROM attempt a JOIN build b ON b.id = a.build_id
    WHERE a.id IN (SELECT i.id FROM {{input}} i)
    """,  # noqa: S608 -- of our own constants
    moments=("started_at", "finished_at", "reported_at"),
)

_BUILDS_OF = over_rows(
    "id bigint", "SELECT id, build_id FROM attempt WHERE id IN (SELECT i.id FROM {input} i)"
)

_INSERT = Statement(
    f"""
    INSERT INTO attempt (build_id, number, {", ".join(_FACTS)})
    VALUES (
        :build_id, (SELECT COALESCE(max(a.number), 0) + 1 FROM attempt a WHERE a.build_id = :build_id),
        {", ".join(f":{name}" for name in _FACTS)}
    )
    RETURNING id
    """  # noqa: S608 -- as above
)

_UPDATE = Statement(
    f"UPDATE attempt SET {', '.join(f'{name} = :{name}' for name in _FACTS)} WHERE id = :id"  # noqa: S608 -- as above
)

_READ_PHASES = over_rows(
    "id bigint",
    """
    SELECT p.attempt_id, p.place, k.name, k.position, k.status, p.duration_seconds, p.reported_at, p.log_id,
        p.cpu_seconds, p.peak_memory_bytes
    FROM phase p JOIN phase_kind k ON k.id = p.kind_id
    WHERE p.attempt_id IN (SELECT i.id FROM {input} i)
    """,
    moments=("reported_at",),
)

_OF_INPUT = (
    "attempt_id bigint, place integer, name text, position integer, status text,"
    " duration_seconds double precision, log_id bigint, cpu_seconds double precision,"
    " peak_memory_bytes bigint"
)
_PUT = "RETURNING phase.attempt_id, phase.place"
_KINDS = insert_missing(
    "phase_kind", "name text, position integer, status text", ["name", "position", "status"]
)

# That each has another name and place holds by who writes: one at a time, which has read what is there.
_ADD_PHASES = over_rows(
    _OF_INPUT,
    f"""
    INSERT INTO phase (
        attempt_id, place, kind_id, duration_seconds, reported_at, log_id, cpu_seconds, peak_memory_bytes
    )
    SELECT i.attempt_id, i.place, k.id, i.duration_seconds, :reported_at, i.log_id, i.cpu_seconds,
        i.peak_memory_bytes
    FROM {{input}} i JOIN phase_kind k ON {_KIND}
    ORDER BY i.attempt_id, i.place
    {_PUT}
    """,  # noqa: S608 -- of our own constants
)

_CHANGE_PHASES = over_rows(
    _OF_INPUT,
    f"""
    UPDATE phase SET
        kind_id = k.id, duration_seconds = i.duration_seconds, reported_at = :reported_at, log_id = i.log_id,
        cpu_seconds = i.cpu_seconds, peak_memory_bytes = i.peak_memory_bytes
    FROM {{input}} i JOIN phase_kind k ON {_KIND}
    WHERE phase.attempt_id = i.attempt_id AND phase.place = i.place
    {_PUT}
    """,  # noqa: S608 -- as above
)

_DELETE_PHASES = over_rows(
    "attempt_id bigint, place integer",
    "DELETE FROM phase WHERE (attempt_id, place) IN (SELECT i.attempt_id, i.place FROM {input} i)",
)

# Those that are counted as they are stay untouched: their rows are long, and there may be thousands.
_COUNT_EVENTS = over_rows(
    "id bigint, kind text, attempt_id bigint",
    """
    UPDATE build_event SET attempt_id = i.attempt_id
    FROM {input} i
    WHERE build_event.claim_id = i.id AND build_event.kind = i.kind
        AND build_event.attempt_id IS DISTINCT FROM i.attempt_id
    """,
)

_COUNT_ANALYSES = over_rows(
    "id bigint, analyzer text, attempt_id bigint",
    """
    UPDATE analysis SET attempt_id = (
        SELECT i.attempt_id FROM {input} i WHERE i.id = analysis.claim_id AND i.analyzer = analysis.analyzer
    )
    WHERE claim_id IN (SELECT i.id FROM {input} i)
    """,
)

# A file of the manifest that the run has now, which another source may have brought.
_REFER_TO_FILES = over_rows(
    "id bigint",
    """
    UPDATE attribute SET
        attempt_id = (SELECT n.attempt_id FROM analysis n WHERE n.id = attribute.analysis_id),
        install_file_id = (
            SELECT f.id FROM analysis n JOIN attempt a ON a.id = n.attempt_id
            JOIN install_file f ON f.manifest_id = a.manifest_id AND f.path = attribute.path
            WHERE n.id = attribute.analysis_id
        )
    WHERE analysis_id IN (SELECT n.id FROM {input} i JOIN analysis n ON n.claim_id = i.id)
    """,
)

_DELETE = over_rows("id bigint", "DELETE FROM attempt WHERE id IN (SELECT i.id FROM {input} i)")
_DELETE_PARTS = [
    over_rows("id bigint", f"DELETE FROM {table} WHERE {column} IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
    for table, column in referring(OF_ATTEMPT, End.DELETED)
]


def read_attempts(connection: Connection, attempt_ids: Iterable[int]) -> dict[int, Any]:
    """Rows of attempts by their ids, with the owner, spec and package of their builds."""
    return {row.id: row for row in _READ.run(connection, sorted({(one,) for one in attempt_ids}))}


def builds_of(connection: Connection, attempt_ids: Iterable[int]) -> dict[int, int]:
    """The builds that attempts are counted to."""
    rows = _BUILDS_OF.run(connection, sorted({(one,) for one in attempt_ids}))
    return {row.id: row.build_id for row in rows}


def read_phases(connection: Connection, attempt_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Of attempts that have some the rows of their phases by name."""
    phases: dict[int, dict[str, Any]] = {}
    for row in _READ_PHASES.run(connection, sorted({(one,) for one in attempt_ids})):
        phases.setdefault(row.attempt_id, {})[row.name] = row
    return phases


def facts_of(
    run: Run, environment_id: int, tag_set_id: int | None, configure_arguments_id: int | None
) -> dict[str, Any]:
    """The columns of the attempt that a run is."""
    times = run.times
    return {
        "environment_id": environment_id,
        "status": run.status.value,
        "started_at": times.started_at,
        "finished_at": times.finished_at,
        "end_is_inferred": times.end_is_inferred,
        "duration_seconds": times.duration_seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_memory_bytes": run.peak_memory_bytes,
        "reported_at": run.first_reported_at,
        "spack_version": run.spack_version,
        "spack_revision": run.spack_revision,
        "installed_from": None if run.installed_from is None else run.installed_from.value,
        "prefix": run.prefix,
        "environment_set_id": run.environment_set_id,
        "manifest_id": run.manifest_id,
        "ci_job_id": run.ci_job_id,
        "tag_set_id": tag_set_id,
        "configure_arguments_id": configure_arguments_id,
    }


def add_attempt(connection: Connection, build_id: int, facts: Mapping[str, Any]) -> int:
    """Insert an attempt of a build, numbered as its last until the build is settled; its id."""
    attempt_id: int = _INSERT.run(connection, build_id=build_id, **facts)[0].id
    return attempt_id


def differs(row: Any, facts: Mapping[str, Any]) -> bool:
    """Whether an attempt's row says otherwise."""
    return any(getattr(row, name) != value for name, value in facts.items())


def update_attempts(connection: Connection, facts: Mapping[int, Mapping[str, Any]]) -> None:
    """Write the columns of attempts, by their ids."""
    _UPDATE.run_each(connection, [{"id": attempt_id, **columns} for attempt_id, columns in facts.items()])


@dataclass(frozen=True, slots=True)
class WrittenPhases:
    """The phases of an attempt by name, how many are new, whether any differed, and which.

    Those with another log, too.
    """

    ids: Mapping[str, int]
    created: int
    differed: bool
    changed: Sequence[int]
    with_new_log: Sequence[int]


def write_phases(
    connection: Connection,
    runs: Iterable[tuple[int, Sequence[RunPhase]]],
    stored: Mapping[int, Mapping[str, Any]],
) -> dict[int, WrittenPhases]:
    """Make these the phases of attempts, of which some have `stored` by their names."""
    wanted = dict(runs)
    gone = {
        attempt_id: [(attempt_id, row.place) for name, row in stored.get(attempt_id, {}).items()
                     if name not in {phase.name for phase in phases}]
        for attempt_id, phases in wanted.items()
    }  # fmt: skip
    _DELETE_PHASES.run(connection, [row for rows in gone.values() for row in rows])
    differing = {
        attempt_id: [p for p in phases if not _is_written(p, stored.get(attempt_id, {}).get(p.name))]
        for attempt_id, phases in wanted.items()
    }
    places = {
        attempt_id: _places(phases, stored.get(attempt_id, {})) for attempt_id, phases in wanted.items()
    }
    _put_phases(connection, differing, stored, places)
    return {
        attempt_id: _written(
            {name: number_of(attempt_id, place) for name, place in places[attempt_id].items()},
            stored.get(attempt_id, {}), differing[attempt_id],
            differed=bool(gone[attempt_id] or differing[attempt_id]),
        )
        for attempt_id in wanted
    }  # fmt: skip


def _places(phases: Sequence[RunPhase], stored: Mapping[str, Any]) -> dict[str, int]:
    """The places of an attempt's phases by their names: a new one comes behind all that there were."""
    free = count(1 + max((row.place for row in stored.values()), default=0))
    return {one.name: stored[one.name].place if one.name in stored else next(free) for one in phases}


def _put_phases(
    connection: Connection,
    differing: Mapping[int, Sequence[RunPhase]],
    stored: Mapping[int, Mapping[str, Any]],
    places: Mapping[int, Mapping[str, int]],
) -> None:
    """Write phases of attempts."""
    for reported_at in sorted({phase.reported_at for phases in differing.values() for phase in phases}):
        rows = [
            (
                attempt_id, places[attempt_id][p.name], p.name, p.position, p.status,
                None if p.duration_seconds is None else float(p.duration_seconds), p.log_id,
                p.cpu_seconds, p.peak_memory_bytes,
            )
            for attempt_id, phases in differing.items() for p in phases if p.reported_at == reported_at
        ]  # fmt: skip
        for statement, some in (
            (_ADD_PHASES, [row for row in rows if row[2] not in stored.get(row[0], {})]),
            (_CHANGE_PHASES, [row for row in rows if row[2] in stored.get(row[0], {})]),
        ):
            _put(connection, statement, some, reported_at)


def _put(connection: Connection, statement: RowStatement, rows: Sequence[Any], reported_at: datetime) -> None:
    """Write rows of phases. Nearly always there are all of their kinds."""
    done = {tuple(put) for put in statement.run(connection, rows, reported_at=reported_at)}
    if len(done) < len(rows):
        missing = [row for row in rows if row[:2] not in done]
        _KINDS.run(
            connection, sorted({(name, position, status) for _, _, name, position, status, *_ in missing})
        )
        statement.run(connection, missing, reported_at=reported_at)


def _written(
    ids: Mapping[str, int],
    stored: Mapping[str, Any],
    differing: Sequence[RunPhase],
    *,
    differed: bool,
) -> WrittenPhases:
    logged = [phase.name for phase in differing if _has_new_log(phase, stored.get(phase.name))]
    return WrittenPhases(
        ids,
        len(ids.keys() - stored.keys()),
        differed,
        [ids[phase.name] for phase in differing],
        [ids[name] for name in logged],
    )


def _has_new_log(phase: RunPhase, row: Any) -> bool:
    return phase.log_id is not None and (row is None or row.log_id != phase.log_id)


def _is_written(phase: RunPhase, row: Any) -> bool:
    return row is not None and all(getattr(phase, name) == getattr(row, name) for name in _OF_PHASE)


def phase_id(connection: Connection, attempt_id: int, name: str) -> int:
    """The id of a phase of an attempt, which has it."""
    return number_of(attempt_id, read_phases(connection, [attempt_id])[attempt_id][name].place)


def count_findings(connection: Connection, runs: Iterable[tuple[int, Run]]) -> None:
    """Count the events and analyses of claims to the attempts of their runs, where they stand for them."""
    events: list[tuple[int, str, int | None]] = []
    analyses: list[tuple[int, str, int | None]] = []
    for attempt_id, run in runs:
        for claim in run.claims:
            events += [
                (claim.id, kind.value, attempt_id if run.events_of.get(kind) == claim.id else None)
                for kind in sorted(claim.event_kinds)
            ]
            analyses += [
                (claim.id, analyzer, attempt_id if run.analyses_of.get(analyzer) == claim.id else None)
                for analyzer in sorted(claim.analyzers)
            ]
    _COUNT_EVENTS.run(connection, events)
    _COUNT_ANALYSES.run(connection, analyses)
    _REFER_TO_FILES.run(connection, sorted({(claim_id,) for claim_id, _, _ in analyses}))


def delete_attempts(connection: Connection, attempt_ids: Iterable[int]) -> None:
    """Delete attempts of which no claim speaks any longer."""
    ids = sorted({(one,) for one in attempt_ids})
    for statement in _DELETE_PARTS:
        statement.run(connection, ids)
    _DELETE.run(connection, ids)
