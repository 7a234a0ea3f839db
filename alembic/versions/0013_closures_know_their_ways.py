"""The closure knows whether a path of link and run edges leads to a spec, one with a build edge, how short.

The table is written anew: to change each of its rows in place would take twice its room.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import RowId

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NEW = "closure_by_way"
# What lies below so many specs is found at once.
_SPECS = 500


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    # Names of constraints are a table's own in SQLite, and all tables' in PostgreSQL.
    key = "pk_closure" if is_sqlite else f"pk_{_NEW}"
    op.create_table(
        _NEW,
        sa.Column("ancestor_id", RowId, autoincrement=False, nullable=False),
        sa.Column("descendant_id", RowId, autoincrement=False, nullable=False),
        sa.Column("by_caret", sa.Boolean(), nullable=False),
        sa.Column("by_link_run", sa.Boolean(), nullable=False),
        sa.Column("by_build", sa.Boolean(), nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ancestor_id", "descendant_id", name=op.f(key)),
        sqlite_with_rowid=False,
    )
    _copy(op.get_bind())
    op.drop_table("closure")
    op.rename_table(_NEW, "closure")
    if not is_sqlite:
        op.execute(f"ALTER TABLE closure RENAME CONSTRAINT {key} TO pk_closure")
    op.create_index(
        "ix_closure_above",
        "closure",
        ["descendant_id", "ancestor_id", "by_caret", "by_link_run", "by_build", "depth"],
    )


_NEXT = sa.text(
    "SELECT max(n.id) FROM (SELECT DISTINCT ancestor_id AS id FROM closure WHERE ancestor_id > :last"
    " ORDER BY ancestor_id LIMIT :specs) n"
)

_CHILDREN = sa.text(
    "INSERT INTO reached (root, id, depth) SELECT DISTINCT parent_id, child_id, 1 FROM dependency"
    " WHERE parent_id > :last AND parent_id <= :next"
)
_DEEPER = sa.text(
    "INSERT INTO reached (root, id, depth) SELECT DISTINCT r.root, e.child_id, r.depth + 1"
    " FROM reached r JOIN dependency e ON e.parent_id = r.id WHERE r.depth = :depth"
    " ON CONFLICT (root, id) DO NOTHING"
)

_COPY = sa.text(
    f"""
    INSERT INTO {_NEW} (ancestor_id, descendant_id, by_caret, by_link_run, by_build, depth)
    WITH RECURSIVE linked (root, id) AS (
        SELECT parent_id, child_id FROM dependency
        WHERE parent_id > :last AND parent_id <= :next AND (deptypes & 6) <> 0
        UNION
        SELECT l.root, e.child_id FROM linked l JOIN dependency e ON e.parent_id = l.id
        WHERE (e.deptypes & 6) <> 0
    ), walked (root, id, build) AS (
        SELECT parent_id, child_id, CAST(deptypes & 1 AS integer) FROM dependency
        WHERE parent_id > :last AND parent_id <= :next
        UNION
        SELECT w.root, e.child_id, w.build | CAST(e.deptypes & 1 AS integer)
        FROM walked w JOIN dependency e ON e.parent_id = w.id
    )
    SELECT c.ancestor_id, c.descendant_id, c.by_caret, l.id IS NOT NULL, w.id IS NOT NULL, r.depth
    FROM closure c JOIN reached r ON r.root = c.ancestor_id AND r.id = c.descendant_id
    LEFT JOIN linked l ON l.root = c.ancestor_id AND l.id = c.descendant_id
    LEFT JOIN walked w ON w.root = c.ancestor_id AND w.id = c.descendant_id AND w.build = 1
    WHERE c.ancestor_id > :last AND c.ancestor_id <= :next
    ORDER BY c.ancestor_id, c.descendant_id
    """  # noqa: S608 -- of our own constants
)


def _copy(connection: Any) -> None:
    """Copy the rows of some ancestors at a time, with what their edges say."""
    last = 0
    while (end := connection.scalar(_NEXT, {"last": last, "specs": _SPECS})) is not None:
        op.execute(
            "CREATE TEMPORARY TABLE reached"
            " (root bigint NOT NULL, id bigint NOT NULL, depth integer NOT NULL, PRIMARY KEY (root, id))"
        )
        depth, found = 1, connection.execute(_CHILDREN, {"last": last, "next": end}).rowcount
        while found:
            found = connection.execute(_DEEPER, {"depth": depth}).rowcount
            depth += 1
        connection.execute(_COPY, {"last": last, "next": end})
        # Not emptied: what a transaction deletes takes its room until the end.
        op.drop_table("reached")
        last = end
