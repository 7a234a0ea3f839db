"""Phases have their CPU seconds and their peak memory, runs and builds those of their phases.

None is known of what was reported before.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import RowId

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("claim_phase", "phase", "attempt", "build"):
        op.add_column(table, sa.Column("cpu_seconds", sa.Float(53), nullable=True))
        op.add_column(table, sa.Column("peak_memory_bytes", RowId, nullable=True))
