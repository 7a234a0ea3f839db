# ruff: noqa: S608 -- statements are put together of our own constants alone
"""The closure is lists of numbers, for each spec of what is below it and of what is above it.

PostgreSQL alone: SQLite keeps a row for each pair. Who reads names one of two views, by which of the two
specs is known; a third counts what is above. The lists are made of the pairs while services write (`ahead`).
"""

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import Ids, Notes, Progress, lock, outside, step

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

# The pairs have all their columns since then.
ahead_from = "0048"

_CHUNK = 256
_ANCESTORS_AT_ONCE = 20 * _CHUNK
_PROGRESS = "closure_progress"
_NOTES = Notes("closure_note", (("closure", "ancestor_id", "ancestor"),))

_TABLES = (
    """
    CREATE TABLE descendant_list (
        ancestor_id integer NOT NULL, descendants bigint[] NOT NULL,
        CONSTRAINT pk_descendant_list PRIMARY KEY (ancestor_id)
    )
    """,
    """
    CREATE TABLE ancestor_list (
        descendant_id integer NOT NULL, chunk integer NOT NULL, ancestors integer[] NOT NULL,
        CONSTRAINT pk_ancestor_list PRIMARY KEY (descendant_id, chunk)
    )
    """,
)
# To make those of a chunk anew while the others are made.
_INDEX = "CREATE INDEX ix_ancestor_list_chunk ON ancestor_list (chunk)"

_VIEWS = (
    """
    CREATE VIEW closure AS
    SELECT l.ancestor_id, CAST(p.pair >> 24 AS integer) AS descendant_id,
        (p.pair & 1) <> 0 AS by_caret, (p.pair & 2) <> 0 AS by_link_run, (p.pair & 4) <> 0 AS by_build,
        CAST((p.pair >> 3) & 2097151 AS smallint) AS depth
    FROM descendant_list l CROSS JOIN LATERAL (SELECT unnest(l.descendants) AS pair) p
    """,
    f"""
    CREATE VIEW closure_above AS
    SELECT l.chunk * {_CHUNK} + (p.pair & {_CHUNK - 1}) AS ancestor_id, l.descendant_id,
        (p.pair & 256) <> 0 AS by_caret, (p.pair & 512) <> 0 AS by_link_run,
        (p.pair & 1024) <> 0 AS by_build, CAST(p.pair >> 11 AS smallint) AS depth
    FROM ancestor_list l CROSS JOIN LATERAL (SELECT unnest(l.ancestors) AS pair) p
    """,
    "CREATE VIEW closure_above_count AS"
    " SELECT descendant_id, cardinality(ancestors) AS number FROM ancestor_list",
)
_VIEWS_IN_SQLITE = (
    "CREATE VIEW closure_above AS"
    " SELECT ancestor_id, descendant_id, by_caret, by_link_run, by_build, depth FROM closure",
    "CREATE VIEW closure_above_count AS SELECT descendant_id, 1 AS number FROM closure",
)

_HOW = "(depth * 8 + by_build::int * 4 + by_link_run::int * 2 + by_caret::int)"
_FILL = (
    f"""
    INSERT INTO descendant_list (ancestor_id, descendants)
    SELECT ancestor_id, array_agg((descendant_id::bigint << 24) | {_HOW})
    FROM closure WHERE {{which}} GROUP BY 1 ORDER BY 1
    """,
    f"""
    INSERT INTO ancestor_list (descendant_id, chunk, ancestors)
    SELECT descendant_id, ancestor_id / {_CHUNK}, array_agg(({_HOW} << 8) | (ancestor_id % {_CHUNK})::int)
    FROM closure WHERE {{which}} GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (descendant_id, chunk) DO UPDATE SET ancestors = ancestor_list.ancestors || excluded.ancestors
    """,
)
_FORGET = (
    f"DELETE FROM descendant_list WHERE ancestor_id >= :chunk * {_CHUNK}"
    f" AND ancestor_id < (:chunk + 1) * {_CHUNK}",
    "DELETE FROM ancestor_list WHERE chunk = :chunk",
)


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the lists beside the pairs; called again, it goes on where it was interrupted."""
    progress = Progress(connection, _PROGRESS, tell)
    step(connection, lambda: _create(connection, progress))
    _NOTES.create(connection)
    # Of what came since all was copied there are notes, and it may have been copied by them.
    if not progress.is_done("index"):
        progress.by_ids("closure", "spec", _ANCESTORS_AT_ONCE, partial(_fill_range, connection))
    progress.once("index", lambda: connection.execute(sa.text(_INDEX)))
    for table in ("descendant_list", "ancestor_list"):
        outside(connection, f"VACUUM (ANALYZE) {table}")
    tell("what changed meanwhile")
    if not _NOTES.rounds(connection, partial(_again, connection)):
        tell("the closure changes as fast as it is prepared: the rest follows at once")


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for statement in _VIEWS_IN_SQLITE:
            op.execute(statement)
        return
    if sa.inspect(connection).has_table(_PROGRESS):
        lock(connection, ("closure",), ())
        _NOTES.rest(connection, partial(_again, connection))
        _NOTES.drop(connection)
        op.drop_table(_PROGRESS)
        op.execute("DROP INDEX ix_ancestor_list_chunk")
    else:
        for statement in _TABLES:
            op.execute(statement)
        _fill(connection, "true", {})
        for table in ("descendant_list", "ancestor_list"):
            op.execute(f"ANALYZE {table}")
    op.drop_table("closure")
    for statement in _VIEWS:
        op.execute(statement)


def _create(connection: sa.Connection, progress: Progress) -> None:
    if not sa.inspect(connection).has_table("ancestor_list"):
        progress.create()
        for statement in _TABLES:
            connection.execute(sa.text(statement))


def _fill(connection: sa.Connection, which: str, values: dict[str, int]) -> None:
    for statement in _FILL:
        connection.execute(sa.text(statement.format(which=which)), values)


def _fill_range(connection: sa.Connection, last: int, after: int) -> None:
    _fill(connection, "ancestor_id > :last AND ancestor_id <= :after", {"last": last, "after": after})


def _again(connection: sa.Connection, ids: Ids) -> None:
    """Make the lists of the chunks of these ancestors anew."""
    for chunk in sorted({ancestor // _CHUNK for ancestor in ids["ancestor"]}):
        for statement in _FORGET:
            connection.execute(sa.text(statement), {"chunk": chunk})
        which = f"ancestor_id >= :chunk * {_CHUNK} AND ancestor_id < (:chunk + 1) * {_CHUNK}"
        _fill(connection, which, {"chunk": chunk})
