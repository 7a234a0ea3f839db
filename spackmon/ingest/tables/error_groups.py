"""What is counted of error groups: which builds have one, how often, since when.

A build's rows are written with its runs, under its package's lock. What that changes of a group is added as
a row of its own, which `fold` puts into the group later: the commonest error is in many reports at once
(docs/decisions/0012-facts.md).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables import totals
from spackmon.ingest.tables.facets import newest_of
from spackmon.ingest.tables.folding import Folding

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_try_advisory_xact_lock(7311450829166304)")

_COUNTED = """
    SELECT a.build_id, e.error_group_id, count(*) AS event_count, count(DISTINCT a.id) AS run_count,
        min(a.started_at) AS first_seen, max(a.started_at) AS last_seen
    FROM attempt a JOIN build_event e ON e.attempt_id = a.id
    WHERE a.build_id IN (SELECT i.id FROM {input} i) AND e.error_group_id IS NOT NULL
    GROUP BY a.build_id, e.error_group_id
"""

_ADD_CHANGES = over_rows(
    "id bigint",
    f"""
    INSERT INTO error_group_change (
        error_group_id, event_count, run_count, build_count, first_seen, last_seen, seen_less
    )
    SELECT d.error_group_id, sum(d.event_count), sum(d.run_count), sum(d.build_count),
        min(d.first_seen), max(d.last_seen),
        COALESCE(max(d.first_was) < min(d.first_seen) OR max(d.last_was) > max(d.last_seen), false)
            OR max(d.first_was) IS NOT NULL AND min(d.first_seen) IS NULL
    FROM (
        SELECT c.build_id, c.error_group_id, c.event_count, c.run_count, 1 AS build_count,
            c.first_seen, c.last_seen, NULL AS first_was, NULL AS last_was
        FROM ({_COUNTED}) c
        UNION ALL
        SELECT g.build_id, g.error_group_id, -g.event_count, -g.run_count, -1,
            NULL, NULL, g.first_seen, g.last_seen
        FROM error_group_build g WHERE g.build_id IN (SELECT i.id FROM {{input}} i)
    ) d
    GROUP BY d.build_id, d.error_group_id
    HAVING sum(d.event_count) <> 0 OR sum(d.run_count) <> 0 OR sum(d.build_count) <> 0
        OR min(d.first_seen) IS DISTINCT FROM max(d.first_was)
        OR max(d.last_seen) IS DISTINCT FROM max(d.last_was)
    RETURNING id
    """,  # noqa: S608 -- of our own constants
)

_FORGET = over_rows(
    "id bigint", "DELETE FROM error_group_build WHERE build_id IN (SELECT i.id FROM {input} i)"
)

_INSERT = over_rows(
    "id bigint",
    f"""
    INSERT INTO error_group_build (
        build_id, error_group_id, event_count, run_count, first_seen, last_seen
    )
    SELECT c.build_id, c.error_group_id, c.event_count, c.run_count, c.first_seen, c.last_seen
    FROM ({_COUNTED}) c WHERE true
    """,  # noqa: S608 -- as above
)

_EVENTS_OF = "FROM build_event e WHERE e.attempt_id = a.id AND e.kind"

_DIFFER = " OR ".join(
    f"attempt.{name} IS DISTINCT FROM c.{name}"
    for name in ("first_error_group_id", "error_count", "warning_count")
)

_COUNT_OF_RUNS = over_rows(
    "id bigint",
    f"""
    UPDATE attempt SET first_error_group_id = c.first_error_group_id, error_count = c.error_count,
        warning_count = c.warning_count
    FROM (
        SELECT a.id,
            (SELECT e.error_group_id {_EVENTS_OF} = 'ERROR' ORDER BY e.position LIMIT 1)
                AS first_error_group_id,
            (SELECT count(*) {_EVENTS_OF} = 'ERROR') AS error_count,
            (SELECT count(*) {_EVENTS_OF} = 'WARNING') AS warning_count
        FROM attempt a WHERE a.build_id IN (SELECT i.id FROM {{input}} i)
    ) c
    WHERE attempt.id = c.id AND ({_DIFFER})
    RETURNING attempt.id
    """,  # noqa: S608 -- of our own constants
)

# As the builds are and as they are to be.
_OTHERWISE = over_rows(
    "id bigint",
    """
    SELECT b.id, b.owner_id, b.facet_id, b.tag_set_id, b.first_error_group_id, b.error_count,
        b.warning_count, a.first_error_group_id AS group_id, COALESCE(a.error_count, 0) AS errors,
        COALESCE(a.warning_count, 0) AS warnings
    FROM build b LEFT JOIN attempt a ON a.id = b.newest_attempt_id
    WHERE b.id IN (SELECT i.id FROM {input} i) AND (
        b.first_error_group_id IS DISTINCT FROM a.first_error_group_id
        OR b.error_count <> COALESCE(a.error_count, 0) OR b.warning_count <> COALESCE(a.warning_count, 0))
    """,
)

_SET_OF_BUILDS = over_rows(
    "id bigint, first_error_group_id bigint, error_count integer, warning_count integer",
    """
    UPDATE build SET first_error_group_id = i.first_error_group_id, error_count = i.error_count,
        warning_count = i.warning_count
    FROM {input} i WHERE build.id = i.id
    """,
)

_WAITING = Statement("SELECT id, error_group_id FROM error_group_change ORDER BY id LIMIT :most")

_LOCK = over_rows(
    "id bigint",
    "SELECT g.id FROM error_group g WHERE g.id IN (SELECT i.id FROM {input} i) ORDER BY g.fingerprint {lock}",
    lock="FOR NO KEY UPDATE OF g",
)

# What is taken away of a group's times is looked up: nothing else says which run is the first then.
_FOLD = over_rows(
    "id bigint",
    """
    UPDATE error_group SET
        event_count = error_group.event_count + c.event_count,
        run_count = error_group.run_count + c.run_count,
        build_count = error_group.build_count + c.build_count,
        first_seen = CASE
            WHEN c.seen_less = 1 THEN (
                SELECT min(b.first_seen) FROM error_group_build b WHERE b.error_group_id = error_group.id)
            WHEN error_group.first_seen IS NULL OR c.first_seen < error_group.first_seen THEN c.first_seen
            ELSE error_group.first_seen END,
        last_seen = CASE
            WHEN c.seen_less = 1 THEN (
                SELECT max(b.last_seen) FROM error_group_build b WHERE b.error_group_id = error_group.id)
            WHEN error_group.last_seen IS NULL OR c.last_seen > error_group.last_seen THEN c.last_seen
            ELSE error_group.last_seen END
    FROM (
        SELECT o.error_group_id, sum(o.event_count) AS event_count, sum(o.run_count) AS run_count,
            sum(o.build_count) AS build_count, min(o.first_seen) AS first_seen, max(o.last_seen) AS last_seen,
            max(CASE WHEN o.seen_less THEN 1 ELSE 0 END) AS seen_less
        FROM error_group_change o WHERE o.id IN (SELECT i.id FROM {input} i)
        GROUP BY o.error_group_id
    ) c
    WHERE error_group.id = c.error_group_id
    """,
)

_FOLDED = over_rows("id bigint", "DELETE FROM error_group_change WHERE id IN (SELECT i.id FROM {input} i)")

_TOTALS = """
    SELECT g.id, count(b.build_id) AS build_count, COALESCE(sum(b.run_count), 0) AS run_count,
        COALESCE(sum(b.event_count), 0) AS event_count, min(b.first_seen) AS first_seen,
        max(b.last_seen) AS last_seen
    FROM error_group g LEFT JOIN error_group_build b ON b.error_group_id = g.id
    WHERE g.id IN (SELECT i.id FROM {input} i)
    GROUP BY g.id
