"""Environments of Spack keep their names and their roots, as lock files have them.

What was imported before has neither: import it again.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spack_environment",
        sa.Column("id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_spack_environment_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spack_environment")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_spack_environment_owner_id_name")),
    )
    op.create_table(
        "lock_file",
        sa.Column("id", RowId, nullable=False),
        sa.Column("environment_id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("spack_version", ByteOrderedText, nullable=True),
        sa.Column("reported_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["spack_environment.id"], name=op.f("fk_lock_file_environment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lock_file")),
        sa.UniqueConstraint("environment_id", "digest", name=op.f("uq_lock_file_environment_id_digest")),
    )
    op.create_table(
        "lock_file_root",
        sa.Column("id", RowId, nullable=False),
        sa.Column("lock_file_id", RowId, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("abstract_spec", ByteOrderedText, nullable=False),
        sa.Column("spec_hash", ByteOrderedText, nullable=False),
        sa.Column("spec_id", RowId, nullable=True),
        sa.Column("group_name", ByteOrderedText, nullable=True),
        sa.Column("included_from", ByteOrderedText, nullable=True),
        sa.ForeignKeyConstraint(
            ["lock_file_id"], ["lock_file.id"], name=op.f("fk_lock_file_root_lock_file_id")
        ),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_lock_file_root_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lock_file_root")),
        sa.UniqueConstraint("lock_file_id", "position", name=op.f("uq_lock_file_root_lock_file_id_position")),
    )
    op.create_index(op.f("ix_lock_file_root_spec_id"), "lock_file_root", ["spec_id"])
