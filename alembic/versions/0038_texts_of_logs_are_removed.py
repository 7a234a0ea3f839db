"""A log says when its text was removed; what it told of errors and warnings stays."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import UtcDateTime

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("log", sa.Column("removed_at", UtcDateTime()))
