"""What a claim says of phases is a text in its row, keys of old clients' claims are short.

A row of its own for each phase, with its indexes, took as much as all else of a claim. The table is written
anew, its widest columns first.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import RowId, UtcDateTime
from spackmon.ops.ahead import Ids, Notes, Progress, lock, outside, step
from spackmon.ops.phases_as_text import pack
from spackmon.ops.replacing import Replacing
from spackmon.runs.claim import PhaseClaim

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# The columns and indexes that are copied are there since then.
ahead_from = "0034"

_CLAIMS_AT_ONCE = 2_000
_HASH_CHARACTERS = 32
_NUMBERS = ["attempt_id", "owner_id", "package_id", "spec_id", "environment_id"]
_MOMENTS = ["window_begins_at", "window_ends_at", "cancelled_at", "abandoned_at"]
_REFERENCES = ["environment_set_id", "manifest_id", "ci_job_id", "client_build_id"]
_REPORTED = ["first_reported_at", "last_reported_at"]
_FLAGS = ["owner_is_certain", "is_live", "times_enclose_run"]
_TEXTS = [
    "kind", "key", "status", "spec_hash", "spec_hash_kind", "spack_version", "spack_revision", "prefix",
    "installed_from", "configure_arguments",
]  # fmt: skip
_JSON = ["tags", "next_run", "phases"]
_REQUIRED = {"owner_id", "environment_id", *_REPORTED, *_FLAGS, "kind", "key", "status", "tags"}


def _columns() -> str:
    columns = [
        *((name, "bigint") for name in _NUMBERS),
        ("started_at", "timestamptz"), ("finished_at", "timestamptz"),
        ("duration_seconds", "double precision"), ("time_uncertainty_seconds", "double precision NOT NULL"),
        *((name, "timestamptz") for name in _MOMENTS), *((name, "bigint") for name in _REFERENCES),
        *((name, "timestamptz") for name in _REPORTED),
        ("unlisted_event_count", "integer NOT NULL DEFAULT 0"),
        *((name, "boolean") for name in _FLAGS), *((name, 'text COLLATE "C"') for name in _TEXTS),
        *((name, 'varchar COLLATE "C"') for name in _JSON),
    ]  # fmt: skip
    return ", ".join(f"{name} {kind}{' NOT NULL' * (name in _REQUIRED)}" for name, kind in columns)


# Partial, as nearly all claims have a spec.
_UNKNOWN = ("ix_claim_unknown_spec", "spec_hash", "spec_id IS NULL")
_FEW = (
    _UNKNOWN,
    ("ix_claim_environment_set_id", "environment_set_id", "environment_set_id IS NOT NULL"),
    ("ix_claim_manifest_id", "manifest_id", "manifest_id IS NOT NULL"),
)
_UNTIMED = "WHERE window_begins_at IS NULL"
_CLAIM = Replacing(
    "claim",
    _columns(),
    {
        "pk_claim": "(id)",
        "uq_claim_owner_id_kind_key": "(owner_id, kind, key)",
        "ix_claim_attempt_id": "(attempt_id)",
        "ix_claim_package_id_window_ends_at": "(package_id, window_ends_at)",
        "ix_claim_spec_id_window_ends_at": "(spec_id, window_ends_at)",
        "ix_claim_prefix": "(package_id, prefix, window_ends_at) WHERE prefix IS NOT NULL",
        "ix_claim_untimed": f"(spec_id, kind, id) {_UNTIMED}",
        "ix_claim_untimed_of_hash": f"(spec_hash, kind, id) {_UNTIMED}",
        "ix_claim_untimed_at_prefix": f"(package_id, prefix, kind, id) {_UNTIMED}",
        "ix_claim_client_build": "(client_build_id) WHERE client_build_id IS NOT NULL",
        "ix_claim_not_run": "(owner_id, environment_id) WHERE status = 'NOTRUN'",
        "ix_claim_open": "(last_reported_at) WHERE status IN ('RUNNING', 'NOTRUN') AND abandoned_at IS NULL"
        " AND cancelled_at IS NULL",
        "ix_claim_environment_id_owner_id_last_reported_at": "(environment_id, owner_id, last_reported_at)",
        **{name: f"({column}) WHERE {where}" for name, column, where in _FEW},
    },
    {
        "attempt_id": "attempt", "owner_id": "person", "package_id": "package", "spec_id": "spec",
        "environment_id": "build_environment", "environment_set_id": "environment_set",
        "manifest_id": "manifest", "ci_job_id": "ci_job",
    },
)  # fmt: skip
_NOTES = Notes(
    "claim_note",
    (("claim", "id", "claim"), ("claim_phase", "claim_id", "claim"), ("phase", "attempt_id", "run")),
)

_RANGE = "c.id > :last AND c.id <= :next"
_AMONG = "c.id = ANY (CAST(:ids AS bigint[]))"
_READ = """
    SELECT c.id, c.kind, c.key, c.is_live, c.first_reported_at, p.name, p.position, p.status,
        p.duration_seconds, p.reported_at, p.log_id, p.mark, p.cpu_seconds, p.peak_memory_bytes
    FROM claim c LEFT JOIN claim_phase p ON p.claim_id = c.id WHERE {} ORDER BY c.id
