"""Chunks of logs may be in objects of a bucket; those that are stored stay where they are."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

_IS_MOVED = sa.text("object_id IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "log_object",
        sa.Column("id", RowId, nullable=False),
        sa.Column("log_id", RowId, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("size_bytes", RowId, nullable=True),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("unused_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_object")),
        sa.UniqueConstraint("key", name=op.f("uq_log_object_key")),
    )
    op.create_index(op.f("ix_log_object_log_id"), "log_object", ["log_id"])
    # SQLite would write the whole table anew for a foreign key.
    op.add_column("log", sa.Column("object_id", RowId, nullable=True))
    op.create_index(
        "ix_log_object_id", "log", ["object_id"], postgresql_where=_IS_MOVED, sqlite_where=_IS_MOVED
    )
