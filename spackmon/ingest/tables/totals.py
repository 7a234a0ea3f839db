"""How many builds each person has, each tag, each first error, and each number of errors and of warnings:
docs/decisions/0012-facts.md.

A build counts to its owner and to what its newest run has: once with the status and the source of its
facet, once with the facet. Whoever changes one of these says so here, where it changes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.folding import Folding
from spackmon.status import TotalOf

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166306)")

_INTO = "INSERT INTO build_total_change (kind, key_id, facet_id, build_count)"

_OF_EVENTS = (
    (TotalOf.FIRST_ERROR, "first_error_group_id", "IS NOT NULL"),
    (TotalOf.ERRORS, "error_count", "> 0"),
    (TotalOf.WARNINGS, "warning_count", "> 0"),
)
"""What is counted of a run's events, in which column it is, and which runs have it."""

# Of tags the set is given.
_CHANGE = over_rows(
    "kind text, key_id bigint, facet_id bigint, build_count integer",
    f"""
    {_INTO}
    SELECT i.kind, i.key_id, i.facet_id, i.build_count FROM {{input}} i WHERE i.kind <> '{TotalOf.TAG}'
    UNION ALL
    SELECT i.kind, t.tag_id, i.facet_id, i.build_count
    FROM {{input}} i JOIN tag_set_member t ON t.tag_set_id = i.key_id WHERE i.kind = '{TotalOf.TAG}'
    """,  # noqa: S608 -- of our own constants
)

_CHANGE_OWNER = Statement(
    f"""
    {_INTO}
    SELECT '{TotalOf.OWNER}', c.owner_id, b.facet_id, c.build_count
    FROM build b JOIN (
        SELECT owner_id, -1 AS build_count FROM build WHERE id = :build_id
        UNION ALL SELECT CAST(:owner_id AS bigint), 1
    ) c ON b.owner_id <> :owner_id
    WHERE b.id = :build_id AND b.facet_id IS NOT NULL
    """  # noqa: S608 -- as above
)

_WAITING = Statement("SELECT id FROM build_total_change ORDER BY id LIMIT :most")

_PUT = over_rows(
    "id bigint",
    """
    INSERT INTO build_total (kind, key_id, status, installed_from, build_count)
    SELECT c.kind, c.key_id, f.status, f.installed_from, sum(c.build_count)
    FROM {input} i JOIN build_total_change c ON c.id = i.id JOIN build_facet f ON f.id = c.facet_id
    GROUP BY 1, 2, 3, 4 HAVING sum(c.build_count) <> 0
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (kind, key_id, status, installed_from) DO UPDATE
    SET build_count = build_total.build_count + excluded.build_count
    """,
)

_PUT_OF_FACETS = over_rows(
    "id bigint",
    """
    INSERT INTO build_facet_total (kind, key_id, facet_id, build_count)
    SELECT c.kind, c.key_id, c.facet_id, sum(c.build_count)
    FROM {input} i JOIN build_total_change c ON c.id = i.id
    GROUP BY 1, 2, 3 HAVING sum(c.build_count) <> 0
    ORDER BY 1, 2, 3
    ON CONFLICT (kind, key_id, facet_id) DO UPDATE
    SET build_count = build_facet_total.build_count + excluded.build_count
    """,
)

_FOLDED = over_rows("id bigint", "DELETE FROM build_total_change WHERE id IN (SELECT i.id FROM {input} i)")

_BY_FACET = f"""
    SELECT '{TotalOf.OWNER}' AS kind, owner_id AS key_id, facet_id FROM build
    {
    " ".join(
        f"UNION ALL SELECT '{kind}', {column}, facet_id FROM build WHERE {column} {is_there}"
        for kind, column, is_there in _OF_EVENTS
    )
}
    UNION ALL
    SELECT '{TotalOf.TAG}', t.tag_id, b.facet_id
    FROM build b JOIN tag_set_member t ON t.tag_set_id = b.tag_set_id
"""  # noqa: S608 -- as above


def _recounted(table: str, keys: Sequence[str]) -> tuple[Statement, Statement]:
    """What counts a table of totals with these keys anew: what has no builds goes, what differs is put in."""
    names = ", ".join(keys)
    counted = f"""(
        SELECT {names}, count(*) AS build_count FROM (
            SELECT c.kind, c.key_id, c.facet_id, f.status, f.installed_from
            FROM ({_BY_FACET}) c JOIN build_facet f ON f.id = c.facet_id
        ) d GROUP BY {names}
    )"""  # noqa: S608 -- as above
    is_same = " AND ".join(f"c.{name} = {table}.{name}" for name in keys)
    return (
        Statement(
            f"""
            DELETE FROM {table} WHERE build_count <> 0
                AND NOT EXISTS (SELECT 1 FROM {counted} c WHERE {is_same})
            RETURNING key_id
            """  # noqa: S608 -- as above
        ),
        Statement(
            f"""
            INSERT INTO {table} ({names}, build_count)
            SELECT {names}, build_count FROM {counted} c WHERE true
            ON CONFLICT ({names}) DO UPDATE SET build_count = excluded.build_count
            WHERE {table}.build_count <> excluded.build_count
            RETURNING key_id
            """  # noqa: S608 -- as above
        ),
    )


_RECOUNT = (
    *_recounted("build_total", ("kind", "key_id", "status", "installed_from")),
    *_recounted("build_facet_total", ("kind", "key_id", "facet_id")),
)


class Newest(NamedTuple):
    """What a build repeats of its newest run: its tags, and what is counted of its events."""

    tag_set_id: int | None
    first_error_group_id: int | None
    error_count: int
    warning_count: int


Counted = tuple[int, int | None, int | None, int, int, int, int]
"""An owner, what a build repeats as in Newest, its facet, and how many builds more are counted so."""


def change(connection: Connection, changes: Iterable[Counted]) -> None:
    """Count some builds more or less."""
    counts: Counter[tuple[TotalOf, int, int]] = Counter()
    for owner_id, tag_set_id, first_error_group_id, error_count, warning_count, facet_id, count in changes:
        for kind, key_id in (
            (TotalOf.OWNER, owner_id),
            (TotalOf.TAG, tag_set_id),
            (TotalOf.FIRST_ERROR, first_error_group_id),
            (TotalOf.ERRORS, error_count or None),
            (TotalOf.WARNINGS, warning_count or None),
        ):
            if key_id is not None:
                counts[kind, key_id, facet_id] += count
    rows = [
        (kind.value, key_id, facet_id, count) for (kind, key_id, facet_id), count in counts.items() if count
    ]
    if rows:
        _CHANGE.run(connection, rows)
        _fold_alone(connection)


def change_owner(connection: Connection, build_id: int, owner_id: int) -> None:
    """Count a build to another owner, which is about to be written."""
    _CHANGE_OWNER.run(connection, build_id=build_id, owner_id=owner_id)
    _fold_alone(connection)


def _fold_alone(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # It has one writer: nobody waits.
        FOLDING.fold_some(connection)


def _put(connection: Connection, changes: Sequence[Any]) -> None:
    ids = [(row.id,) for row in changes]
    _PUT.run(connection, ids)
    _PUT_OF_FACETS.run(connection, ids)
    _FOLDED.run(connection, ids)


FOLDING = Folding(_WAITING, _TURN, _put)
"""Of builds that reports changed into totals."""


def recount_totals(connection: Connection) -> int:
    """Count all builds anew, once all that waits is folded, while nobody writes; how many counts differed."""
    FOLDING.fold_all(connection)
    return sum(len(one.run(connection)) for one in _RECOUNT)
