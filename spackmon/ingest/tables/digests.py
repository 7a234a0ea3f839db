"""Rows that are named by a digest of what they hold: whoever has the same has the same row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import RowStatement, Statement, over_rows

_TRIES = 5


def finding(table: str) -> RowStatement:
    """Finds rows of a table by digests, and keeps them from being deleted meanwhile."""
    return over_rows(
        "digest bytea",
        f"SELECT f.id, f.digest FROM {table} f WHERE f.digest IN (SELECT i.digest FROM {{input}} i)"  # noqa: S608
        " ORDER BY f.digest {lock}",
        lock="FOR KEY SHARE OF f",
    )


def put(
    connection: Connection, find: RowStatement, insert: RowStatement, wanted: Mapping[bytes, Sequence[Any]]
) -> dict[bytes, int]:
    """The ids of rows by their digests. Raises RuntimeError as `rows.get_or_create`."""
    found: dict[bytes, int] = {}
    for _ in range(_TRIES):
        rows = find.run(connection, [(one,) for one in sorted(wanted.keys() - found.keys())])
        found |= {row.digest: row.id for row in rows}
        absent = sorted(wanted.keys() - found.keys())
        rows = insert.run(connection, [(one, *wanted[one]) for one in absent])
        found |= {row.digest: row.id for row in rows}
        if found.keys() == wanted.keys():
            return found
    raise RuntimeError("a shared row can neither be read nor be inserted")


def deleting_unused(table: str, referring: str, column: str) -> Callable[[Connection], None]:
    """Deletes the rows of a table that no row of the `referring` one has in its column any longer.

    That has no index by them: all of it is read.
    """
    used = f"SELECT r.{column} FROM {referring} r"  # noqa: S608 -- of our own constants, as below
    of_none = Statement(
        f"SELECT g.id FROM {table} g WHERE g.id IN (SELECT o.id FROM {table} o EXCEPT {used})"  # noqa: S608
        " ORDER BY g.id {lock}",
        lock="FOR UPDATE OF g SKIP LOCKED",
    )
    # Somebody may have begun to refer to one between the beginning of that statement and its lock. Nobody can
    # any more.
    unused = over_rows("id bigint", f"SELECT i.id FROM {{input}} i EXCEPT {used}")  # noqa: S608
    delete = over_rows("id bigint", f"DELETE FROM {table} WHERE id IN (SELECT i.id FROM {{input}} i)")  # noqa: S608

    def delete_unused(connection: Connection) -> None:
        rows = unused.run(connection, [(row.id,) for row in of_none.run(connection)])
        delete.run(connection, [(row.id,) for row in rows])

    return delete_unused
