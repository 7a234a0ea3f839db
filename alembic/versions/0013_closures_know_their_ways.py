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

_LINKED = sa.text(
    """
    INSERT INTO linked (root, id)
    WITH RECURSIVE below (root, id) AS (
        SELECT parent_id, child_id FROM dependency
        WHERE parent_id > :last AND parent_id <= :next AND (deptypes & 6) <> 0
        UNION
        SELECT b.root, e.child_id FROM below b JOIN dependency e ON e.parent_id = b.id
        WHERE (e.deptypes & 6) <> 0
    )
    SELECT root, id FROM below
    """
)
_BUILT = sa.text(
    """
    INSERT INTO built (root, id)
    WITH RECURSIVE walked (root, id, build) AS (
        SELECT parent_id, child_id, CAST(deptypes & 1 AS integer) FROM dependency
        WHERE parent_id > :last AND parent_id <= :next
        UNION
        SELECT w.root, e.child_id, w.build | CAST(e.deptypes & 1 AS integer)
        FROM walked w JOIN dependency e ON e.parent_id = w.id
    )
    SELECT root, id FROM walked WHERE build = 1
    """
)
_COPY = sa.text(
    f"""
    INSERT INTO {_NEW} (ancestor_id, descendant_id, by_caret, by_link_run, by_build, depth)
    SELECT c.ancestor_id, c.descendant_id, c.by_caret, l.id IS NOT NULL, b.id IS NOT NULL, r.depth
    FROM closure c JOIN reached r ON r.root = c.ancestor_id AND r.id = c.descendant_id
    LEFT JOIN linked l ON l.root = c.ancestor_id AND l.id = c.descendant_id
    LEFT JOIN built b ON b.root = c.ancestor_id AND b.id = c.descendant_id
    WHERE c.ancestor_id > :last AND c.ancestor_id <= :next
    ORDER BY c.ancestor_id, c.descendant_id
    """  # noqa: S608 -- of our own constants
)
# Tables with keys: in a list without one PostgreSQL looks for each row from its beginning.
_TEMPORARY = {
    "reached": "root bigint NOT NULL, id bigint NOT NULL, depth integer NOT NULL, PRIMARY KEY (root, id)",
    "linked": "root bigint NOT NULL, id bigint NOT NULL, PRIMARY KEY (root, id)",
    "built": "root bigint NOT NULL, id bigint NOT NULL, PRIMARY KEY (root, id)",
}


def _copy(connection: Any) -> None:
    """Copy the rows of some ancestors at a time, with what their edges say."""
    # Once for all: PostgreSQL keeps the locks on each table made or dropped until the transaction ends, and
    # has room for some thousands.
    for table, columns in _TEMPORARY.items():
        op.execute(f"CREATE TEMPORARY TABLE {table} ({columns})")
    last = 0
    while (end := connection.scalar(_NEXT, {"last": last, "specs": _SPECS})) is not None:
        some = {"last": last, "next": end}
        depth, found = 1, connection.execute(_CHILDREN, some).rowcount
        while found:
            found = connection.execute(_DEEPER, {"depth": depth}).rowcount
            depth += 1
        for statement in (_LINKED, _BUILT, _COPY):
            connection.execute(statement, some)
        _empty(connection)
        last = end
    for table in _TEMPORARY:
        op.drop_table(table)


def _empty(connection: Any) -> None:
    if connection.dialect.name == "sqlite":
        for table in _TEMPORARY:
            op.execute(f"DELETE FROM {table}")  # noqa: S608 -- our own names
    else:
        # What a transaction deletes takes its room until the end.
        op.execute(f"TRUNCATE {', '.join(_TEMPORARY)}")
