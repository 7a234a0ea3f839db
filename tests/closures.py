"""All rows of tables: the closure is lists in PostgreSQL, and a spec's own hash is stored with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert

from spackmon.ingest.tables.closure_pairs import insert_pairs, pair_of
from spackmon.ingest.tables.spec_hashes import add_hashes

_STORED = {"closure": ("descendant_list", "ancestor_list"), "spec_hash": ("spec_other_hash",)}
"""The tables of PostgreSQL's views."""


def _is_view(connection: Connection, table: str) -> bool:
    return table in _STORED and connection.dialect.name == "postgresql"


def delete_all(connection: Connection, tables: Iterable[str]) -> None:
    """Delete the rows of tables, one after the other."""
    for table in tables:
        for one in _STORED[table] if _is_view(connection, table) else (table,):
            connection.exec_driver_sql(f'DELETE FROM "{one}"')


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows into a table, of which none is there."""
    if not rows:
        return
    if not _is_view(connection, table.name):
        connection.execute(insert(table), rows)
    elif table.name == "closure":
        insert_pairs(connection, map(pair_of, rows))
    else:
        add_hashes(connection, [(row["value"], row["kind"], row["spec_id"]) for row in rows])
