"""Runs are derived from claims: what each source reported of a run, with the contents that runs share.

The tables alone: the landed ones are set aside as `landed_…`, and revision 0005 carries over what they hold.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SET_ASIDE = (
    "build", "attempt", "phase", "build_source", "merged_build", "build_tag", "build_event", "analysis",
    "attribute", "install_file", "environment_variable",
)  # fmt: skip


def upgrade() -> None:
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    inspector = sa.inspect(connection)
    if not is_sqlite:
        op.drop_constraint(op.f("fk_log_chunk_phase_id"), "log_chunk")
    # The chunks of logs stay where they are, many gigabytes of them: revision 0005 takes the number of the
    # first phase as that of its log, and deletes the chunks of other phases that have the same log.
    op.execute("ALTER TABLE log_chunk RENAME COLUMN phase_id TO log_id")
    for table in _SET_ASIDE:
        _free_names(inspector, table, is_sqlite)
        if is_sqlite and table == "phase":
            _set_aside_phases_of_sqlite()
        else:
            op.rename_table(table, f"landed_{table}")
    _create()


def _free_names(inspector: sa.Inspector, table: str, is_sqlite: bool) -> None:
    """Let the new tables have the names of an old one's indexes and sequence."""
    for index in inspector.get_indexes(table):
        if not index.get("duplicates_constraint"):
            op.drop_index(op.f(str(index["name"])), table)
    if is_sqlite:
        return
    constraints = [inspector.get_pk_constraint(table), *inspector.get_unique_constraints(table)]
    for constraint in constraints:
        op.execute(f"ALTER INDEX {constraint['name']} RENAME TO landed_{constraint['name']}")
    op.execute(f"ALTER SEQUENCE IF EXISTS {table}_id_seq RENAME TO landed_{table}_id_seq")


def _set_aside_phases_of_sqlite() -> None:
    # SQLite cannot change what a foreign key refers to, but it follows a table that gets another name: that
    # of log_chunk refers to `log` from now on. In its old way of renaming it does not follow.
    op.rename_table("phase", "log")
    op.execute("PRAGMA legacy_alter_table = ON")
    op.rename_table("log", "landed_phase")
    op.execute("PRAGMA legacy_alter_table = OFF")