"""
_COPIED = (
    *_NUMBERS, "started_at", "finished_at", "duration_seconds", "time_uncertainty_seconds", *_MOMENTS,
    *_REFERENCES, *_REPORTED, "unlisted_event_count", *_FLAGS,
    *(name for name in (*_TEXTS, *_JSON) if name not in ("key", "phases")),
)  # fmt: skip
_COPY = f"""
    INSERT INTO claim_next (id, key, phases, {", ".join(_COPIED)})
    SELECT c.id, w.key, w.phases, {", ".join(f"c.{name}" for name in _COPIED)}
    FROM unnest(CAST(:claim_ids AS bigint[]), CAST(:keys AS text[]), CAST(:phases AS text[]))
        w(id, key, phases)
    JOIN claim c ON c.id = w.id ORDER BY c.id
"""  # noqa: S608 -- of our own constants
_SPARE = """
    INSERT INTO claim_log (claim_id, log_id)
    SELECT DISTINCT p.claim_id, p.log_id FROM claim c JOIN claim_phase p ON p.claim_id = c.id
    WHERE {} AND p.log_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM phase s WHERE s.attempt_id = c.attempt_id AND s.log_id = p.log_id
    )
"""
_OF_RUNS = sa.text("SELECT id FROM claim WHERE attempt_id = ANY (CAST(:ids AS bigint[]))")
_LOGS = """
    CREATE TABLE claim_log (
        claim_id bigint NOT NULL, log_id bigint NOT NULL,
        CONSTRAINT pk_claim_log PRIMARY KEY (claim_id, log_id)
    )
"""
_UPDATE = sa.text("UPDATE claim SET key = :key, phases = :phases WHERE id = :id")


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write claims anew beside the old ones; what changes meanwhile is done again."""
    progress = Progress(connection, "claim_progress", tell)
    step(connection, lambda: _create(connection, progress))
    _NOTES.create(connection)

    def fill(last: int, after: int) -> None:
        _fill(connection, _RANGE, {"last": last, "next": after})

    progress.by_ids("claims", "claim", _CLAIMS_AT_ONCE, fill)
    for name in _CLAIM.indexes:
        tell(f"an index of claims, {name}")
        progress.once(name, partial(_CLAIM.index, connection, name))
    outside(connection, f"VACUUM (ANALYZE) {_CLAIM.next}")
    tell("claims that changed meanwhile")
    if not _NOTES.rounds(connection, partial(_again, connection)):
        tell("claims change as fast as they are prepared: the rest follows at once")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        _upgrade_sqlite(connection)
        return
    progress = Progress(connection, "claim_progress", lambda _: None)
    if sa.inspect(connection).has_table("claim_progress"):
        lock(connection, ("claim", "claim_phase", "build_event", "analysis", "ruling"), ("phase",))
        _NOTES.rest(connection, partial(_again, connection))
        _NOTES.drop(connection)
    else:
        _create(connection, progress)
        _fill(connection, "true", {})
        for name in _CLAIM.indexes:
            _CLAIM.index(connection, name)
    progress.drop()
    op.drop_table("claim_phase")
    _CLAIM.put(connection)
    for other in ("claim", "log"):
        key = f"fk_claim_log_{other}_id FOREIGN KEY ({other}_id) REFERENCES {other} (id)"
        op.execute(f"ALTER TABLE claim_log ADD CONSTRAINT {key} NOT VALID")


