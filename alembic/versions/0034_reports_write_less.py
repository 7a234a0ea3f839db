"""Claims have two indexes less to write, elements of parameter sets no reference to check."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId
from spackmon.ops.ahead import outside

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

# The columns of the index are there since then.
ahead_from = "0010"

_INDEX, _COLUMNS, _WHERE = "ix_claim_prefix", ["package_id", "prefix", "window_ends_at"], "prefix IS NOT NULL"


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    """Make the index; who was interrupted left one that counts for nothing."""
    tell("an index of claims")
    outside(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {_INDEX}")
    columns = ", ".join(_COLUMNS)
    outside(connection, f"CREATE INDEX CONCURRENTLY {_INDEX} ON claim ({columns}) WHERE {_WHERE}")


def upgrade() -> None:
    where = sa.text(_WHERE)
    op.create_index(
        _INDEX, "claim", _COLUMNS, if_not_exists=True, sqlite_where=where, postgresql_where=where
    )  # fmt: skip
    # The claims of one owner are found among all of their spec.
    for name in ("ix_claim_package_id_prefix_window_ends_at", "ix_claim_spec_id_owner_id"):
        op.drop_index(name, "claim")
    if op.get_context().dialect.name == "sqlite":
        _copy_parameters()
    else:
        op.drop_constraint("fk_parameter_parameter_set_id", "parameter", type_="foreignkey")


def _copy_parameters() -> None:
    columns = "name, value, parameter_set_id"
    op.create_table(
        "parameter_next",
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.Column("parameter_set_id", RowId, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("name", "value", "parameter_set_id", name=op.f("pk_parameter")),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO parameter_next ({columns}) SELECT {columns} FROM parameter ORDER BY {columns}"  # noqa: S608 -- our own
    )
    op.drop_table("parameter")
    op.rename_table("parameter_next", "parameter")
