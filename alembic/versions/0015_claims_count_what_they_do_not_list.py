"""Claims count the events that a report had beyond those that are listed; so far all were."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "claim", sa.Column("unlisted_event_count", sa.Integer(), nullable=False, server_default="0")
    )