"""

_RECOUNT = over_rows(
    "id bigint",
    f"""
    UPDATE error_group SET event_count = t.event_count, run_count = t.run_count, build_count = t.build_count,
        first_seen = t.first_seen, last_seen = t.last_seen
    FROM ({_TOTALS}) t
    WHERE error_group.id = t.id AND (
        error_group.event_count <> t.event_count OR error_group.run_count <> t.run_count
        OR error_group.build_count <> t.build_count OR error_group.first_seen IS DISTINCT FROM t.first_seen
        OR error_group.last_seen IS DISTINCT FROM t.last_seen)
    RETURNING error_group.id
    """,  # noqa: S608 -- as above
)


def count_errors(connection: Connection, build_ids: Collection[int]) -> int:
    """Write what the runs of some builds, whose packages are locked, have of errors and their groups, and how
    many warnings; what differed.

    A build without runs has nothing of them.
    """
    ids = sorted((build_id,) for build_id in build_ids)
    counted = len(_COUNT_OF_RUNS.run(connection, ids)) + _repeat_counts(connection, ids)
    changes = _ADD_CHANGES.run(connection, ids)
    if changes:
        _FORGET.run(connection, ids)
        _INSERT.run(connection, ids)
        if connection.dialect.name == "sqlite":
            # It has one writer: nobody waits.
            FOLDING.fold_some(connection)
    return counted + len(changes)


def _repeat_counts(connection: Connection, ids: Sequence[tuple[int]]) -> int:
    """Repeat in builds what their newest runs have; how many had something else."""
    builds = _OTHERWISE.run(connection, ids)
    if builds:
        _SET_OF_BUILDS.run(connection, [(one.id, one.group_id, one.errors, one.warnings) for one in builds])
        counted = [one for one in builds if one.facet_id is not None]
        before = [(one.owner_id, *newest_of(one), one.facet_id, -1) for one in counted]
        after = [
            (one.owner_id, one.tag_set_id, one.group_id, one.errors, one.warnings, one.facet_id, 1)
            for one in counted
        ]
        totals.change(connection, [*before, *after])
    return len(builds)


def _put(connection: Connection, changes: Sequence[Any]) -> None:
    ids = [(row.id,) for row in changes]
    _LOCK.run(connection, sorted({(row.error_group_id,) for row in changes}))
    _FOLD.run(connection, ids)
    _FOLDED.run(connection, ids)


FOLDING = Folding(_WAITING, _TURN, _put)
"""Of errors that reports changed into groups."""


def recount(connection: Connection, group_ids: Sequence[int]) -> int:
    """Count some groups anew, once all that waits is folded, while nobody writes; how many differed."""
    FOLDING.fold_all(connection)
    return len(_RECOUNT.run(connection, [(group_id,) for group_id in group_ids]))
