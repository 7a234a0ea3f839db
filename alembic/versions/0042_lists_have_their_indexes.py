"""Builds have indexes in the order of their first report and of their end, the newest specs of a version and
the newest errors of a group have theirs; all but the first replace shorter ones.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

# The columns of the indexes are there since then.
ahead_from = "0022"

_FINISHED = {"sqlite": "finished_at, id", "postgresql": "finished_at DESC NULLS LAST, id DESC"}
_INDEXES = (
    ("ix_build_created_at_id", "build", "created_at, id", None),
    ("ix_build_finished_at_id", "build", None, "ix_build_finished_at"),
    ("ix_spec_package_version_id_id", "spec", "package_version_id, id", "ix_spec_package_version_id"),
    (
        "ix_build_event_error_group_id_id", "build_event", "error_group_id, id",
        "ix_build_event_error_group_id",
    ),
)  # fmt: skip


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the indexes; who was interrupted left one that counts for nothing."""
    for index, table, columns, _ in _INDEXES:
        tell(f"an index of {table}")
        outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
        order = columns or _FINISHED["postgresql"]
        outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON {table} ({order})")


def upgrade() -> None:
    order = _FINISHED[op.get_bind().dialect.name]
    for index, table, columns, replaced in _INDEXES:
        op.execute(f"CREATE INDEX IF NOT EXISTS {index} ON {table} ({columns or order})")
        if replaced is not None:
            op.drop_index(replaced, table)
