"""What the tables say of each attempt: the one place of the simulator that knows their columns."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from spackmon.logs import chunks
from spackmon.models.columns import UtcDateTime


@dataclass(frozen=True, slots=True)
class StoredSource:
    """Who told about an attempt, and when first and last."""

    owner: int
    kind: str
    key: str
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class StoredPhase:
    """In the order of their positions."""

    name: str
    status: str
    seconds: float | None
    log: bytes


@dataclass(slots=True)
class StoredAttempt:
    """An attempt; `facts` are those of the run itself, by the names that the judge compares."""

    id: int
    build_id: int
    owner: int
    number: int
    status: str
    spec_hash: str | None
    started: datetime | None
    finished: datetime | None
    seconds: float | None
    spack_version: str | None
    spack_revision: str | None
    hostname: str
    is_newest: bool = False
    sources: list[StoredSource] = field(default_factory=list)
    phases: list[StoredPhase] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def attempts(connection: Connection) -> list[StoredAttempt]:
    """All of them, by id."""
    found: dict[int, StoredAttempt] = {}
    for row in _rows(connection, _ATTEMPTS):
        found[row.id] = StoredAttempt(
            row.id, row.build_id, row.owner_id, row.number, row.status, row.hash,
            _moment(row.started_at), _moment(row.finished_at), row.duration_seconds,
            row.spack_version, row.spack_revision, row.hostname,
        )  # fmt: skip
    newest = {attempt.build_id: attempt.id for attempt in sorted(found.values(), key=lambda a: a.number)}
    for attempt in found.values():
        attempt.is_newest = newest[attempt.build_id] == attempt.id
    for row in _rows(connection, _SOURCES):
        found[row.attempt_id].sources.append(
            StoredSource(row.owner_id, row.kind, row.key, *map(_moment, (row.first, row.last)))  # type: ignore[arg-type]
        )
    logs: dict[int, list[bytes]] = defaultdict(list)
    for row in _rows(connection, "SELECT log_id, content FROM log_chunk ORDER BY log_id, number"):
        logs[row.log_id].append(bytes(row.content))
    for row in _rows(connection, _PHASES):
        log = chunks.join(logs.get(row.log_id, ()))
        found[row.attempt_id].phases.append(StoredPhase(row.name, row.status, row.duration_seconds, log))
    for row in _rows(connection, _EVENTS):
        found[row.attempt_id].events.append(row.text)
    _facts(connection, found)
    return list(found.values())


def _facts(connection: Connection, found: dict[int, StoredAttempt]) -> None:
    sets: dict[int, dict[str, str]] = defaultdict(dict)
    for row in _rows(connection, "SELECT environment_set_id, name, value FROM environment_variable"):
        sets[row.environment_set_id][row.name] = row.value
    manifests: dict[int, set[str]] = defaultdict(set)
    for row in _rows(connection, "SELECT manifest_id, path FROM install_file"):
        manifests[row.manifest_id].add(row.path)
    for row in _rows(connection, _RUNS):
        found[row.id].facts = {
            "prefix": row.prefix, "arguments": row.arguments, "installed_from": row.installed_from,
            "variables": sets.get(row.environment_set_id, {}), "files": manifests.get(row.manifest_id, set()),
            "tags": set(),
        }  # fmt: skip
    for row in _rows(connection, _TAGS):
        found[row.attempt_id].facts["tags"].add(row.name)


_ATTEMPTS = """
    SELECT a.id, a.build_id, b.owner_id, a.number, a.status, s.hash, a.started_at, a.finished_at,
        a.duration_seconds, a.spack_version, a.spack_revision, e.hostname
    FROM attempt a JOIN build b ON b.id = a.build_id
    JOIN build_environment e ON e.id = a.environment_id LEFT JOIN spec s ON s.id = b.spec_id
    ORDER BY a.id
"""
_SOURCES = """
    SELECT attempt_id, owner_id, kind, key, first_reported_at AS first, last_reported_at AS last
    FROM claim WHERE attempt_id IS NOT NULL ORDER BY id
"""
_PHASES = """
    SELECT p.attempt_id, p.log_id, p.duration_seconds, k.name, k.status
    FROM phase p JOIN phase_kind k ON k.id = p.kind_id ORDER BY k.position, p.place
"""
_RUNS = """
    SELECT a.*, g.text AS arguments
    FROM attempt a LEFT JOIN configure_arguments g ON g.id = a.configure_arguments_id
"""
_TAGS = """
    SELECT a.id AS attempt_id, t.name FROM attempt a JOIN tag_set_member m ON m.tag_set_id = a.tag_set_id
    JOIN tag t ON t.id = m.tag_id
"""
_EVENTS = "SELECT attempt_id, text FROM build_event WHERE attempt_id IS NOT NULL ORDER BY position"
_column = UtcDateTime()


def _moment(value: Any) -> datetime | None:
    return _column.process_result_value(value, None)  # type: ignore[arg-type]


def _rows(connection: Connection, statement: str) -> Any:
    return connection.execute(text(statement))
