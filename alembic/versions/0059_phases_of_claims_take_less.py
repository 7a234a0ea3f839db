"""What a claim says of phases is some bytes instead of a text: less than half of it."""

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import UtcDateTime
from spackmon.ops.phases_as_text import unpack
from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Repacked, Rewriting, columns, ranges
from spackmon.runs.packed_phases import pack

revision = "0059"
down_revision = "0057"
branch_labels = None
depends_on = None

# The columns that are copied are there since then.
ahead_from = "0050"

_AT_ONCE = 2_000
_PHASES = "SELECT id, first_reported_at, phases FROM claim WHERE phases IS NOT NULL AND {}"
_UPDATE = sa.text("UPDATE claim SET packed = :packed WHERE id = :id")
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
            " is: owner_is_certain! is_live! times_enclose_run!;"
            " text: kind! key! status! spec_hash spec_hash_kind spack_version spack_revision prefix"
            " installed_from configure_arguments; json: tags! next_run; bytes: phases"
        ),
    )),
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
        "ix_claim_environment_id": "(environment_id)",
        "ix_claim_last_reported_at": "USING brin (last_reported_at)",
        "ix_claim_unknown_spec": "(spec_hash) WHERE spec_id IS NULL",
        "ix_claim_environment_set_id": "(environment_set_id) WHERE environment_set_id IS NOT NULL",
        "ix_claim_manifest_id": "(manifest_id) WHERE manifest_id IS NOT NULL",
    },
    {
        "attempt_id": "attempt", "owner_id": "person", "package_id": "package", "spec_id": "spec",
        "environment_id": "build_environment", "environment_set_id": "environment_set",
        "manifest_id": "manifest", "ci_job_id": "ci_job",
    },
    "integer",
    {"phases": "repacked"},
)  # fmt: skip


def _packed(
    connection: sa.Connection, which: str, values: Mapping[str, object]
) -> list[tuple[int, bytes | None]]:
    """The numbers of claims that have phases, with these as they are kept from now on."""
    question = sa.text(_PHASES.format(which)).columns(first_reported_at=UtcDateTime())
    return [
        (row.id, pack(unpack(row.phases, row.first_reported_at), row.first_reported_at))
        for row in connection.execute(question, values)
    ]


_REWRITING = Rewriting(
    "phases_of_claims",
    (Repacked(_CLAIM, "id", "claim", _packed),),
    ("build_event", "analysis", "ruling", "claim_log"),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write claims anew beside the old ones."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _REWRITING.put(connection)
        return
    op.add_column("claim", sa.Column("packed", sa.LargeBinary))
    for last, after in ranges(connection, "claim", _AT_ONCE):
        if found := _packed(connection, "id > :last AND id <= :after", {"last": last, "after": after}):
            connection.execute(_UPDATE, [{"id": one, "packed": phases} for one, phases in found])
    op.drop_column("claim", "phases")
    op.alter_column("claim", "packed", new_column_name="phases")
