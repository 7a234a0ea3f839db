"""Documents of specs are packed by a dictionary; those that are there, by the services, some at a time."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_INDEX = "ix_spec_document_not_packed"


def upgrade() -> None:
    columns = [
        sa.Column("packed", sa.LargeBinary(), nullable=True),
        sa.Column("dictionary", sa.SmallInteger(), nullable=True),
        sa.Column("characters", sa.Integer(), nullable=True),
    ]
    with op.batch_alter_table("spec_document") as table:
        for column in columns:
            table.add_column(column)
        for name in ("document", "edges"):
            table.alter_column(name, nullable=True)
    unpacked = sa.text("packed IS NULL")
    op.create_index(_INDEX, "spec_document", ["id"], sqlite_where=unpacked, postgresql_where=unpacked)
