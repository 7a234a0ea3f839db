"""The phases of a run have one entry in an index instead of one each with its name; claims have no index by
machine, owner and time any more, but a short one by each of machine and time.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0054"
down_revision = "0052"
branch_labels = None
depends_on = None

# The tables are what they are since then.
ahead_from = "0050"

_INDEXES = (
    ("ix_phase_attempt_id", "phase", "attempt_id", "btree"),
    ("ix_claim_environment_id", "claim", "environment_id", "btree"),
    ("ix_claim_last_reported_at", "claim", "last_reported_at", "brin"),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, table, column, kind in _INDEXES:
        tell(f"the index {index}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON {table} USING {kind} ({column})")


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        with op.batch_alter_table("phase") as table:
            table.drop_constraint("uq_phase_attempt_id_name", type_="unique")
    else:
        op.drop_constraint("uq_phase_attempt_id_name", "phase", type_="unique")
    for index, table_name, column, kind in _INDEXES:
        using = "" if is_sqlite else f" USING {kind}"
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table_name}{using} ({column})")
    op.drop_index("ix_claim_environment_id_owner_id_last_reported_at", "claim")
