"""Tokens have scopes, an end and a last use; those that there are may do what they could."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns."""
    with op.batch_alter_table("token") as token:
        token.add_column(
            sa.Column("scopes", ByteOrderedText, nullable=False, server_default="build:write read")
        )
        token.add_column(sa.Column("expires_at", UtcDateTime(), nullable=True))
        token.add_column(sa.Column("last_used_at", UtcDateTime(), nullable=True))
    with op.batch_alter_table("token") as token:
        token.alter_column("scopes", server_default=None)
