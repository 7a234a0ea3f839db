"""Builds and runs know how many errors and warnings they have, and those that have some an index.

In PostgreSQL they are counted while services write (`ahead`): to read all events of two million builds
would take 19 s.
"""

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import Ids, Notes, Progress, lock, outside, step

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

# `ahead` finds what it needs from this revision on.
ahead_from = "0022"

_COLUMNS = "error_count", "warning_count"
_ROWS = 5_000
_PROGRESS = "event_count_progress"
_NOTES = Notes("event_count_note", (("build_event", "attempt_id", "run"), ("build", "id", "build")))
_DIFFERS = " OR ".join(f"{{0}}.{name} <> c.{name}" for name in _COLUMNS)
_SET = ", ".join(f"{name} = c.{name}" for name in _COLUMNS)
_RUNS = f"""
    UPDATE attempt SET {_SET} FROM (
        SELECT a.id, COALESCE(e.error_count, 0) AS error_count, COALESCE(e.warning_count, 0) AS warning_count
        FROM attempt a LEFT JOIN (
            SELECT attempt_id, sum(CASE kind WHEN 'ERROR' THEN 1 ELSE 0 END) AS error_count,
                sum(CASE kind WHEN 'WARNING' THEN 1 ELSE 0 END) AS warning_count
            FROM build_event WHERE {{events}} GROUP BY attempt_id
        ) e ON e.attempt_id = a.id
        WHERE {{rows}}
    ) c
    WHERE attempt.id = c.id AND ({_DIFFERS.format("attempt")})
"""  # noqa: S608 -- of our own constants
_BUILDS = f"""
    UPDATE build SET {_SET} FROM (
        SELECT b.id, COALESCE(a.error_count, 0) AS error_count, COALESCE(a.warning_count, 0) AS warning_count
        FROM build b LEFT JOIN attempt a ON a.id = b.newest_attempt_id
        WHERE {{rows}}
    ) c
    WHERE build.id = c.id AND ({_DIFFERS.format("build")})
"""  # noqa: S608 -- as above
_RANGE = "{0} > :last AND {0} <= :next"
_AMONG = "{0} = ANY (CAST(:ids AS bigint[]))"
_RUNS_AGAIN = _RUNS.format(events=_AMONG.format("attempt_id"), rows=_AMONG.format("a.id"))
_BUILDS_AGAIN = _BUILDS.format(
    rows=f"(b.id = ANY (CAST(:builds AS bigint[])) OR {_AMONG.format('b.newest_attempt_id')})"
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Count the events of runs and builds, some in a transaction, and make the indexes."""
    progress = Progress(connection, _PROGRESS, tell)

    def prepare() -> None:
        progress.create()
        for table in ("attempt", "build"):
            added = (f"ADD COLUMN IF NOT EXISTS {name} integer NOT NULL DEFAULT 0" for name in _COLUMNS)
            connection.execute(sa.text(f"ALTER TABLE {table} {', '.join(added)}"))

    def fill(statement: str) -> Callable[[int, int], None]:
        return lambda last, after: connection.execute(sa.text(statement), {"last": last, "next": after})

    step(connection, prepare)
    _NOTES.create(connection)
    runs = _RUNS.format(events=_RANGE.format("attempt_id"), rows=_RANGE.format("a.id"))
    progress.by_ids("events of runs", "attempt", _ROWS, fill(runs))
    progress.by_ids("events of builds", "build", _ROWS, fill(_BUILDS.format(rows=_RANGE.format("b.id"))))
    for table in ("attempt", "build"):
        for name in _COLUMNS:
            index = f"ix_{table}_{name}_id"
            tell(f"an index of {table}")
            # Who was interrupted left one that counts for nothing.
            outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {index}")
            outside(connection, f"CREATE INDEX CONCURRENTLY {index} ON {table} ({name}, id) WHERE {name} > 0")
    _NOTES.rounds(connection, partial(_count_again, connection))


def _count_again(connection: sa.Connection, noted: Ids) -> None:
    runs, builds = sorted(noted["run"]), sorted(noted["build"])
    connection.execute(sa.text(_RUNS_AGAIN), {"ids": runs})
    connection.execute(sa.text(_BUILDS_AGAIN), {"ids": runs, "builds": builds})


def upgrade() -> None:
    connection = op.get_bind()
    for table in ("attempt", "build"):
        there = {column["name"] for column in sa.inspect(connection).get_columns(table)}
        for name in _COLUMNS:
            if name not in there:
                op.add_column(table, sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    if sa.inspect(connection).has_table(_PROGRESS):
        lock(connection, (), ("build", "build_event", "attempt"))
        _NOTES.rest(connection, partial(_count_again, connection))
        _NOTES.drop(connection)
        op.drop_table(_PROGRESS)
    else:
        op.execute(_RUNS.format(events="attempt_id IS NOT NULL", rows="true"))
        op.execute(_BUILDS.format(rows="true"))
    for table in ("attempt", "build"):
        for name in _COLUMNS:
            some = sa.text(f"{name} > 0")
            op.create_index(
                f"ix_{table}_{name}_id", table, [name, "id"], if_not_exists=True,
                sqlite_where=some, postgresql_where=some,
            )  # fmt: skip
