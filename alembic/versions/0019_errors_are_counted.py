"""Groups of errors know how often they were seen, when and in which builds; runs know their first error's."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import RowId, UtcDateTime
from spackmon.ops.events_ahead import is_prepared

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

# What is counted and written at once.
_ROWS = 20_000

_COUNTS = ("event_count", "run_count", "build_count")

_OF_BUILDS = """
    INSERT INTO error_group_build (build_id, error_group_id, event_count, run_count, first_seen, last_seen)
    SELECT a.build_id, e.error_group_id, count(*), count(DISTINCT a.id), min(a.started_at), max(a.started_at)
    FROM attempt a JOIN build_event e ON e.attempt_id = a.id
    WHERE a.build_id > :last AND a.build_id <= :next AND e.error_group_id IS NOT NULL
    GROUP BY a.build_id, e.error_group_id
"""
_FIRST_OF_RUNS = """
    UPDATE attempt SET first_error_group_id = e.error_group_id
    FROM build_event e
    WHERE attempt.id > :last AND attempt.id <= :next AND e.attempt_id = attempt.id AND e.kind = 'ERROR'
        AND NOT EXISTS (
            SELECT 1 FROM build_event o
            WHERE o.attempt_id = e.attempt_id AND o.kind = 'ERROR' AND o.position < e.position)
"""
_FIRST_OF_BUILDS = """
    UPDATE build SET first_error_group_id = a.first_error_group_id
    FROM attempt a
    WHERE build.id > :last AND build.id <= :next AND a.id = build.newest_attempt_id
        AND a.first_error_group_id IS NOT NULL
"""
_TOTALS = """
    UPDATE error_group SET event_count = t.event_count, run_count = t.run_count, build_count = t.build_count,
        first_seen = t.first_seen, last_seen = t.last_seen
    FROM (
        SELECT error_group_id, count(*) AS build_count, sum(run_count) AS run_count,
            sum(event_count) AS event_count, min(first_seen) AS first_seen, max(last_seen) AS last_seen
        FROM error_group_build GROUP BY error_group_id
    ) t
    WHERE error_group.id = t.error_group_id
"""


def upgrade() -> None:
    for name in _COUNTS:
        op.add_column("error_group", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    for name in ("first_seen", "last_seen"):
        op.add_column("error_group", sa.Column(name, UtcDateTime, nullable=True))
    op.create_table(
        "error_group_build",
        sa.Column("build_id", RowId, autoincrement=False, nullable=False),
        sa.Column("error_group_id", RowId, autoincrement=False, nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("first_seen", UtcDateTime, nullable=True),
        sa.Column("last_seen", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("build_id", "error_group_id", name=op.f("pk_error_group_build")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "error_group_change",
        sa.Column("id", RowId, nullable=False),
        sa.Column("error_group_id", RowId, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.Column("first_seen", UtcDateTime, nullable=True),
        sa.Column("last_seen", UtcDateTime, nullable=True),
        sa.Column("seen_less", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_group_change")),
    )
    op.create_index(op.f("ix_error_group_change_error_group_id"), "error_group_change", ["error_group_id"])
    # Revision 0023 fills what it made ahead, for this one too.
    if not is_prepared(op.get_bind()):
        for table in ("attempt", "build"):
            op.add_column(table, sa.Column("first_error_group_id", RowId, nullable=True))
        _fill(op.get_bind())
    op.create_index("ix_error_group_build_of_group", "error_group_build", ["error_group_id", "build_id"])


def _fill(connection: Any) -> None:
    for table, statement in (
        ("build", _OF_BUILDS), ("attempt", _FIRST_OF_RUNS), ("build", _FIRST_OF_BUILDS),
    ):  # fmt: skip
        # Some ids at a time: a sort of all events at once would need the disk.
        last = 0
        greatest = connection.scalar(sa.text(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608 -- our own
        while last < greatest:
            connection.execute(sa.text(statement), {"last": last, "next": last + _ROWS})
            last += _ROWS
    connection.execute(sa.text(_TOTALS))
