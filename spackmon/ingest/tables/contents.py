"""What runs have by content: logs, environments, manifests. Equal contents are one row, whoever brings them.

A nightly re-run of an unchanged package costs rows of its own for what differs only.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from spackmon.ingest.rows import Statement, get_or_create, over_rows
from spackmon.ingest.tables.log_events import add_events
from spackmon.large_bytes import LargeBytes, pieces
from spackmon.logs import chunks
from spackmon.logs.packed import PackedLog, digest_of, report_of
from spackmon.logs.scanner import RULES_VERSION
from spackmon.submission import InstalledFile

_CHUNKS_AT_ONCE = 16

_FIND = {
    table: Statement(f"SELECT id FROM {table} WHERE digest = :digest {{lock}}", lock="FOR KEY SHARE")  # noqa: S608
    for table in ("log", "environment_set", "manifest")
}

_RANKS = {
    table: Statement(f"SELECT {rank} AS rank FROM {table} WHERE id = :id")  # noqa: S608 -- of our own constants
    for table, rank in {
        "log": "digest", "environment_set": "digest", "manifest": "digest", "package": "name",
        "ci_job": "(SELECT r.provider || ' ' || r.project || ' ' || r.pipeline_id || ' ' || r.stack || ' '"
        " FROM ci_run r WHERE r.id = ci_run_id) || job_id",
    }.items()
}  # fmt: skip

_INSERT_LOG = Statement(
    """
    INSERT INTO log (digest, size_bytes, rules_version, unlisted_events)
    VALUES (:digest, :size_bytes, :rules_version, 0)
    ON CONFLICT DO NOTHING
    RETURNING id
    """
)

# Its text was removed, and is here again.
_BRING_BACK = Statement(
    "UPDATE log SET removed_at = NULL WHERE id = :id AND removed_at IS NOT NULL RETURNING id"
)

_INSERT_CHUNK = text(
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


def log_of(connection: Connection, output: bytes | LargeBytes | PackedLog) -> int:
    """The id of a log with these bytes."""
    digest = output.digest if isinstance(output, PackedLog) else digest_of(output)
    log_id, is_new = _get_or_create(
        connection, "log", _INSERT_LOG, digest, size_bytes=len(output), rules_version=RULES_VERSION
    )
    is_back = not is_new and bool(_BRING_BACK.run(connection, id=log_id))
    if is_new or is_back:
        log = output.chunks() if isinstance(output, PackedLog) else chunks.split(output)
        # A few chunks at a time: one log may be larger than all else that the server holds.
        while batch := list(islice(log, _CHUNKS_AT_ONCE)):
            rows = [{"log_id": log_id, **dataclasses.asdict(chunk)} for chunk in batch]
            connection.execute(_INSERT_CHUNK, rows)
    if is_new:
        report = output.report if isinstance(output, PackedLog) else report_of(pieces(output))
        add_events(connection, log_id, report)
    return log_id


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
