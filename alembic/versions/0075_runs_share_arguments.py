"""The arguments of configure phases are stored once: a number in the rows of builds, runs and claims.

These tables are written anew, so that the number stands where it needs no padding.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, NarrowId
from spackmon.ops.ahead import step
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Repacked, Rewriting, columns

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0071"

_TABLES = ("build", "attempt", "claim")
_MEASURED = "real: duration_seconds cpu_seconds; long: peak_memory_bytes"
_COUNTS = "error_count integer NOT NULL DEFAULT 0, warning_count integer NOT NULL DEFAULT 0"
_SHARED = {"configure_arguments_id": "repacked"}


def _some_have(table: str) -> dict[str, str]:
    return {f"ix_{table}_{n}_id": f"({n}, id) WHERE {n} > 0" for n in ("error_count", "warning_count")}


def _step(moment: str, seconds: int) -> str:
    # As 0076 has it, which has nothing to make then.
    return f"CAST(date_part('epoch', {moment} AT TIME ZONE 'UTC') / {seconds} AS integer)"


_BEGAN = f"COALESCE({_step('started_at', 128)}, id / 2 - 2147483647 - 1)"
_BUILD = Replacing(
    "build",
    ", ".join((
        columns(
            "int: spec_id package_id environment_id! owner_id! newest_attempt_id environment_set_id"
            " manifest_id configure_arguments_id"
        ),
        _COUNTS,
        columns(
            "int: first_error_group_id tag_set_id facet_id audience_id;"
            f" at: created_at! updated_at! started_at finished_at; {_MEASURED};"
            " text: status! installed_from prefix"
        ),
    )),
    {
        "pk_build": "(id)",
        "uq_build_spec_id_environment_id_owner_id": "(spec_id, environment_id, owner_id)",
        "ix_build_waiting": "(package_id) WHERE spec_id IS NULL",
        "ix_build_package_id_id_status": "(package_id, id, status)",
        "ix_build_unusual_status": "(status, id) WHERE status <> 'SUCCESS'",
        "ix_build_environment_id_id": "(environment_id, id)",
        "ix_build_owner_id_id": "(owner_id, id)",
        "ix_build_created_at": "(created_at)",
        "ix_build_updated_at": "(updated_at)",
        "ix_build_newest_attempt_id": "(newest_attempt_id)",
        "ix_build_tag_set_id": "(tag_set_id)",
        "ix_build_started_at": "(started_at NULLS FIRST)",
        "ix_build_finished_at": "(finished_at NULLS FIRST)",
        "ix_build_no_started_at": "(id) WHERE started_at IS NULL",
        "ix_build_no_finished_at": "(id) WHERE finished_at IS NULL",
        "ix_build_duration_seconds_id": "(duration_seconds DESC NULLS LAST, id DESC)",
        "ix_build_facet_id_began": f"(facet_id, {_BEGAN})",
        **_some_have("build"),
    },
    {
        "spec_id": "spec", "package_id": "package", "environment_id": "build_environment",
        "owner_id": "person",
    },
    "integer",
    _SHARED,
)  # fmt: skip
_ATTEMPT = Replacing(
    "attempt",
    ", ".join(
        (
            columns("int: build_id! number! environment_id! environment_set_id manifest_id"),
            _COUNTS,
            columns(
                f"int: first_error_group_id ci_job_id; at: reported_at! started_at finished_at; {_MEASURED};"
                " int: tag_set_id configure_arguments_id; is: end_is_inferred!;"
                " text: status! spack_version spack_revision installed_from prefix"
            ),
        )
    ),
    {
        "pk_attempt": "(id)",
        "uq_attempt_build_id_number": "(build_id, number)",
        "ix_attempt_environment_id": "(environment_id)",
        "ix_attempt_started_at": "(started_at)",
        "ix_attempt_tag_set_id": "(tag_set_id)",
        "ix_attempt_ci_job_id": "(ci_job_id) WHERE ci_job_id IS NOT NULL",
        **_some_have("attempt"),
    },
    {"build_id": "build", "environment_id": "build_environment", "ci_job_id": "ci_job"},
    "integer",
    _SHARED,
)
_UNTIMED = "WHERE window_begins_at IS NULL"
_CLAIM = Replacing(
    "claim",
    ", ".join((
        columns(
            "int: attempt_id owner_id! package_id spec_id environment_id! environment_set_id manifest_id"
            " client_build_id"
        ),
        "unlisted_event_count integer NOT NULL DEFAULT 0",
        columns(
            "int: ci_job_id audience_id; at: first_reported_at! last_reported_at! started_at finished_at;"
            " real: duration_seconds time_uncertainty_seconds!;"
            " at: window_begins_at window_ends_at cancelled_at abandoned_at;"
            " int: tag_set_id configure_arguments_id; is: owner_is_certain! is_live! times_enclose_run!;"
            " text: kind! key! status! spec_hash spec_hash_kind spack_version spack_revision prefix"
            " installed_from; json: next_run; bytes: phases"
        ),
    )),
    {
        "pk_claim": "(id)",
        "uq_claim_owner_id_kind_key": "(owner_id, kind, key)",
        "ix_claim_attempt_id": "(attempt_id)",
        "ix_claim_package_id_window": f"(package_id, {_step('window_ends_at', 1024)})",
        "ix_claim_spec_id_window": f"(spec_id, {_step('window_ends_at', 1024)})",
        "ix_claim_prefix": "(package_id, prefix, window_ends_at) WHERE prefix IS NOT NULL",
        "ix_claim_untimed": f"(spec_id, kind, id) {_UNTIMED}",
        "ix_claim_untimed_of_hash": f"(spec_hash, kind, id) {_UNTIMED}",
        "ix_claim_untimed_at_prefix": f"(package_id, prefix, kind, id) {_UNTIMED}",
        "ix_claim_client_build": "(client_build_id) WHERE client_build_id IS NOT NULL",
        "ix_claim_not_run": "(owner_id, environment_id) WHERE status = 'NOTRUN'",
        "ix_claim_open": "(last_reported_at) WHERE status IN ('RUNNING', 'NOTRUN') AND abandoned_at IS NULL"
        " AND cancelled_at IS NULL",
        "ix_claim_environment_id": "(environment_id)",
        "ix_claim_last_reported_at": "USING brin (last_reported_at)",
        "ix_claim_unknown_spec": "(spec_hash) WHERE spec_id IS NULL",
        "ix_claim_environment_set_id": "(environment_set_id) WHERE environment_set_id IS NOT NULL",
        "ix_claim_manifest_id": "(manifest_id) WHERE manifest_id IS NOT NULL",
    },
    {
        "attempt_id": "attempt", "owner_id": "person", "package_id": "package", "spec_id": "spec",
        "environment_id": "build_environment", "environment_set_id": "environment_set",
        "manifest_id": "manifest", "ci_job_id": "ci_job", "tag_set_id": "tag_set",
    },
    "integer",
    _SHARED,
)  # fmt: skip

_DIGEST = "sha256(convert_to(r.configure_arguments, 'UTF8'))"
_SOME = "(SELECT id, configure_arguments FROM {table} WHERE ({which}) AND configure_arguments IS NOT NULL) r"
_PUT = f"""
    INSERT INTO configure_arguments (digest, text)
    SELECT {_DIGEST}, r.configure_arguments FROM {_SOME} GROUP BY 1, 2 ORDER BY 1
    ON CONFLICT DO NOTHING
