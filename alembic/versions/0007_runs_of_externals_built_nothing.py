"""Runs of external specs say that nothing was built, and SQLite calls a foreign key as the models do."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    external = "(SELECT b.id FROM build b JOIN spec s ON s.id = b.spec_id WHERE s.external IS NOT NULL)"
    op.execute(f"UPDATE attempt SET installed_from = 'EXTERNAL' WHERE build_id IN {external}")  # noqa: S608
    op.execute(f"UPDATE build SET installed_from = 'EXTERNAL' WHERE id IN {external}")  # noqa: S608
    if op.get_bind().dialect.name == "sqlite":
        _rename_foreign_key("log_chunk", "fk_log_chunk_phase_id", "fk_log_chunk_log_id")


def _rename_foreign_key(table: str, old: str, new: str) -> None:
    """Change the words of a constraint's definition, as sqlite.org/lang_altertable.html does in section 7.

    Another way would copy all logs.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = ?",
        (old, new, table),
    )
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
