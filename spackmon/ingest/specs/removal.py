"""Specs that nothing is of any longer: no run, no root of an environment, no binary, no other spec.

What was recorded within a week stays: a client reports a spec before what it builds of it.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.ingest.locks import own_graphs
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.specs.moving import forget_derived, references
from spackmon.ingest.tables.revisions import specs_change
from spackmon.models import utc_now

_YOUNG = timedelta(days=7)
_AT_ONCE = 500

_UNUSED = " AND ".join(
    f"NOT EXISTS (SELECT 1 FROM {table.name} r WHERE r.{column.name} = s.id)"  # noqa: S608 -- of our own constants
    for table, column in references()
)
_ORPHANS = Statement(
    f"""
    SELECT s.id FROM spec s
    WHERE s.recorded_at < :before_at AND {_UNUSED}
        AND NOT EXISTS (SELECT 1 FROM dependency d WHERE d.child_id = s.id)
        AND NOT EXISTS (
            SELECT 1 FROM spec_hash h JOIN spec o ON o.built_as = h.value WHERE h.spec_id = s.id
        )
    ORDER BY s.id LIMIT {_AT_ONCE}
    """  # noqa: S608 -- as above
)
# Each with all below it that is of no other spec: what a whole removal would find step by step.
_UNUSED_ABOVE = _UNUSED.replace("s.id", "u.id")
_COUNT = Statement(
    f"""
    SELECT count(*) AS specs FROM spec s
    WHERE s.recorded_at < :before_at AND {_UNUSED} AND NOT EXISTS (
        SELECT 1 FROM closure_above c JOIN spec u ON u.id = c.ancestor_id
        WHERE c.descendant_id = s.id AND NOT (u.recorded_at < :before_at AND {_UNUSED_ABOVE})
    )
    """  # noqa: S608 -- as above
)
_END = [
    over_rows("id bigint", "DELETE FROM spec_document WHERE spec_id IN (SELECT i.id FROM {input} i)"),
    over_rows("id bigint", "DELETE FROM spec WHERE id IN (SELECT i.id FROM {input} i)"),
]


def remove_orphans(database: Database, *, dry_run: bool = False, now: datetime | None = None) -> int:
    """Remove specs that nothing is of, and then those below them; how many. `now` is for tests."""
    before_at = (now or utc_now()) - _YOUNG
    if dry_run:
        rows = database.read_once(lambda connection: _COUNT.run(connection, before_at=before_at))
        return int(rows[0].specs)
    total = 0
    while count := database.write(lambda connection: _remove_some(connection, before_at)):
        total += count
    return total


def _remove_some(connection: Connection, before_at: datetime) -> int:
    own_graphs(connection)
    ids = [row.id for row in _ORPHANS.run(connection, before_at=before_at)]
    if ids:
        specs_change(connection)
        forget_derived(connection, ids)
        for statement in _END:
            statement.run(connection, [(one,) for one in ids])
    return len(ids)
