"""Builds by when they began and ended have no numbers of rows in their indexes: those of one moment are
sorted as they are read, and those without one, which may be many, are in an index by number of their own.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0069"
down_revision = "0062"
branch_labels = None
depends_on = None

# The columns are what they are since then.
ahead_from = "0050"
locked = ("build",)

_MOMENTS = "started_at", "finished_at"


def _indexes(dialect_name: str) -> dict[str, str]:
    # SQLite knows no NULLS FIRST in an index; there NULL is first.
    first = "" if dialect_name == "sqlite" else " NULLS FIRST"
    return {
        **{f"ix_build_{name}": f"({name}{first})" for name in _MOMENTS},
        **{f"ix_build_no_{name}": f"(id) WHERE {name} IS NULL" for name in _MOMENTS},
    }


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, rows in _indexes("postgresql").items():
        tell(f"the index {index}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON build {rows}")


def upgrade() -> None:
    for index, rows in _indexes(op.get_bind().dialect.name).items():
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON build {rows}")
    for name in _MOMENTS:
        op.drop_index(f"ix_build_{name}_id", "build")
