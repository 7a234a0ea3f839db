"""What a transaction changed, for those who subscribed to it; numbered in the order of commits.

The rule of the order is docs/decisions/0016-changes-in-the-order-of-commits.md: who writes adds rows, and one
after the other numbers what is committed by then. SQLite has one writer at a time, whose rows are numbered as
they are added.
"""

import sys
from collections.abc import Collection
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.models import utc_now
from spackmon.status import ChangeKind

_AT_ONCE = 5_000

# One process of a site at a time. The number is any that no other program takes in this database.
_TURN = Statement("SELECT 1 {lock}", lock=", pg_advisory_xact_lock(7311450829166305)")

_COLUMNS = "kind text, row_id bigint"
_LAST = "(SELECT COALESCE(max(c.position), 0) FROM reported_change c)"
_ADD = over_rows(
    _COLUMNS,
    """
    INSERT INTO reported_change (kind, row_id, changed_at)
    SELECT i.kind, i.row_id, :now FROM {input} i
    """,
)
_ADD_NUMBERED = over_rows(
    _COLUMNS,
    f"""
    INSERT INTO reported_change (position, kind, row_id, changed_at)
    SELECT {_LAST} + row_number() OVER (ORDER BY i.kind, i.row_id), i.kind, i.row_id, :now FROM {{input}} i
    """,  # noqa: S608 -- of our own constants
)

# By another statement than the lock: its snapshot begins when the one before has committed.
_NUMBER = Statement(
    f"""
    UPDATE reported_change SET position = n.last + n.place
    FROM (
        SELECT w.id, {_LAST} AS last, row_number() OVER (ORDER BY w.id) AS place
        FROM (
            SELECT id FROM reported_change WHERE position IS NULL ORDER BY id LIMIT {_AT_ONCE}
        ) w
    ) n
    WHERE reported_change.id = n.id
    RETURNING reported_change.id
    """  # noqa: S608 -- as above
)

_ARE_WAITING = Statement("SELECT 1 FROM reported_change WHERE position IS NULL LIMIT 1")

_OLDEST = Statement(
    f"""
    SELECT position, changed_at FROM reported_change
    WHERE position < {_LAST} ORDER BY position LIMIT {_AT_ONCE}
    """,  # noqa: S608 -- as above
    moments=("changed_at",),
)
_FORGET = Statement("DELETE FROM reported_change WHERE position <= :position")


def note_changes(
    connection: Connection,
    builds: Collection[int] = (),
    phases: Collection[int] = (),
    logs: Collection[int] = (),
) -> None:
    """Note that these builds, these phases and the logs of these phases are not what they were."""
    of_kind = ((ChangeKind.BUILD, builds), (ChangeKind.PHASE, phases), (ChangeKind.LOG, logs))
    rows = [(kind.value, row_id) for kind, row_ids in of_kind for row_id in sorted(set(row_ids))]
    # When it was noted, and not when the report came: that may have waited for hours.
    add = _ADD_NUMBERED if connection.dialect.name == "sqlite" else _ADD
    add.run(connection, rows, now=utc_now())


def are_waiting(connection: Connection) -> bool:
    """Whether changes are committed and not numbered yet."""
    return bool(_ARE_WAITING.run(connection))


def number_changes(connection: Connection) -> bool:
    """Number changes that are committed, some at a time; whether there may be more."""
    _TURN.run(connection)
    return len(_NUMBER.run(connection)) == _AT_ONCE


def forget_changes(
    connection: Connection, now: datetime, kept_seconds: float, up_to: int | None = None
) -> bool:
    """Delete the changes of long ago, some at a time, all of which are numbered; whether there may be more.

    What is left is without a gap, and the newest stays: a cursor that names a row which is there misses
    nothing after it. Those after the position `up_to` stay, too.
    """
    limit = now - timedelta(seconds=kept_seconds)
    last = sys.maxsize if up_to is None else up_to
    oldest = _OLDEST.run(connection)
    old = [row.position for row in takewhile(lambda row: row.changed_at < limit, oldest)]
    old = [position for position in old if position <= last]
    if old:
        _FORGET.run(connection, position=old[-1])
    return len(old) == _AT_ONCE
