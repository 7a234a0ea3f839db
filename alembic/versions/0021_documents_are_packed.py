"""Documents of specs are packed by a dictionary; those that are there, by the services, some at a time."""

from collections.abc import Callable
from functools import partial

import sqlalchemy as sa
from alembic import op

from spackmon.ops.ahead import outside, step

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# From this revision on nothing else changes what `ahead` adds to.
ahead_from = "0017"

_INDEX = "ix_spec_document_not_packed"
_UNPACKED = "packed IS NULL"


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Add the columns and the index, which is of all that there is."""
    tell("documents of specs")
    for column in ("packed bytea", "dictionary smallint", "characters integer"):
        add = sa.text(f"ALTER TABLE spec_document ADD COLUMN IF NOT EXISTS {column}")
        step(connection, partial(connection.execute, add))
    # Who was interrupted left one that counts for nothing.
    outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
    outside(connection, f"CREATE INDEX CONCURRENTLY {_INDEX} ON spec_document (id) WHERE {_UNPACKED}")


def upgrade() -> None:
    columns = [
        sa.Column("packed", sa.LargeBinary(), nullable=True),
        sa.Column("dictionary", sa.SmallInteger(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=True),
    ]
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("spec_document")}
    is_prepared = "packed" in there
    with op.batch_alter_table("spec_document") as table:
        for column in () if is_prepared else columns:
            table.add_column(column)
        for name in ("document", "edges"):
            table.alter_column(name, nullable=True)
    if not is_prepared:
        unpacked = sa.text(_UNPACKED)
        op.create_index(_INDEX, "spec_document", ["id"], sqlite_where=unpacked, postgresql_where=unpacked)
