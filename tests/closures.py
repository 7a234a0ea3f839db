"""All rows of tables: those of the closure are lists in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert

from spackmon.ingest.tables.closure_pairs import insert_pairs, pair_of

_LISTS = ("descendant_list", "ancestor_list")


def _is_listed(connection: Connection, table: str) -> bool:
    return table == "closure" and connection.dialect.name == "postgresql"


def delete_all(connection: Connection, tables: Iterable[str]) -> None:
    """Delete the rows of tables, one after the other."""
    for table in tables:
        for one in _LISTS if _is_listed(connection, table) else (table,):
            connection.exec_driver_sql(f'DELETE FROM "{one}"')


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows into a table, of which none is there."""
    if _is_listed(connection, table.name):
        insert_pairs(connection, map(pair_of, rows))
    elif rows:
        connection.execute(insert(table), rows)
