"""Rows that many share, and that nobody refers to any longer.

What a source reported first and then otherwise, and machines that runs were on until more was known, would
otherwise stay: two orders of the same reports would leave other rows behind.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from spackmon.ingest.rows import over_rows
from spackmon.models import Base

SHARED = {
    "build_environment": (), "environment_set": ("environment_variable",), "log": ("log_chunk", "log_event"),
    "manifest": ("install_file",), "elf_file": (), "symbol_set": (),
}  # fmt: skip
"""The tables of such rows, each with those of its parts."""


def _referring(table: str) -> list[tuple[str, str]]:
    """The tables and columns that refer to rows of one, but for those of their parts."""
    return [
        (other.name, column.name)
        for other in Base.metadata.sorted_tables
        for column in other.columns
        for key in column.foreign_keys
        if key.column.table.name == table and other.name not in SHARED.get(table, ())
    ]


def _unused(table: str) -> str:
    """The condition that nothing refers to a row `i`, or to a part of it."""
    of_row = [f"{other} r WHERE r.{column} = i.id" for other, column in _referring(table)]
    of_parts = [
        f"{part} p JOIN {other} r ON r.{column} = p.id WHERE p.{table}_id = i.id"
        for part in SHARED[table]
        for other, column in _referring(part)
    ]
    return " AND ".join(f"NOT EXISTS (SELECT 1 FROM {one})" for one in of_row + of_parts)  # noqa: S608


# One that somebody else has just found, to refer to it, stays: nobody waits here for another.
_FIND = {
    table: over_rows(
        "id bigint",
        f"SELECT i.id FROM {{input}} o JOIN {table} i ON i.id = o.id WHERE {unused} {{lock}}",  # noqa: S608
        lock="FOR UPDATE OF i SKIP LOCKED",
    )
    for table, unused in ((table, _unused(table)) for table in SHARED)
}
# Somebody may have begun to refer to one between the beginning of that statement and its lock. Nobody can any
# more: what is asked again here stays true.
_DELETE = {
    table: [
        over_rows(
            "id bigint",
            f"DELETE FROM {of} WHERE {key} IN (SELECT i.id FROM {{input}} i WHERE {_unused(table)})",  # noqa: S608
        )
        for of, key in (*((part, f"{table}_id") for part in parts), (table, "id"))
    ]
    for table, parts in SHARED.items()
}


def delete_unused(connection: Connection, table: str, ids: Iterable[int | None]) -> None:
    """Delete those of a shared table's rows that nothing refers to."""
    rows = _FIND[table].run(connection, sorted({(one,) for one in ids if one is not None}))
    for statement in _DELETE[table]:
        statement.run(connection, [(row.id,) for row in rows])
