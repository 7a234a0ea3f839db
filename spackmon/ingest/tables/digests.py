"""Rows that are named by a digest of what they hold: whoever has the same has the same row."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import RowStatement, over_rows

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