def _create() -> None:
    op.create_table(
        "environment_set",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_environment_set_digest")),
    )
    op.create_table(
        "environment_variable",
        sa.Column("environment_set_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_set_id"],
            ["environment_set.id"],
            name=op.f("fk_environment_variable_environment_set_id"),
        ),
        sa.PrimaryKeyConstraint("environment_set_id", "name", name=op.f("pk_environment_variable")),
    )
    op.create_index(
        op.f("ix_environment_variable_name_environment_set_id"),
        "environment_variable",
        ["name", "environment_set_id"],
        unique=False,
    )
    op.create_table(
        "manifest",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_manifest")),
        sa.UniqueConstraint("digest", name=op.f("uq_manifest_digest")),
    )
    op.create_table(
        "install_file",
        sa.Column("id", RowId, nullable=False),
        sa.Column("manifest_id", RowId, nullable=False),
        sa.Column("path", ByteOrderedText, nullable=False),
        sa.Column("type", ByteOrderedText, nullable=True),
        sa.Column("mode", sa.Integer(), nullable=True),
        sa.Column("owner", RowId, nullable=True),
        sa.Column("group", RowId, nullable=True),
        sa.Column("hash", ByteOrderedText, nullable=True),
        sa.Column("size_bytes", RowId, nullable=True),
        sa.Column("modified_at_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("destination", ByteOrderedText, nullable=True),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_install_file_manifest_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_install_file")),
        sa.UniqueConstraint("manifest_id", "path", name=op.f("uq_install_file_manifest_id_path")),
    )
    op.create_table(
        "log",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", RowId, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log")),
        sa.UniqueConstraint("digest", name=op.f("uq_log_digest")),
    )
    op.create_table(
        "build",
        sa.Column("id", RowId, nullable=False),
        sa.Column("spec_id", RowId, nullable=True),
        sa.Column("package_id", RowId, nullable=True),
        sa.Column("environment_id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("newest_attempt_id", RowId, nullable=True),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("installed_from", ByteOrderedText, nullable=True),
        sa.Column("prefix", ByteOrderedText, nullable=True),
        sa.Column("configure_arguments", ByteOrderedText, nullable=True),
        sa.Column("environment_set_id", RowId, nullable=True),
        sa.Column("manifest_id", RowId, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["build_environment.id"], name=op.f("fk_build_environment_id")
        ),
        sa.ForeignKeyConstraint(
            ["environment_set_id"], ["environment_set.id"], name=op.f("fk_build_environment_set_id")
        ),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_build_manifest_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_build_owner_id")),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_build_package_id")),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_build_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build")),
        sa.UniqueConstraint(
            "spec_id", "environment_id", "owner_id", name=op.f("uq_build_spec_id_environment_id_owner_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_build_environment_id"), "build", ["environment_id"], unique=False)
    op.create_index(op.f("ix_build_environment_set_id"), "build", ["environment_set_id"], unique=False)
    op.create_index(op.f("ix_build_finished_at"), "build", ["finished_at"], unique=False)
    op.create_index(op.f("ix_build_manifest_id"), "build", ["manifest_id"], unique=False)
    op.create_index(op.f("ix_build_newest_attempt_id"), "build", ["newest_attempt_id"], unique=False)
    op.create_index(op.f("ix_build_owner_id"), "build", ["owner_id"], unique=False)
    op.create_index(op.f("ix_build_package_id"), "build", ["package_id"], unique=False)
    op.create_index(op.f("ix_build_started_at"), "build", ["started_at"], unique=False)
    op.create_index(
        "ix_build_waiting",
        "build",
        ["package_id"],
        unique=False,
        sqlite_where=sa.text("spec_id IS NULL"),
        postgresql_where=sa.text("spec_id IS NULL"),
    )
    op.create_table(
        "attempt",
        sa.Column("id", RowId, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("environment_id", RowId, nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("end_is_inferred", sa.Boolean(), nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
        sa.Column("spack_revision", ByteOrderedText, nullable=True),
        sa.Column("installed_from", ByteOrderedText, nullable=True),
        sa.Column("prefix", ByteOrderedText, nullable=True),
        sa.Column("configure_arguments", ByteOrderedText, nullable=True),
        sa.Column("environment_set_id", RowId, nullable=True),
        sa.Column("manifest_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_attempt_build_id")),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["build_environment.id"], name=op.f("fk_attempt_environment_id")
        ),
        sa.ForeignKeyConstraint(
            ["environment_set_id"], ["environment_set.id"], name=op.f("fk_attempt_environment_set_id")
        ),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_attempt_manifest_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
        sa.UniqueConstraint("build_id", "number", name=op.f("uq_attempt_build_id_number")),
    )
    op.create_index(op.f("ix_attempt_environment_id"), "attempt", ["environment_id"], unique=False)
    op.create_index(op.f("ix_attempt_environment_set_id"), "attempt", ["environment_set_id"], unique=False)
    op.create_index(op.f("ix_attempt_manifest_id"), "attempt", ["manifest_id"], unique=False)
    op.create_index(op.f("ix_attempt_started_at"), "attempt", ["started_at"], unique=False)
    op.create_table(
        "attempt_tag",
        sa.Column("attempt_id", RowId, nullable=False),
        sa.Column("tag_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_attempt_tag_attempt_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_attempt_tag_tag_id")),
        sa.PrimaryKeyConstraint("attempt_id", "tag_id", name=op.f("pk_attempt_tag")),
    )
    op.create_index(op.f("ix_attempt_tag_tag_id"), "attempt_tag", ["tag_id"], unique=False)
    op.create_table(
        "phase",
        sa.Column("id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.Column("log_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_phase_attempt_id")),
        sa.ForeignKeyConstraint(["log_id"], ["log.id"], name=op.f("fk_phase_log_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase")),
        sa.UniqueConstraint("attempt_id", "name", name=op.f("uq_phase_attempt_id_name")),
    )
    op.create_index(op.f("ix_phase_log_id"), "phase", ["log_id"], unique=False)
    op.create_table(
        "claim",
        sa.Column("id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=True),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("owner_is_certain", sa.Boolean(), nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("package_id", RowId, nullable=True),
        sa.Column("spec_id", RowId, nullable=True),
        sa.Column("spec_hash", ByteOrderedText, nullable=True),
        sa.Column("environment_id", RowId, nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("time_uncertainty_seconds", sa.Float(precision=53), nullable=False),
        sa.Column("times_enclose_run", sa.Boolean(), nullable=False),
        sa.Column("window_begins_at", UtcDateTime(), nullable=True),
        sa.Column("window_ends_at", UtcDateTime(), nullable=True),
        sa.Column("cancelled_at", UtcDateTime(), nullable=True),
        sa.Column("abandoned_at", UtcDateTime(), nullable=True),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
        sa.Column("spack_revision", ByteOrderedText, nullable=True),
        sa.Column("prefix", ByteOrderedText, nullable=True),
        sa.Column("installed_from", ByteOrderedText, nullable=True),
        sa.Column("environment_set_id", RowId, nullable=True),
        sa.Column("manifest_id", RowId, nullable=True),
        sa.Column("configure_arguments", ByteOrderedText, nullable=True),
        sa.Column("tags", JsonText(), nullable=False),
        sa.Column("client_build_id", RowId, nullable=True),
        sa.Column("next_run", JsonText(), nullable=True),
        sa.Column("first_reported_at", UtcDateTime(), nullable=False),
        sa.Column("last_reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_claim_attempt_id")),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["build_environment.id"], name=op.f("fk_claim_environment_id")
        ),
        sa.ForeignKeyConstraint(
            ["environment_set_id"], ["environment_set.id"], name=op.f("fk_claim_environment_set_id")
        ),
        sa.ForeignKeyConstraint(["manifest_id"], ["manifest.id"], name=op.f("fk_claim_manifest_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_claim_owner_id")),
        sa.ForeignKeyConstraint(["package_id"], ["package.id"], name=op.f("fk_claim_package_id")),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_claim_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("owner_id", "kind", "key", name=op.f("uq_claim_owner_id_kind_key")),
    )
    op.create_index(op.f("ix_claim_attempt_id"), "claim", ["attempt_id"], unique=False)
    op.create_index(op.f("ix_claim_environment_id"), "claim", ["environment_id"], unique=False)
    op.create_index(op.f("ix_claim_environment_set_id"), "claim", ["environment_set_id"], unique=False)
    op.create_index(op.f("ix_claim_manifest_id"), "claim", ["manifest_id"], unique=False)
    op.create_index(
        "ix_claim_not_run",
        "claim",
        ["owner_id", "environment_id"],
        unique=False,
        sqlite_where=sa.text("status = 'NOTRUN'"),
        postgresql_where=sa.text("status = 'NOTRUN'"),
    )
    op.create_index(
        "ix_claim_open",
        "claim",
        ["last_reported_at"],
        unique=False,
        sqlite_where=sa.text("status IN ('RUNNING', 'NOTRUN')"),
        postgresql_where=sa.text("status IN ('RUNNING', 'NOTRUN')"),
    )
    op.create_index(
        op.f("ix_claim_package_id_window_ends_at"), "claim", ["package_id", "window_ends_at"], unique=False
    )
    op.create_index(op.f("ix_claim_spec_hash"), "claim", ["spec_hash"], unique=False)
    op.create_index(op.f("ix_claim_spec_id_owner_id"), "claim", ["spec_id", "owner_id"], unique=False)
    op.create_index(
        "ix_claim_client_build",
        "claim",
        ["client_build_id"],
        unique=False,
        sqlite_where=sa.text("client_build_id IS NOT NULL"),
        postgresql_where=sa.text("client_build_id IS NOT NULL"),
    )
    op.create_index(
        "ix_claim_untimed",
        "claim",
        ["package_id"],
        unique=False,
        sqlite_where=sa.text("window_begins_at IS NULL"),
        postgresql_where=sa.text("window_begins_at IS NULL"),
    )
    op.create_table(
        "claim_phase",
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("duration_seconds", sa.Float(precision=53), nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.Column("log_id", RowId, nullable=True),
        sa.Column("mark", ByteOrderedText, nullable=True),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_claim_phase_claim_id")),
        sa.ForeignKeyConstraint(["log_id"], ["log.id"], name=op.f("fk_claim_phase_log_id")),
        sa.PrimaryKeyConstraint("claim_id", "name", name=op.f("pk_claim_phase")),
    )
    op.create_index(op.f("ix_claim_phase_log_id"), "claim_phase", ["log_id"], unique=False)
    op.create_table(
        "ruling",
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("other_claim_id", RowId, nullable=False),
        sa.Column("is_one_run", sa.Boolean(), nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_ruling_claim_id")),
        sa.ForeignKeyConstraint(["other_claim_id"], ["claim.id"], name=op.f("fk_ruling_other_claim_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_ruling_person_id")),
        sa.PrimaryKeyConstraint("claim_id", "other_claim_id", name=op.f("pk_ruling")),
    )
    op.create_index(op.f("ix_ruling_other_claim_id"), "ruling", ["other_claim_id"], unique=False)
    op.create_table(
        "merged_build",
        sa.Column("id", RowId, autoincrement=False, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_merged_build_build_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merged_build")),
    )
    op.create_index(op.f("ix_merged_build_build_id"), "merged_build", ["build_id"], unique=False)
    op.create_table(
        "build_event",
        sa.Column("id", RowId, nullable=False),
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("text", ByteOrderedText, nullable=False),
        sa.Column("log_line", sa.Integer(), nullable=True),
        sa.Column("source_file", ByteOrderedText, nullable=True),
        sa.Column("source_line", sa.Integer(), nullable=True),
        sa.Column("pre_context", ByteOrderedText, nullable=True),
        sa.Column("post_context", ByteOrderedText, nullable=True),
        sa.Column("error_group_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_build_event_attempt_id")),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_build_event_claim_id")),
        sa.ForeignKeyConstraint(
            ["error_group_id"], ["error_group.id"], name=op.f("fk_build_event_error_group_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_event")),
        sa.UniqueConstraint("claim_id", "position", name=op.f("uq_build_event_claim_id_position")),
        info={"counted": "attempt_id"},
    )
    op.create_index(
        op.f("ix_build_event_attempt_id_kind"), "build_event", ["attempt_id", "kind"], unique=False
    )
    op.create_index(op.f("ix_build_event_error_group_id"), "build_event", ["error_group_id"], unique=False)
    op.create_table(
        "analysis",
        sa.Column("id", RowId, nullable=False),
        sa.Column("claim_id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=True),
        sa.Column("analyzer", ByteOrderedText, nullable=False),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_analysis_attempt_id")),
        sa.ForeignKeyConstraint(["claim_id"], ["claim.id"], name=op.f("fk_analysis_claim_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis")),
        sa.UniqueConstraint("claim_id", "analyzer", name=op.f("uq_analysis_claim_id_analyzer")),
        info={"counted": "attempt_id"},
    )
    op.create_index(op.f("ix_analysis_attempt_id"), "analysis", ["attempt_id"], unique=False)
    op.create_table(
        "attribute",
        sa.Column("id", RowId, nullable=False),
        sa.Column("analysis_id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=True),
        sa.Column("path", ByteOrderedText, nullable=True),
        sa.Column("install_file_id", RowId, nullable=True),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=True),
        sa.Column("binary_value", sa.LargeBinary(), nullable=True),
        sa.Column("json_value", JsonText(), nullable=True),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], name=op.f("fk_attribute_analysis_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_attribute_attempt_id")),
        sa.ForeignKeyConstraint(
            ["install_file_id"], ["install_file.id"], name=op.f("fk_attribute_install_file_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute")),
        info={"counted": "attempt_id"},
    )
    op.create_index(op.f("ix_attribute_analysis_id"), "attribute", ["analysis_id"], unique=False)
    op.create_index(op.f("ix_attribute_attempt_id"), "attribute", ["attempt_id"], unique=False)
    op.create_index(op.f("ix_attribute_install_file_id"), "attribute", ["install_file_id"], unique=False)
