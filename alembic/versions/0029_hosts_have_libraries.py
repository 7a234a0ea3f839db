"""The libraries of the system that files need are stored once for each image of a host."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "system_library",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("elf_file_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["elf_file_id"], ["elf_file.id"], name=op.f("fk_system_library_elf_file_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_library")),
        sa.UniqueConstraint("digest", name=op.f("uq_system_library_digest")),
    )
    op.create_index(op.f("ix_system_library_elf_file_id"), "system_library", ["elf_file_id"])
    op.create_table(
        "host_image",
        sa.Column("id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("os", ByteOrderedText, nullable=False),
        sa.Column("os_version", ByteOrderedText, nullable=False),
        sa.Column("architecture", ByteOrderedText, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_image")),
        sa.UniqueConstraint("digest", name=op.f("uq_host_image_digest")),
    )
    op.create_table(
        "host_library",
        sa.Column("id", RowId, nullable=False),
        sa.Column("host_image_id", RowId, nullable=False),
        sa.Column("path", ByteOrderedText, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=True),
        sa.Column("system_library_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(
            ["host_image_id"], ["host_image.id"], name=op.f("fk_host_library_host_image_id")
        ),
        sa.ForeignKeyConstraint(
            ["system_library_id"], ["system_library.id"], name=op.f("fk_host_library_system_library_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_library")),
        sa.UniqueConstraint("host_image_id", "path", name=op.f("uq_host_library_host_image_id_path")),
    )
    op.create_index(op.f("ix_host_library_system_library_id"), "host_library", ["system_library_id"])
    op.create_table(
        "analysis_host",
        sa.Column("analysis_id", RowId, nullable=False),
        sa.Column("host_image_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["analysis_id"], ["analysis.id"], name=op.f("fk_analysis_host_analysis_id")),
        sa.ForeignKeyConstraint(
            ["host_image_id"], ["host_image.id"], name=op.f("fk_analysis_host_host_image_id")
        ),
        sa.PrimaryKeyConstraint("analysis_id", name=op.f("pk_analysis_host")),
    )
    op.create_index(op.f("ix_analysis_host_host_image_id"), "analysis_host", ["host_image_id"])
