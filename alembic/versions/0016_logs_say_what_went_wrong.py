"""A log's errors and warnings are rows beside it; those of older logs come with `spackmon log reread`."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log", sa.Column("rules_version", sa.Integer(), nullable=True))
    op.add_column("log", sa.Column("unlisted_events", sa.Integer(), nullable=True))
    op.create_table(
        "log_event",
        sa.Column("id", RowId, nullable=False),
        sa.Column("log_id", RowId, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("role", ByteOrderedText, nullable=False),
        sa.Column("tool", ByteOrderedText, nullable=True),
        sa.Column("error_class", ByteOrderedText, nullable=True),
        sa.Column("blame", ByteOrderedText, nullable=True),
        sa.Column("fingerprint", ByteOrderedText, nullable=True),
        sa.Column("is_first", sa.Boolean(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("message", ByteOrderedText, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.Column("source_file", ByteOrderedText, nullable=True),
        sa.Column("source_line", sa.Integer(), nullable=True),
        sa.Column("source_column", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["log_id"], ["log.id"], name=op.f("fk_log_event_log_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_event")),
        sa.UniqueConstraint("log_id", "position", name=op.f("uq_log_event_log_id_position")),
    )
    op.create_index(op.f("ix_log_event_fingerprint"), "log_event", ["fingerprint"])
