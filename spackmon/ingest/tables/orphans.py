"""Rows that many share, and that nobody refers to any longer.

What a source reported first and then otherwise, and machines that runs were on until more was known, would
otherwise stay: two orders of the same reports would leave other rows behind.
"""

from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from spackmon.ingest.rows import over_rows
from spackmon.models import Base

SHARED = {
    "build_environment": (), "environment_set": ("environment_variable",), "log": ("log_chunk", "log_event"),
    "manifest": ("install_file",), "elf_file": (), "symbol_set": (),
}  # fmt: skip
"""The tables of such rows, each with those of its parts."""


def _referring(table: str) -> list[tuple[str, str]]:
    """The tables and columns that refer to a shared row, but for those of its parts."""
    return [
        (other.name, column.name)
        for other in Base.metadata.sorted_tables
        for column in other.columns
        for key in column.foreign_keys
        if key.column.table.name == table and other.name not in SHARED[table]
    ]


def _unused(table: str) -> str:
    used = " AND ".join(
        f"NOT EXISTS (SELECT 1 FROM {other} r WHERE r.{column} = i.id)"  # noqa: S608 -- as below
        for other, column in _referring(table)
    )
    # One that somebody else has just found, to refer to it, stays: nobody waits here for another.
    return f"SELECT i.id FROM {{input}} o JOIN {table} i ON i.id = o.id WHERE {used} {{lock}}"  # noqa: S608


_FIND = {
    table: over_rows("id bigint", _unused(table), lock="FOR UPDATE OF i SKIP LOCKED") for table in SHARED
}
_DELETE = {
    table: [
        *(
            over_rows("id bigint", f"DELETE FROM {part} WHERE {table}_id IN (SELECT i.id FROM {{input}} i)")  # noqa: S608
            for part in parts
        ),
        over_rows("id bigint", f"DELETE FROM {table} WHERE id IN (SELECT i.id FROM {{input}} i)"),  # noqa: S608
    ]
    for table, parts in SHARED.items()
}


def delete_unused(connection: Connection, table: str, ids: Iterable[int | None]) -> None:
    """Delete those of a shared table's rows that nothing refers to."""
    rows = _FIND[table].run(connection, sorted({(one,) for one in ids if one is not None}))
    if not rows:
        return
    # Somebody else may have begun to refer to one, and not committed yet: then it stays.
    with suppress(IntegrityError), connection.begin_nested():
        for statement in _DELETE[table]:
            statement.run(connection, [(row.id,) for row in rows])