def _create(connection: sa.Connection, progress: Progress) -> None:
    if sa.inspect(connection).has_table(_CLAIM.next):
        return
    progress.create()
    _CLAIM.create(connection)
    connection.execute(sa.text(_LOGS))
    connection.execute(sa.text("CREATE INDEX ix_claim_log_log_id ON claim_log (log_id)"))


def _fill(connection: sa.Connection, which: str, values: dict[str, Any]) -> None:
    found = _told(connection, which, values)
    ids, keys, phases = ([row[place] for row in found] for place in range(3))
    connection.execute(sa.text(_COPY), {"claim_ids": ids, "keys": keys, "phases": phases})
    connection.execute(sa.text(_SPARE.format(which)), values)


def _again(connection: sa.Connection, ids: Ids) -> None:
    of_runs = connection.scalars(_OF_RUNS, {"ids": list(ids["run"])}).all()
    values = {"ids": list({*ids["claim"], *of_runs})}
    for table, column in ((_CLAIM.next, "id"), ("claim_log", "claim_id")):
        forget = f"DELETE FROM {table} WHERE {column} = ANY (CAST(:ids AS bigint[]))"  # noqa: S608 -- as above
        connection.execute(sa.text(forget), values)
    _fill(connection, _AMONG, values)


def _told(connection: sa.Connection, which: str, values: dict[str, Any]) -> list[tuple[int, str, str | None]]:
    """Each claim's number, its key and its phases as they are kept from now on."""
    question = sa.text(_READ.format(which)).columns(
        first_reported_at=UtcDateTime(), reported_at=UtcDateTime()
    )
    rows = connection.execute(question, values)
    return [_packed(list(some)) for _, some in groupby(rows, key=lambda row: row.id)]


def _packed(rows: list[Any]) -> tuple[int, str, str | None]:
    first = rows[0]
    phases = [
        PhaseClaim(
            row.name, row.position, row.status, row.duration_seconds, row.reported_at, row.log_id, 0,
            row.mark, row.cpu_seconds, row.peak_memory_bytes,
        )
        for row in rows if row.name is not None
    ]  # fmt: skip
    return first.id, _short(first), pack(phases, first.first_reported_at)


def _short(claim: Any) -> str:
    """The key that the program gives to a claim of an old client: of its spec's hash and machine a digest."""
    series, _, number = claim.key.rpartition("/")
    if claim.kind != "MS1" or not claim.is_live or "/#" in series or len(series) <= _HASH_CHARACTERS:
        return str(claim.key)
    digest = hashlib.sha256(series.encode()).digest()[:8]
    return f"{base64.urlsafe_b64encode(digest).decode().rstrip('=')}/{number}"


def _upgrade_sqlite(connection: sa.Connection) -> None:
    op.create_table(
        "claim_log",
        sa.Column("claim_id", RowId, sa.ForeignKey("claim.id", name="fk_claim_log_claim_id"), nullable=False),
        sa.Column("log_id", RowId, sa.ForeignKey("log.id", name="fk_claim_log_log_id"), nullable=False),
        sa.PrimaryKeyConstraint("claim_id", "log_id", name=op.f("pk_claim_log")),
    )
    op.create_index("ix_claim_log_log_id", "claim_log", ["log_id"])
    op.add_column("claim", sa.Column("phases", sa.Text(), nullable=True))
    connection.execute(sa.text(_SPARE.format("true")))
    last, greatest = 0, connection.scalar(sa.text("SELECT max(id) FROM claim")) or 0
    while last < greatest:
        after = last + _CLAIMS_AT_ONCE
        told = _told(connection, _RANGE, {"last": last, "next": after})
        changed = [{"id": i, "key": key, "phases": phases} for i, key, phases in told]
        if changed:
            connection.execute(_UPDATE, changed)
        last = after
    op.drop_table("claim_phase")
    for name in ("ix_claim_spec_hash", "ix_claim_environment_set_id", "ix_claim_manifest_id"):
        op.drop_index(name, "claim")
    for name, column, where in _FEW:
        op.create_index(name, "claim", [column], sqlite_where=sa.text(where))
