"""A log says when its text was removed; what it told of errors and warnings stays."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log", sa.Column("removed_at", UtcDateTime()))
