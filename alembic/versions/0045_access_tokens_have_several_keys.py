"""Access tokens are signed by keys that can be rotated; what they are made of is stored, and no key."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import RowId, UtcDateTime

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("id", RowId, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("ends_others", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
    )
