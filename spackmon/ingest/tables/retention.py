"""What is old enough to go: runs and texts of logs, and the rows that end with a run.

A run is as old as its end; where nobody said when that was, as its beginning, else as its first report.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.rows import Row, Statement, over_rows

IDS_AT_ONCE = 5_000

_RAN_AT = "COALESCE({0}.finished_at, {0}.started_at, {0}.reported_at)"
_SAME = {"spec": "o.spec_id = b.spec_id", "package": "o.package_id = b.package_id"}


def _is_expired(same: str) -> str:
    """Of an attempt `a` of a build `b`: the last success of its spec, or package, never is."""
    return f"""
        a.status <> 'RUNNING' AND {_RAN_AT.format("a")} < :before_at
        AND (CAST(:status AS text) = '' OR a.status = :status)
        AND (CAST(:tag AS text) = '' OR a.tag_set_id IN (
            SELECT t.tag_set_id FROM tag_set_member t JOIN tag g ON g.id = t.tag_id WHERE g.name = :tag
        ))
        AND (a.status <> 'SUCCESS' OR EXISTS (
            SELECT 1 FROM build o JOIN attempt s ON s.build_id = o.id
            WHERE {_SAME[same]} AND s.status = 'SUCCESS'
                AND ({_RAN_AT.format("s")}, s.id) > ({_RAN_AT.format("a")}, a.id)
        ))
    """  # noqa: S608 -- of our own constants


_RUNS = {
    same: Statement(
        f"""
        SELECT a.id FROM attempt a JOIN build b ON b.id = a.build_id
        WHERE a.id > :after AND a.id <= :upto AND {_is_expired(same)}
        ORDER BY a.id
        """  # noqa: S608 -- as above
    )
    for same in _SAME
}
_LOGS = {
    same: Statement(
        f"""
        SELECT l.id, l.size_bytes FROM log l
        WHERE l.id > :after AND l.id <= :upto AND l.removed_at IS NULL
            AND EXISTS (SELECT 1 FROM phase p WHERE p.log_id = l.id)
            AND NOT EXISTS (
                SELECT 1 FROM phase p JOIN attempt a ON a.id = p.attempt_id JOIN build b ON b.id = a.build_id
                WHERE p.log_id = l.id AND NOT ({_is_expired(same)})
            )
        ORDER BY l.id
        """  # noqa: S608 -- as above
    )
    for same in _SAME
}
_LAST = {
    table: Statement(f"SELECT COALESCE(max(id), 0) AS id FROM {table}")  # noqa: S608 -- as above
    for table in ("attempt", "log")
}
_REMOVE_CHUNKS = over_rows("id bigint", "DELETE FROM log_chunk WHERE log_id IN (SELECT i.id FROM {input} i)")
_SET_REMOVED = over_rows(
    "id bigint", "UPDATE log SET removed_at = :now, object_id = NULL WHERE id IN (SELECT i.id FROM {input} i)"
)
# Whoever reports an equal log refers to it, and commits after or before this.
_LOCK_LOGS = over_rows(
    "id bigint", "SELECT l.id FROM log l WHERE l.id IN (SELECT i.id FROM {input} i) ORDER BY l.id {lock}",
    lock="FOR UPDATE OF l",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """What ended before `before_at`, with this status and this tag, empty for any, is removed.

    `same` is `spec` or `package`: the last success of each is kept.
    """

    before_at: datetime
    status: str = ""
    tag: str = ""
    same: str = "spec"


def last_id(connection: Connection, table: str) -> int:
    """The greatest number of an attempt, or of a log."""
    return int(_LAST[table].run(connection)[0].id)


def expired_runs(connection: Connection, rule: Rule, after: int) -> Sequence[int]:
    """Which of the next IDS_AT_ONCE attempts are to go."""
    return [row.id for row in _find(_RUNS[rule.same], connection, rule, after)]


def expired_logs(connection: Connection, rule: Rule, after: int) -> Sequence[tuple[int, int]]:
    """Which of the next IDS_AT_ONCE logs lose their texts: ids and sizes. All of a log's runs are expired."""
    return [(row.id, row.size_bytes) for row in _find(_LOGS[rule.same], connection, rule, after)]


