"""Builds have indexes in the order of their durations, and those of an owner, a machine and each status but
the usual one have theirs.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

# The columns of the indexes are there since then.
ahead_from = "0022"

_DURATION = {
    "sqlite": "(duration_seconds DESC, id DESC)",
    "postgresql": "(duration_seconds DESC NULLS LAST, id DESC)",
}
_INDEXES = (
    ("ix_build_owner_id_id", "(owner_id, id)", "ix_build_owner_id"),
    ("ix_build_environment_id_id", "(environment_id, id)", "ix_build_environment_id"),
    ("ix_build_unusual_status", "(status, id) WHERE status <> 'SUCCESS'", None),
    ("ix_build_duration_seconds_id", None, None),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, order, _ in _INDEXES:
        tell(f"the index {index}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON build {order or _DURATION['postgresql']}")


def upgrade() -> None:
    duration = _DURATION[op.get_bind().dialect.name]
    for index, order, replaced in _INDEXES:
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON build {order or duration}")
        if replaced is not None:
            op.drop_index(replaced, "build")
