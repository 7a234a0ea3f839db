"""What changed is kept for a while in the order of commits, for subscriptions."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reported_change",
        sa.Column("id", RowId, nullable=False),
        sa.Column("position", RowId, nullable=True),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("row_id", RowId, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reported_change")),
        sa.UniqueConstraint("position", name=op.f("uq_reported_change_position")),
    )
    not_numbered = sa.text("position IS NULL")
    op.create_index(
        "ix_reported_change_not_numbered", "reported_change", ["id"],
        postgresql_where=not_numbered, sqlite_where=not_numbered,
    )  # fmt: skip