def _find(statement: Statement, connection: Connection, rule: Rule, after: int) -> Sequence[Row]:
    return statement.run(
        connection, after=after, upto=after + IDS_AT_ONCE, before_at=rule.before_at, status=rule.status,
        tag=rule.tag,
    )  # fmt: skip


def remove_texts(connection: Connection, rule: Rule, after: int, most: int, now: datetime) -> int:
    """Delete the texts of the next of these logs; their events stay. How many."""
    ids = [(log_id,) for log_id, _ in expired_logs(connection, rule, after)[:most]]
    _LOCK_LOGS.run(connection, ids)
    # A run that began meanwhile may have an equal log.
    still = {log_id for log_id, _ in expired_logs(connection, rule, after)}
    gone = [log_id for (log_id,) in ids if log_id in still]
    remove_texts_of(connection, gone, now)
    return len(gone)


def remove_texts_of(connection: Connection, log_ids: Sequence[int], now: datetime) -> None:
    """Delete the texts of logs that are locked; their events stay."""
    rows = [(log_id,) for log_id in log_ids]
    _REMOVE_CHUNKS.run(connection, rows)
    _SET_REMOVED.run(connection, rows, now=now)


_OF_RUNS = over_rows(
    "id bigint",
    """
    SELECT c.id AS claim_id, a.id AS attempt_id, a.build_id, b.package_id, a.environment_id,
        b.environment_id AS build_environment_id, c.environment_id AS claim_environment_id,
        c.environment_set_id, c.manifest_id
    FROM {input} i JOIN attempt a ON a.id = i.id JOIN build b ON b.id = a.build_id
    LEFT JOIN claim c ON c.attempt_id = a.id
    ORDER BY c.id
    """,
)
_ELF_OF_CLAIMS = over_rows(
    "id bigint",
    "SELECT DISTINCT t.elf_file_id FROM analysis a JOIN attribute t ON t.analysis_id = a.id"
    " WHERE a.claim_id IN (SELECT i.id FROM {input} i) AND t.elf_file_id IS NOT NULL",
)
_ANALYSES = "SELECT a.id FROM analysis a WHERE a.claim_id IN (SELECT i.id FROM {input} i)"
_CLAIMS = "SELECT i.id FROM {input} i"
_END_CLAIMS = [
    over_rows("id bigint", f"DELETE FROM {table} WHERE {column} IN ({ids})")  # noqa: S608 -- as above
    for table, column, ids in (
        ("earlier_attribute", "analysis_id", _ANALYSES),
        ("attribute", "analysis_id", _ANALYSES),
        ("analysis_host", "analysis_id", _ANALYSES),
        ("analysis", "claim_id", _CLAIMS),
        ("build_event", "claim_id", _CLAIMS),
        ("claim_log", "claim_id", _CLAIMS),
        ("ruling", "claim_id", _CLAIMS),
        ("ruling", "other_claim_id", _CLAIMS),
        ("claim", "id", _CLAIMS),
    )
]


def rows_of_runs(connection: Connection, attempt_ids: Collection[int]) -> Sequence[Row]:
    """The claims of some runs, each with what it and its run refer to."""
    return _OF_RUNS.run(connection, sorted((one,) for one in attempt_ids))


def elf_files_of(connection: Connection, claim_ids: Collection[int]) -> list[int]:
    """The ELF files that claims have results of."""
    rows = _ELF_OF_CLAIMS.run(connection, sorted((one,) for one in claim_ids))
    return [row.elf_file_id for row in rows]


def end_claims(connection: Connection, claim_ids: Collection[int]) -> None:
    """Delete claims with all that they brought; no run refers to them any longer."""
    ids = sorted((one,) for one in claim_ids)
    for statement in _END_CLAIMS:
        statement.run(connection, ids)
