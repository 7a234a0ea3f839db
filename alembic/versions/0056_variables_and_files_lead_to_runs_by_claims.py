"""Runs and builds have no indexes by their variables and files any more: those of claims lead there."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

_TABLES = ("build", "attempt")
_COLUMNS = ("environment_set_id", "manifest_id")


def upgrade() -> None:
    for table in _TABLES:
        for column in _COLUMNS:
            op.drop_index(f"ix_{table}_{column}", table)
    connection = op.get_bind()
    for table in _TABLES:
        if connection.dialect.name == "sqlite":
            _write_anew(connection, table)
        else:
            for column in _COLUMNS:
                op.drop_constraint(f"fk_{table}_{column}", table)


def _write_anew(connection: sa.Connection, table: str) -> None:
    """SQLite drops no foreign key otherwise; what is read of an index leaves its order out."""
    indexes = sa.text(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table AND sql IS NOT NULL"
    )
    found = connection.execute(indexes, {"table": table}).all()
    number = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    last = connection.scalar(number, {"table": table})
    for index in found:
        op.drop_index(index.name, table)
    # The number of a build that was merged into another is never given again.
    options = {"sqlite_autoincrement": table == "build"}
    with op.batch_alter_table(table, table_kwargs=options) as altered:
        for column in _COLUMNS:
            altered.drop_constraint(f"fk_{table}_{column}", type_="foreignkey")
    for index in found:
        op.execute(index.sql)
    if last is not None:
        put = sa.text("UPDATE sqlite_sequence SET seq = :last WHERE name = :table")
        connection.execute(put, {"last": last, "table": table})
