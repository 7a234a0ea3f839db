"""Builds of many sources: who told about a build, what went wrong in it, and builds without a spec."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _sources()
    _events()
    _builds()
    _concretization_failures()
    _batches()
    # The old server's clients were the only source.
    op.execute(
        "INSERT INTO build_source"
        " (build_id, attempt_id, owner_id, kind, key, first_reported_at, last_reported_at)"
        " SELECT b.id, a.id, b.owner_id, 'MS1', CAST(b.id AS text) || '/' || CAST(a.number AS text),"
        " a.started_at, COALESCE(a.finished_at, a.started_at)"
        " FROM attempt a JOIN build b ON b.id = a.build_id ORDER BY a.id"
    )
    op.execute(
        "UPDATE build SET package_id = (SELECT v.package_id FROM spec s"
        " JOIN package_version v ON v.id = s.package_version_id WHERE s.id = build.spec_id)"
    )
    op.create_index(op.f("ix_spec_compiler_id"), "spec", ["compiler_id"])
    op.create_index(op.f("ix_spec_architecture_id"), "spec", ["architecture_id"])


def _sources() -> None:
    op.create_table(
        "build_source",
        sa.Column("id", RowId, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("spec_hash", ByteOrderedText, nullable=True),
        sa.Column("first_reported_at", UtcDateTime(), nullable=False),
        sa.Column("last_reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_build_source_build_id")),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempt.id"], name=op.f("fk_build_source_attempt_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_build_source_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_source")),
        sa.UniqueConstraint("owner_id", "kind", "key", name=op.f("uq_build_source_owner_id_kind_key")),
    )
    for column in ("build_id", "attempt_id", "spec_hash"):
        op.create_index(op.f(f"ix_build_source_{column}"), "build_source", [column])
    op.create_table(
        "merged_build",
        sa.Column("id", RowId, autoincrement=False, nullable=False),
        sa.Column("build_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["build_id"], ["build.id"], name=op.f("fk_merged_build_build_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merged_build")),
    )
    op.create_index(op.f("ix_merged_build_build_id"), "merged_build", ["build_id"])


def _events() -> None:
    op.create_table(
        "error_group",
        sa.Column("id", RowId, nullable=False),
        sa.Column("fingerprint", ByteOrderedText, nullable=False),
        sa.Column("text", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_group")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_error_group_fingerprint")),
    )
    op.create_table(
        "build_event",
        sa.Column("id", RowId, nullable=False),
        sa.Column("attempt_id", RowId, nullable=False),
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
        sa.ForeignKeyConstraint(
            ["error_group_id"], ["error_group.id"], name=op.f("fk_build_event_error_group_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_event")),
        sa.UniqueConstraint("attempt_id", "position", name=op.f("uq_build_event_attempt_id_position")),
    )
    op.create_index(op.f("ix_build_event_error_group_id"), "build_event", ["error_group_id"])
    op.create_index(op.f("ix_build_event_attempt_id_kind"), "build_event", ["attempt_id", "kind"])


def _builds() -> None:
    # The number of a build that was merged into another is never given again.
    with op.batch_alter_table("build", table_kwargs={"sqlite_autoincrement": True}) as table:
        table.alter_column("spec_id", existing_type=RowId, nullable=True)
        table.add_column(sa.Column("package_id", RowId, nullable=True))
        table.add_column(sa.Column("prefix", ByteOrderedText, nullable=True))
        table.create_foreign_key(op.f("fk_build_package_id"), "package", ["package_id"], ["id"])
    op.create_index(op.f("ix_build_package_id"), "build", ["package_id"])
    op.create_index(op.f("ix_build_environment_id"), "build", ["environment_id"])
    waits = sa.text("spec_id IS NULL")
    op.create_index("ix_build_waiting", "build", ["package_id"], sqlite_where=waits, postgresql_where=waits)
    op.add_column("attempt", sa.Column("spack_revision", ByteOrderedText, nullable=True))
    op.add_column("phase", sa.Column("duration_seconds", sa.Float(53), nullable=True))


def _concretization_failures() -> None:
    with op.batch_alter_table("concretization_failure") as table:
        table.alter_column("package_id", existing_type=RowId, nullable=True)
        table.alter_column("document", existing_type=sa.Text(), nullable=True)
        table.add_column(sa.Column("abstract_spec", ByteOrderedText, nullable=True))
        table.add_column(sa.Column("message", ByteOrderedText, nullable=True))
    for column in ("package_id", "owner_id"):
        op.create_index(op.f(f"ix_concretization_failure_{column}"), "concretization_failure", [column])


def _batches() -> None:
    op.create_table(
        "submission_batch",
        sa.Column("id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("lines_done", sa.Integer(), nullable=False),
        sa.Column("refused_lines", JsonText, nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_submission_batch_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission_batch")),
        sa.UniqueConstraint("owner_id", "key", name=op.f("uq_submission_batch_owner_id_key")),
    )
