"""What there is more of than QUOTAS allow: the oldest logs and runs, of the site or of each person.

A log is as old as the last run that has it, and counts once for everybody who has it; a run is as old as its
number.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.retention import remove_texts_of
from spackmon.models.places import number_in_sql

# A number alone would be the place of a column.
_OWNER = {True: "b.owner_id", False: "1 = 1"}
_NUMBER = number_in_sql("p.attempt_id", "p.place")
_USED = f"""
    SELECT {{owner}} AS owner_id, p.log_id, max({_NUMBER}) AS last_phase, max(l.size_bytes) AS size_bytes
    FROM phase p JOIN log l ON l.id = p.log_id
    JOIN attempt a ON a.id = p.attempt_id JOIN build b ON b.id = a.build_id
    WHERE l.removed_at IS NULL
    GROUP BY 1, 2
"""  # noqa: S608 -- of our own constants
_LOGS = {
    each: Statement(
        f"""
        SELECT s.log_id, max(s.last_phase) AS last_phase FROM (
            SELECT u.log_id, u.last_phase,
                sum(u.size_bytes) OVER (PARTITION BY u.owner_id ORDER BY u.last_phase DESC) AS total
            FROM ({_USED.format(owner=owner)}) u
        ) s
        GROUP BY s.log_id HAVING min(s.total) > :most
        ORDER BY 2
        """  # noqa: S608 -- of our own constants
    )
    for each, owner in _OWNER.items()
}
_LOG_BYTES = {
    each: Statement(
        f"""
        SELECT COALESCE(max(o.total), 0) AS used FROM (
            SELECT sum(u.size_bytes) AS total FROM ({_USED.format(owner=owner)}) u GROUP BY u.owner_id
        ) o
        """  # noqa: S608 -- as above
    )
    for each, owner in _OWNER.items()
}
_RUNS = {
    each: Statement(
        f"""
        SELECT r.id FROM (
            SELECT a.id, a.status, count(*) OVER (PARTITION BY {owner} ORDER BY a.id DESC) AS place
            FROM attempt a JOIN build b ON b.id = a.build_id
        ) r
        WHERE r.place > :most AND r.status <> 'RUNNING'
        ORDER BY r.id
        """  # noqa: S608 -- as above
    )
    for each, owner in _OWNER.items()
}
_RUN_COUNT = {
    each: Statement(
        f"""
        SELECT COALESCE(max(o.total), 0) AS used FROM (
            SELECT count(*) AS total FROM attempt a JOIN build b ON b.id = a.build_id GROUP BY {owner}
        ) o
        """  # noqa: S608 -- as above
    )
    for each, owner in _OWNER.items()
}
# Whose text was wanted again meanwhile, or is still written, keeps it.
_STILL = over_rows(
    "id bigint, last_phase bigint",
    f"""
    SELECT l.id FROM {{input}} i JOIN log l ON l.id = i.id
    WHERE l.removed_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM phase p WHERE p.log_id = l.id AND {_NUMBER} > i.last_phase)
        AND NOT EXISTS (
            SELECT 1 FROM phase p JOIN attempt a ON a.id = p.attempt_id
            WHERE p.log_id = l.id AND a.status = 'RUNNING'
        )
    ORDER BY l.id {{lock}}
    """,  # noqa: S608 -- as above
    lock="FOR UPDATE OF l",
)


def logs_beyond(connection: Connection, most_bytes: int, *, each: bool) -> list[tuple[int, int]]:
    """The logs whose texts are too many, the oldest first: ids, and their last phases."""
    return [(row.log_id, row.last_phase) for row in _LOGS[each].run(connection, most=most_bytes)]


def runs_beyond(connection: Connection, most: int, *, each: bool) -> list[int]:
    """The runs that are too many, the oldest first."""
    return [row.id for row in _RUNS[each].run(connection, most=most)]


def log_bytes_used(connection: Connection, *, each: bool) -> int:
    """How many bytes of logs there are; of `each`, those of whoever has the most."""
    return int(_LOG_BYTES[each].run(connection)[0].used)


def runs_used(connection: Connection, *, each: bool) -> int:
    """How many runs there are; of `each`, those of whoever has the most."""
    return int(_RUN_COUNT[each].run(connection)[0].used)


def remove_logs(connection: Connection, logs: Sequence[tuple[int, int]], now: datetime) -> int:
    """Remove the texts of some of `logs_beyond`, if nobody needs them by now; how many."""
    ids = [row.id for row in _STILL.run(connection, logs)]
    remove_texts_of(connection, ids, now)
    return len(ids)
