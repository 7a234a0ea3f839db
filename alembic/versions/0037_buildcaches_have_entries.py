"""Buildcaches are stored with their entries: where a binary is, and where index and contents disagree.

Of what was imported before only the specs are known: import it again.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, ByteOrderedWord, RowId, UtcDateTime

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buildcache",
        sa.Column("id", RowId, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("layout_version", sa.Integer(), nullable=True),
        sa.Column("is_listed", sa.Boolean(), nullable=False),
        sa.Column("read_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_buildcache_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buildcache")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_buildcache_owner_id_name")),
    )
    op.create_table(
        "buildcache_entry",
        sa.Column("id", RowId, nullable=False),
        sa.Column("buildcache_id", RowId, nullable=False),
        sa.Column("layout_version", sa.Integer(), nullable=False),
        sa.Column("spec_hash", ByteOrderedWord, nullable=False),
        sa.Column("spec_id", RowId, nullable=True),
        *(
            sa.Column(name, sa.Boolean(), nullable=True)
            for name in ("in_index", "has_spec_file", "has_archive")
        ),
        sa.Column("stated_hash", ByteOrderedWord, nullable=True),
        sa.Column("disagreement", ByteOrderedWord, nullable=True),
        sa.ForeignKeyConstraint(
            ["buildcache_id"], ["buildcache.id"], name=op.f("fk_buildcache_entry_buildcache_id")
        ),
        sa.ForeignKeyConstraint(["spec_id"], ["spec.id"], name=op.f("fk_buildcache_entry_spec_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buildcache_entry")),
        sa.UniqueConstraint(
            "buildcache_id", "spec_hash", "layout_version",
            name=op.f("uq_buildcache_entry_buildcache_id_spec_hash_layout_version"),
        ),
    )  # fmt: skip
    op.create_index(op.f("ix_buildcache_entry_spec_id"), "buildcache_entry", ["spec_id"])
