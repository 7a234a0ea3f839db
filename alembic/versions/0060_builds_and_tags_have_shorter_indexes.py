"""Builds have three shorter indexes instead of four, runs with a tag a shorter one.

Builds of one moment are sorted by their ids as they are read, those of a package and a status are told in the
index of all of the package, and PostgreSQL notes the runs of a tag as few entries.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

# The tables are what they are since then.
ahead_from = "0050"

_INDEXES = (
    ("ix_build_created_at", "build", "created_at"),
    ("ix_build_updated_at", "build", "updated_at"),
    ("ix_build_package_id_id_status", "build", "package_id, id, status"),
    ("ix_attempt_tag_tag_id", "attempt_tag", "tag_id"),
)
_REPLACED = (
    ("ix_build_created_at_id", "build"),
    ("ix_build_updated_at_id", "build"),
    ("ix_build_package_id_id", "build"),
    ("ix_build_package_id_status_id", "build"),
    ("ix_attempt_tag_tag_id_attempt_id", "attempt_tag"),
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, table, columns in _INDEXES:
        tell(f"the index {index}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON {table} ({columns})")


def upgrade() -> None:
    for index, table, columns in _INDEXES:
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({columns})")
    for index, table in _REPLACED:
        op.drop_index(index, table)
