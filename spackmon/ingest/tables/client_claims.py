"""Claims of clients that report as they build: by the numbers that ms1 gave them, and by their silence."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.rows import LARGEST_ROW_ID, Statement, over_rows
from spackmon.ingest.tables.numbers import build_of_number

# A spec has few claims, and a machine or an owner has all: SQLite would take the index of these two together.
_NEWEST = Statement(
    """
    SELECT id FROM claim
    WHERE spec_id = :spec_id AND +owner_id = :owner_id AND +environment_id = :environment_id
        AND client_build_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
    """
)

_OF_CLIENT_BUILD = Statement(
    """
    SELECT c.id, c.owner_id, c.package_id FROM claim c WHERE c.client_build_id = :build_id
    ORDER BY c.id DESC
    LIMIT 1
    """
)

_NEWEST_OF_CLIENT_BUILDS = """
    SELECT c.client_build_id, c.owner_id FROM {input} i JOIN claim c ON c.id = (
        SELECT max(n.id) FROM claim n WHERE n.client_build_id = i.id
    ) JOIN package p ON p.id = c.package_id
    ORDER BY p.id
    {lock}
"""
_OF_CLIENT_BUILDS = over_rows("id bigint", _NEWEST_OF_CLIENT_BUILDS)
# Packages are locked by the way: who waited for one reads the claim again.
_LOCK_OF_CLIENT_BUILDS = over_rows("id bigint", _NEWEST_OF_CLIENT_BUILDS, lock="FOR NO KEY UPDATE OF p")

_OF_BUILD = Statement(
    """
    SELECT c.id, c.owner_id, c.package_id
    FROM attempt a JOIN claim c ON c.attempt_id = a.id
    WHERE a.build_id = :build_id AND c.client_build_id IS NOT NULL
    ORDER BY c.id DESC
    LIMIT 1
    """
)

_NOT_RUN = Statement(
    """
    SELECT c.id, c.package_id FROM claim c
    WHERE c.owner_id = :owner_id AND c.environment_id = :environment_id AND c.status = 'NOTRUN'
        AND c.client_build_id IS NOT NULL AND c.cancelled_at IS NULL AND c.id <> :claim_id
        AND c.phases IS NULL
    ORDER BY c.id
    """
)

_SET_BUILD = Statement("UPDATE claim SET client_build_id = :build_id WHERE id = :claim_id")


# A client that builds is silent within a phase. One that has more to build says nothing of what is to come
# while it builds something else: as long as its owner reports from that machine, that may still be run.
_SILENT = Statement(
    """
    SELECT c.id, c.package_id FROM claim c
    WHERE c.status IN ('RUNNING', 'NOTRUN') AND c.kind IN ('MS1', 'EXTENSION')
        AND c.abandoned_at IS NULL AND c.cancelled_at IS NULL AND c.last_reported_at < :silent_since_at
        AND (c.is_live OR c.status = 'RUNNING')
        AND (c.status = 'RUNNING' OR (c.owner_id, c.environment_id) NOT IN (
            SELECT other.owner_id, other.environment_id FROM claim other
            WHERE other.last_reported_at >= :silent_since_at))
    ORDER BY c.last_reported_at, c.id
    LIMIT :at_once
    """
)


def newest(connection: Connection, spec_id: int, owner_id: int, environment_id: int) -> int | None:
    """The newest claim of this owner's client of a spec on a machine."""
    rows = _NEWEST.run(connection, spec_id=spec_id, owner_id=owner_id, environment_id=environment_id)
    return rows[0].id if rows else None


def of_build(connection: Connection, build_id: int) -> tuple[int, int, int | None] | None:
    """The newest claim of a number, or of the build that it leads to: its id, owner and package."""
    rows = _OF_CLIENT_BUILD.run(connection, build_id=build_id)
    rows = rows or _OF_BUILD.run(connection, build_id=build_of_number(connection, build_id))
    return (rows[0].id, rows[0].owner_id, rows[0].package_id) if rows else None


def owners_of(connection: Connection, build_ids: Iterable[int], *, locks: bool = False) -> dict[int, int]:
    """Whose the claims are that have these numbers of clients, by them; there may be none of a number.

    `locks`: their packages, too.
    """
    statement = _LOCK_OF_CLIENT_BUILDS if locks else _OF_CLIENT_BUILDS
    rows = statement.run(connection, sorted({(one,) for one in build_ids if 0 < one <= LARGEST_ROW_ID}))
    return {row.client_build_id: row.owner_id for row in rows}


def not_run(
    connection: Connection, owner_id: int, environment_id: int, claim_id: int
) -> list[tuple[int, int | None]]:
    """The other claims of a client on a machine that have not run: their ids and packages."""
    rows = _NOT_RUN.run(connection, owner_id=owner_id, environment_id=environment_id, claim_id=claim_id)
    return [(row.id, row.package_id) for row in rows]


def silent(connection: Connection, since: datetime, at_once: int) -> list[tuple[int, int | None]]:
    """Claims of clients that reported nothing since then, the longest silence first: ids and packages."""
    rows = _SILENT.run(connection, silent_since_at=since, at_once=at_once)
    return [(row.id, row.package_id) for row in rows]


def set_build(connection: Connection, claim_id: int, build_id: int) -> None:
    """Note which number the client was given."""
    _SET_BUILD.run(connection, claim_id=claim_id, build_id=build_id)
