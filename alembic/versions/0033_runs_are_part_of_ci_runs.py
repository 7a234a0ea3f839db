"""Runs are part of jobs of CI runs.

In PostgreSQL the columns get their index and their references while services write (`ahead`): both read all
runs and all claims.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime
from spackmon.ops.ahead import outside, step

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# `ahead` finds what it needs from this revision on.
ahead_from = "0017"

_TABLES = sa.MetaData()
sa.Table(
    "ci_run",
    _TABLES,
    sa.Column("id", RowId, nullable=False),
    sa.Column("provider", ByteOrderedText, nullable=False),
    sa.Column("project", ByteOrderedText, nullable=False),
    sa.Column("pipeline_id", ByteOrderedText, nullable=False),
    sa.Column("stack", ByteOrderedText, nullable=False, index=True),
    sa.Column("url", ByteOrderedText, nullable=True),
    sa.Column("ref", ByteOrderedText, nullable=True),
    sa.Column("commit_sha", ByteOrderedText, nullable=True),
    sa.Column("created_at", UtcDateTime(), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_ci_run"),
    sa.UniqueConstraint(
        "provider", "project", "pipeline_id", "stack", name="uq_ci_run_provider_project_pipeline_id_stack"
    ),
)
sa.Table(
    "ci_job",
    _TABLES,
    sa.Column("id", RowId, nullable=False),
    sa.Column("ci_run_id", RowId, nullable=False),
    sa.Column("job_id", ByteOrderedText, nullable=False),
    sa.Column("name", ByteOrderedText, nullable=True),
    sa.Column("url", ByteOrderedText, nullable=True),
    sa.PrimaryKeyConstraint("id", name="pk_ci_job"),
    sa.ForeignKeyConstraint(["ci_run_id"], ["ci_run.id"], name="fk_ci_job_ci_run_id"),
    sa.UniqueConstraint("ci_run_id", "job_id", name="uq_ci_job_ci_run_id_job_id"),
)
_REFERRING = ("attempt", "claim")
_INDEX = "ix_attempt_ci_job_id"
_INDEXED = f"{_INDEX} ON attempt (ci_job_id) WHERE ci_job_id IS NOT NULL"


def ahead(connection: Any, tell: Callable[[str], None]) -> None:
    """Add the columns; called again, it goes on where it was interrupted."""
    tell("columns of CI runs")
    for table in _REFERRING:
        step(connection, lambda table=table: _add(connection, table))
        outside(connection, f"ALTER TABLE {table} VALIDATE CONSTRAINT fk_{table}_ci_job_id")
    # One that was interrupted is there and no good.
    outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
    outside(connection, f"CREATE INDEX CONCURRENTLY {_INDEXED}")


def _add(connection: Any, table: str) -> None:
    _TABLES.create_all(connection)
    if not _has_column(connection, table):
        connection.exec_driver_sql(
            f"ALTER TABLE {table} ADD COLUMN ci_job_id BIGINT, ADD CONSTRAINT fk_{table}_ci_job_id"
            " FOREIGN KEY (ci_job_id) REFERENCES ci_job (id) NOT VALID"
        )


def _has_column(connection: Any, table: str) -> bool:
    return "ci_job_id" in {column["name"] for column in sa.inspect(connection).get_columns(table)}


def upgrade() -> None:
    connection = op.get_bind()
    _TABLES.create_all(connection)
    for table in _REFERRING:
        if not _has_column(connection, table):
            with op.batch_alter_table(table) as altered:
                altered.add_column(sa.Column("ci_job_id", RowId, nullable=True))
                altered.create_foreign_key(f"fk_{table}_ci_job_id", "ci_job", ["ci_job_id"], ["id"])
    op.execute(f"CREATE INDEX IF NOT EXISTS {_INDEXED}")
