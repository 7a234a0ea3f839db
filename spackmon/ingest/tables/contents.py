"""What runs have by content: logs, environments, manifests. Equal contents are one row, whoever brings them.

A nightly re-run of an unchanged package costs rows of its own for what differs only.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, get_or_create, over_rows
from spackmon.ingest.tables.log_events import add_events
from spackmon.large_bytes import LargeBytes, pieces
from spackmon.logs import chunks
from spackmon.logs.event import Report
from spackmon.logs.packed import PackedLog, digest_of, report_of
from spackmon.logs.scanner import RULES_VERSION
from spackmon.submission import InstalledFile

_CHUNKS_AT_ONCE = 16
_TRIES = 5

AnyLog = bytes | LargeBytes | PackedLog

_FIND = {
    table: Statement(f"SELECT id FROM {table} WHERE digest = :digest {{lock}}", lock="FOR KEY SHARE")  # noqa: S608
    for table in ("environment_set", "manifest")
}

_FIND_LOGS = over_rows(
    "digest bytea",
    """
    SELECT l.id, l.digest FROM log l
    WHERE l.digest IN (SELECT i.digest FROM {input} i)
    ORDER BY l.digest
    {lock}
    """,
    lock="FOR KEY SHARE OF l",
)

_RANKS = {
    table: Statement(f"SELECT {rank} AS rank FROM {table} WHERE id = :id")  # noqa: S608 -- of our own constants
    for table, rank in {
        "log": "digest", "environment_set": "digest", "manifest": "digest", "package": "name",
        "ci_job": "(SELECT r.provider || ' ' || r.project || ' ' || r.pipeline_id || ' ' || r.stack || ' '"
        " FROM ci_run r WHERE r.id = ci_run_id) || job_id",
    }.items()
}  # fmt: skip

# In the order of their digests: two that add the same logs would otherwise wait for each other.
_INSERT_LOGS = over_rows(
    "digest bytea, size_bytes bigint",
    """
    INSERT INTO log (digest, size_bytes, rules_version, unlisted_events)
    SELECT i.digest, i.size_bytes, CAST(:rules_version AS integer), 0 FROM {input} i
    WHERE true
    ORDER BY i.digest
    ON CONFLICT DO NOTHING
    RETURNING id, digest
    """,
)

# Their texts were removed, and are here again.
_BRING_BACK = over_rows(
    "id bigint",
    """
    UPDATE log SET removed_at = NULL
    WHERE id IN (SELECT i.id FROM {input} i) AND removed_at IS NOT NULL
    RETURNING id
    """,
)

_INSERT_CHUNK = Statement(
    """
    INSERT INTO log_chunk (log_id, number, first_line, size_bytes, content)
    VALUES (:log_id, :number, :first_line, :size_bytes, :content)
    """
)

_INSERT_ENVIRONMENT = Statement(
    "INSERT INTO environment_set (digest) VALUES (:digest) ON CONFLICT DO NOTHING RETURNING id"
)

_INSERT_VARIABLES = over_rows(
    "name text, value text",
    """
    INSERT INTO environment_variable (environment_set_id, name, value)
    SELECT CAST(:environment_set_id AS bigint), i.name, i.value FROM {input} i
    """,
)

_INSERT_MANIFEST = Statement(
    "INSERT INTO manifest (digest) VALUES (:digest) ON CONFLICT DO NOTHING RETURNING id"
)

_INSERT_FILES = over_rows(
    "path text, type text, mode integer, owner bigint, group_id bigint, hash text, size_bytes bigint, "
    "modified_at_seconds double precision, destination text",
    """
    INSERT INTO install_file (
        manifest_id, path, type, mode, owner, "group", hash, size_bytes, modified_at_seconds, destination
    )
    SELECT CAST(:manifest_id AS bigint), i.path, i.type, i.mode, i.owner, i.group_id, i.hash, i.size_bytes,
        i.modified_at_seconds, i.destination
    FROM {input} i
    WHERE true
    ORDER BY i.path
    """,
)


def logs_of(connection: Connection, outputs: Sequence[AnyLog | None]) -> tuple[list[int | None], set[int]]:
    """The id of the log with these bytes for each output, None for one that is empty.

    Also those of the logs that may have events: new ones that say nothing have none.
    """
    digests = [_digest_of_log(output) if output else None for output in outputs]
    pairs = zip(digests, outputs, strict=True)
    ids, with_events = _stored(connection, {digest: output for digest, output in pairs if digest and output})
    return [None if digest is None else ids[digest] for digest in digests], with_events


def _stored(connection: Connection, logs: Mapping[bytes, AnyLog]) -> tuple[dict[bytes, int], set[int]]:
    """The ids of logs by their digests, and of those that may have events."""
    known: dict[bytes, int] = {}
    new: dict[bytes, int] = {}

    def missing() -> list[bytes]:
        return sorted(digest for digest in logs if digest not in known and digest not in new)

    for _ in range(_TRIES):
        found = _FIND_LOGS.run(connection, [(digest,) for digest in missing()])
        known |= {bytes(row.digest): row.id for row in found}
        rows = [(digest, len(logs[digest])) for digest in missing()]
        added = _INSERT_LOGS.run(connection, rows, rules_version=RULES_VERSION)
        new |= {bytes(row.digest): row.id for row in added}
        # Somebody was faster, for whose commit this waited; a third may delete that row before it is found.
        if not missing():
            break
    else:
        raise RuntimeError("a log can neither be read nor be inserted")
    back = {row.id for row in _BRING_BACK.run(connection, sorted((log_id,) for log_id in known.values()))}
    without_text = new | {digest: log_id for digest, log_id in known.items() if log_id in back}
    _write_texts(connection, ((log_id, logs[digest]) for digest, log_id in without_text.items()))
    reports = {log_id: _report_of(logs[digest]) for digest, log_id in new.items()}
    add_events(connection, reports)
    with_events = {log_id for log_id, report in reports.items() if report.events}
    return known | new, with_events.union(known.values())


def _digest_of_log(output: AnyLog) -> bytes:
    return output.digest if isinstance(output, PackedLog) else digest_of(output)


def _write_texts(connection: Connection, logs: Iterable[tuple[int, AnyLog]]) -> None:
    rows = (
        {"log_id": log_id, **dataclasses.asdict(chunk)}
        for log_id, output in logs
        for chunk in (output.chunks() if isinstance(output, PackedLog) else chunks.split(output))
    )
    # A few chunks at a time: one log may be larger than all else that the server holds.
    while batch := list(islice(rows, _CHUNKS_AT_ONCE)):
        _INSERT_CHUNK.run_each(connection, batch)


def _report_of(output: AnyLog) -> Report:
    return output.report if isinstance(output, PackedLog) else report_of(pieces(output))


def environment_set_of(connection: Connection, variables: Mapping[str, str]) -> int:
    """The id of an environment with these variables and no others."""
    rows = sorted(variables.items())
    environment_set_id, is_new = _get_or_create(
        connection, "environment_set", _INSERT_ENVIRONMENT, _digest(rows)
    )
    if is_new:
        _INSERT_VARIABLES.run(connection, rows, environment_set_id=environment_set_id)
    return environment_set_id


def manifest_of(connection: Connection, files: Iterable[InstalledFile]) -> int:
    """The id of a manifest of these files and no others; of two with one path the last one counts."""
    by_path = {file.path: file for file in files}
    rows = [
        (
            f.path, f.type, f.mode, f.owner, f.group, f.hash, f.size_bytes,
            None if f.modified_at_seconds is None else float(f.modified_at_seconds), f.destination,
        )
        for _, f in sorted(by_path.items())
    ]  # fmt: skip
    manifest_id, is_new = _get_or_create(connection, "manifest", _INSERT_MANIFEST, _digest(rows))
    if is_new:
        _INSERT_FILES.run(connection, rows, manifest_id=manifest_id)
    return manifest_id


def rank_in(connection: Connection) -> Callable[[str, int], Any]:
    """How rows that claims refer to sort: by what they hold, which no order of arrival changes."""

    def rank(table: str, row_id: int) -> Any:
        return _RANKS[table].run(connection, id=row_id)[0].rank

    return rank


def _get_or_create(
    connection: Connection, table: str, insert: Statement, digest: bytes, **values: Any
) -> tuple[int, bool]:
    return get_or_create(
        lambda: _FIND[table].run(connection, digest=digest),
        lambda: insert.run(connection, digest=digest, **values),
    )


def _digest(rows: Sequence[Sequence[Any]]) -> bytes:
    written = json.dumps(rows, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(written.encode()).digest()