"""  # noqa: S608 -- of our own constants
_FIND = f"SELECT r.id, g.id FROM {_SOME} JOIN configure_arguments g ON g.digest = {_DIGEST}"  # noqa: S608 -- as above

# Of SQLite, which makes no digests.
_ALL = " UNION ".join(
    f"SELECT configure_arguments FROM {one} WHERE configure_arguments IS NOT NULL"  # noqa: S608 -- as above
    for one in _TABLES
)
_REFER = """
    UPDATE {table} SET configure_arguments_id = (
        SELECT g.id FROM configure_arguments g WHERE g.text = {table}.configure_arguments
    )
    WHERE configure_arguments IS NOT NULL
"""


def _ids_of(
    table: str, connection: sa.Connection, which: str, values: Mapping[str, object]
) -> list[tuple[int, int]]:
    """The numbers of a table's rows that have arguments, with those of these, which are put."""
    connection.execute(sa.text(_PUT.format(table=table, which=which)), values)
    rows = connection.execute(sa.text(_FIND.format(table=table, which=which)), values)
    return [(row_id, arguments_id) for row_id, arguments_id in rows]


def _parts() -> Iterator[Repacked]:
    for replacing in (_BUILD, _ATTEMPT, _CLAIM):
        table = replacing.table
        yield Repacked(replacing, "id", table, partial(_ids_of, table), made_type="integer")


_REWRITING = Rewriting(
    "arguments",
    tuple(_parts()),
    ("phase", "build_event", "analysis", "attribute", "ruling", "merged_build", "claim_log"),
)

locked = _REWRITING.locked


def _create(connection: sa.Connection) -> None:
    if sa.inspect(connection).has_table("configure_arguments"):
        return
    table = sa.Table(
        "configure_arguments",
        sa.MetaData(),
        sa.Column("id", NarrowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("text", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configure_arguments"),
        sa.UniqueConstraint("digest", name="uq_configure_arguments_digest"),
    )
    table.create(connection)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the tables anew beside the old ones."""
    step(connection, lambda: _create(connection))
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    _create(connection)
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
        return
    texts = [row.configure_arguments for row in connection.execute(sa.text(_ALL))]
    rows = [{"digest": hashlib.sha256(text.encode()).digest(), "text": text} for text in texts]
    if rows:
        insert = "INSERT INTO configure_arguments (digest, text) VALUES (:digest, :text)"
        connection.execute(sa.text(insert), rows)
    op.create_index("ix_text", "configure_arguments", ["text"])
    for table in _TABLES:
        op.add_column(table, sa.Column("configure_arguments_id", NarrowId))
        op.execute(_REFER.format(table=table))
        op.drop_column(table, "configure_arguments")
    op.drop_index("ix_text")
