"""Indexes of several columns have moments in steps: four bytes in PostgreSQL instead of eight and padding.

SQLite's have them as before; the one of facets no longer has the number of the row twice.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None

# Before, the tables are written anew (0075), with these indexes already.
ahead_from = "0075"
locked = ("build", "claim")

_STEP = "CAST(date_part('epoch', {} AT TIME ZONE 'UTC') / {} AS integer)"
_BEGAN = f"COALESCE({_STEP.format('started_at', 128)}, id / 2 - 2147483647 - 1)"
_ENDS = _STEP.format("window_ends_at", 1024)
_INDEXES = {
    "ix_build_facet_id_began": ("build", "facet_id", {"postgresql": _BEGAN, "sqlite": "started_at"}),
    "ix_claim_package_id_window": ("claim", "package_id", {"postgresql": _ENDS, "sqlite": "window_ends_at"}),
    "ix_claim_spec_id_window": ("claim", "spec_id", {"postgresql": _ENDS, "sqlite": "window_ends_at"}),
}
_BEFORE = (
    "ix_build_facet_id_started_at_id",
    "ix_claim_package_id_window_ends_at",
    "ix_claim_spec_id_window_ends_at",
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, (table, column, moment) in _INDEXES.items():
        tell(f"the index {index}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        rows = f"({column}, {moment['postgresql']})"
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON {table} {rows}")
    # How many are of a step is not known of a new index, as it is of a column.
    outside(connection, "ANALYZE build, claim")


def upgrade() -> None:
    bind = op.get_bind()
    for index, (table, column, moment) in _INDEXES.items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({column}, {moment[bind.dialect.name]})")
    for index in _BEFORE:
        op.execute(f"DROP INDEX IF EXISTS {index}")
