"""Numbers of builds, runs, phases and claims, and those of others in their rows, take four bytes, not eight.

PostgreSQL alone: SQLite stores a number in as many bytes as it needs. The tables are written anew with the
narrow columns before the wide ones and texts last, as each is padded that stands behind something shorter.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.replacing import Replacing
from spackmon.ops.rewriting import Part, Rewriting, columns

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

# The columns and indexes that are copied are there since then.
ahead_from = "0048"


def _count(*names: str) -> str:
    return ", ".join(f"{name} integer NOT NULL DEFAULT 0" for name in names)


def _some_have(table: str) -> dict[str, str]:
    return {f"ix_{table}_{n}_id": f"({n}, id) WHERE {n} > 0" for n in ("error_count", "warning_count")}


_MEASURED = "real: duration_seconds cpu_seconds; long: peak_memory_bytes"
_LAST = "(%s DESC NULLS LAST, id DESC)"
_BUILD = Replacing(
    "build",
    ", ".join((
        columns(
            "int: spec_id package_id environment_id! owner_id! newest_attempt_id environment_set_id"
            " manifest_id"
        ),
        _count("error_count", "warning_count"),
        columns(
            "int: first_error_group_id facet_id audience_id;"
            f" at: created_at! updated_at! started_at finished_at; {_MEASURED};"
            " text: status! installed_from prefix configure_arguments"
        ),
    )),
    {
        "pk_build": "(id)",
        "uq_build_spec_id_environment_id_owner_id": "(spec_id, environment_id, owner_id)",
        "ix_build_waiting": "(package_id) WHERE spec_id IS NULL",
        "ix_build_package_id_id": "(package_id, id)",
        "ix_build_package_id_status_id": "(package_id, status, id)",
        "ix_build_unusual_status": "(status, id) WHERE status <> 'SUCCESS'",
        "ix_build_environment_id_id": "(environment_id, id)",
        "ix_build_owner_id_id": "(owner_id, id)",
        "ix_build_created_at_id": "(created_at, id)",
        "ix_build_updated_at_id": "(updated_at, id)",
        "ix_build_newest_attempt_id": "(newest_attempt_id)",
        "ix_build_environment_set_id": "(environment_set_id)",
        "ix_build_manifest_id": "(manifest_id)",
        "ix_build_started_at_id": _LAST % "started_at",
        "ix_build_finished_at_id": _LAST % "finished_at",
        "ix_build_duration_seconds_id": _LAST % "duration_seconds",
        "ix_build_facet_id_started_at_id": "(facet_id, started_at DESC NULLS LAST, id DESC)",
        **_some_have("build"),
    },
    {
        "spec_id": "spec", "package_id": "package", "environment_id": "build_environment",
        "owner_id": "person", "environment_set_id": "environment_set", "manifest_id": "manifest",
    },
    "integer",
)  # fmt: skip
_ATTEMPT = Replacing(
    "attempt",
    ", ".join((
        columns("int: build_id! number! environment_id! environment_set_id manifest_id"),
        _count("error_count", "warning_count"),
        columns(
            f"int: first_error_group_id ci_job_id; at: reported_at! started_at finished_at; {_MEASURED};"
            " is: end_is_inferred!;"
            " text: status! spack_version spack_revision installed_from prefix configure_arguments"
        ),
    )),
    {
        "pk_attempt": "(id)",
        "uq_attempt_build_id_number": "(build_id, number)",
        "ix_attempt_environment_id": "(environment_id)",
        "ix_attempt_started_at": "(started_at)",
        "ix_attempt_environment_set_id": "(environment_set_id)",
        "ix_attempt_manifest_id": "(manifest_id)",
        "ix_attempt_ci_job_id": "(ci_job_id) WHERE ci_job_id IS NOT NULL",
        **_some_have("attempt"),
    },
    {
        "build_id": "build", "environment_id": "build_environment", "environment_set_id": "environment_set",
        "manifest_id": "manifest", "ci_job_id": "ci_job",
    },
    "integer",
)  # fmt: skip
_PHASE = Replacing(
    "phase",
    columns(f"int: attempt_id! log_id position!; at: reported_at!; {_MEASURED}; text: name! status!"),
    {
        "pk_phase": "(id)",
        "uq_phase_attempt_id_name": "(attempt_id, name)",
        "ix_phase_log_id": "(log_id)",
    },
    {"attempt_id": "attempt", "log_id": "log"},
    "integer",
)
_UNTIMED = "WHERE window_begins_at IS NULL"
_CLAIM = Replacing(
    "claim",
    ", ".join((
        columns(
            "int: attempt_id owner_id! package_id spec_id environment_id! environment_set_id manifest_id"
            " client_build_id"
        ),
        _count("unlisted_event_count"),
        columns(
            "int: ci_job_id audience_id; at: first_reported_at! last_reported_at! started_at finished_at;"
            " real: duration_seconds time_uncertainty_seconds!;"
            " at: window_begins_at window_ends_at cancelled_at abandoned_at;"
            " is: owner_is_certain! is_live! times_enclose_run!;"
            " text: kind! key! status! spec_hash spec_hash_kind spack_version spack_revision prefix"
            " installed_from configure_arguments; json: tags! next_run phases"
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
        "ix_claim_environment_id_owner_id_last_reported_at": "(environment_id, owner_id, last_reported_at)",
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
)  # fmt: skip
_TAG = Replacing(
    "attempt_tag",
    columns("int: attempt_id! tag_id!"),
    {"pk_attempt_tag": "(attempt_id, tag_id)", "ix_attempt_tag_tag_id_attempt_id": "(tag_id, attempt_id)"},
    {"attempt_id": "attempt", "tag_id": "tag"},
    None,
)
_ERRORS = Replacing(
    "error_group_build",
    columns("int: build_id! error_group_id! event_count! run_count!; at: first_seen last_seen"),
    {
        "pk_error_group_build": "(build_id, error_group_id)",
        "ix_error_group_build_of_group": "(error_group_id, build_id)",
    },
    {},
    None,
)


# What refers to them is altered, too.
_REWRITING = Rewriting(
    "narrow",
    (
        Part(_BUILD, "id", "build"),
        Part(_ATTEMPT, "id", "attempt"),
        Part(_PHASE, "id", "phase"),
        Part(_CLAIM, "id", "claim"),
        Part(_TAG, "attempt_id", "attempt"),
        Part(_ERRORS, "build_id", "build"),
    ),
    ("build_event", "analysis", "attribute", "ruling", "merged_build", "claim_log"),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Write the tables anew beside the old ones."""
    _REWRITING.ahead(connection, tell)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        _REWRITING.put(op.get_bind())
