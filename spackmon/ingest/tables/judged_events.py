"""Statements that judge stored errors again: their classes, fingerprints and groups."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages
from spackmon.ingest.rows import Statement, over_rows
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.event_messages import COLUMNS, MESSAGE, stored
from spackmon.ingest.tables.fingerprints import OF_EVENT
from spackmon.logs.groups import VERSION

_OF_LOGS = Statement(
    """
    SELECT id, tool, rule, form_class, error_class, blame, fingerprint, normal_form, text, message,
        source_file, source_line
    FROM log_event WHERE id > :after AND fingerprint IS NOT NULL ORDER BY id LIMIT :most
    """
)
_REPORTED = Statement(
    f"""
    SELECT build_event.id, claim_id, text, pre_context, post_context, source_file, source_line, role, tool,
        error_class, blame, fingerprint, rule, {MESSAGE} AS message, blanked
    FROM build_event LEFT JOIN event_context c ON c.id = build_event.context_id
    WHERE build_event.id > :after AND claim_id IS NOT NULL AND kind = 'ERROR'
    ORDER BY build_event.id LIMIT :most
    """  # noqa: S608 -- of our own constants
)
_COUNT = Statement(
    """
    SELECT (SELECT count(*) FROM log_event WHERE fingerprint IS NOT NULL)
        + (SELECT count(*) FROM build_event WHERE claim_id IS NOT NULL AND kind = 'ERROR') AS errors
    """
)
_PUT_OF_LOGS = over_rows(
    "id bigint, error_class text, blame text, fingerprint text, normal_form text, blanked text",
    """
    UPDATE log_event SET error_class = i.error_class, blame = i.blame, fingerprint = i.fingerprint,
        normal_form = i.normal_form, blanked = i.blanked
    FROM {input} i WHERE log_event.id = i.id
    """,
)
_PUT_OF_RUNS = over_rows(
    "id bigint",
    f"""
    UPDATE build_event SET error_class = e.error_class, blame = e.blame, fingerprint = e.fingerprint,
        blanked = e.blanked, error_group_id = ({OF_EVENT.format(event="e", message="e.message")})
    FROM log_event e
    WHERE e.id IN (SELECT i.id FROM {{input}} i) AND build_event.log_event_id = e.id
        AND build_event.attempt_id IN (SELECT p.attempt_id FROM phase p WHERE p.log_id = e.log_id)
    """,  # noqa: S608 -- of our own constants
)
_PUT_REPORTED = over_rows(
    "id bigint, role text, tool text, error_class text, blame text, fingerprint text, rule text, "
    "message text, blanked text",
    f"""
    UPDATE build_event SET role = i.role, tool = i.tool, error_class = i.error_class, blame = i.blame,
        fingerprint = i.fingerprint, rule = i.rule, blanked = i.blanked,
        ({COLUMNS}) = ({stored("build_event.text", "i.message")}),
        error_group_id = ({OF_EVENT.format(event="i", message="i.message")})
    FROM {{input}} i WHERE build_event.id = i.id
    """,  # noqa: S608 -- as above
)
_BUILDS_OF_LOGS = over_rows(
    "id bigint",
    """
    SELECT DISTINCT b.id, b.package_id
    FROM {input} i JOIN log_event e ON e.id = i.id JOIN phase p ON p.log_id = e.log_id
    JOIN attempt a ON a.id = p.attempt_id JOIN build b ON b.id = a.build_id
    """,
)
_BUILDS = over_rows(
    "id bigint",
    """
    SELECT DISTINCT b.id, b.package_id
    FROM {input} i JOIN build_event e ON e.id = i.id JOIN attempt a ON a.id = e.attempt_id
    JOIN build b ON b.id = a.build_id
    """,
)
_PUT_FIRST = over_rows(
    "id bigint",
    """
    UPDATE build_event SET is_first = build_event.position = (
        SELECT b.position FROM build_event b WHERE b.claim_id = build_event.claim_id AND b.kind = 'ERROR'
        ORDER BY CASE b.role WHEN 'PRIMARY' THEN 0 ELSE 1 END, b.position LIMIT 1
    )
    WHERE kind = 'ERROR' AND claim_id IN (SELECT i.id FROM {input} i)
    """,
)
_GROUPS = over_rows(
    "fingerprint text",
    """
    SELECT g.id, g.fingerprint,
        g.note IS NOT NULL OR g.known_issue IS NOT NULL OR g.is_muted OR g.merged_into_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM error_group o WHERE o.merged_into_id = g.id)
        OR EXISTS (SELECT 1 FROM error_group_ruling r WHERE r.error_group_id = g.id) AS has_rulings
    FROM {input} i JOIN error_group g ON g.fingerprint = i.fingerprint
    """,
)
# Events of now are in groups of this version: nobody finds one of these to refer to it.
_DELETE_OLD = Statement(
    f"""
    DELETE FROM error_group WHERE version < {VERSION} AND merged_into_id IS NULL AND note IS NULL
        AND known_issue IS NULL AND NOT is_muted
        AND NOT EXISTS (SELECT 1 FROM build_event v WHERE v.error_group_id = error_group.id)
        AND NOT EXISTS (SELECT 1 FROM error_group_ruling r WHERE r.error_group_id = error_group.id)
        AND NOT EXISTS (SELECT 1 FROM error_group_part p
            WHERE p.error_group_id = error_group.id OR p.part_id = error_group.id)
        AND id NOT IN (SELECT o.merged_into_id FROM error_group o WHERE o.merged_into_id IS NOT NULL)
    """  # noqa: S608 -- as above
)


def count_stored(connection: Connection) -> int:
    """How many errors are stored, in logs and as reported."""
    return int(_COUNT.run(connection)[0].errors)


def errors_of_logs(connection: Connection, after: int, most: int) -> Sequence[Any]:
    """The next errors that were read in logs, whose ids are greater than `after`."""
    return _OF_LOGS.run(connection, after=after, most=most)


def reported_errors(connection: Connection, after: int, most: int) -> Sequence[Any]:
    """The next errors that claims report, whose ids are greater than `after`."""
    return _REPORTED.run(connection, after=after, most=most)


def put_of_logs(connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
    """Write what errors of logs are now: id, class, blame, fingerprint, normal form, what was blanked.

    Their runs' events follow.
    """
    ids = [(row[0],) for row in rows]
    builds = _lock(connection, _BUILDS_OF_LOGS.run(connection, ids))
    _PUT_OF_LOGS.run(connection, rows)
    _PUT_OF_RUNS.run(connection, ids)
    count_errors(connection, builds)


def put_reported(connection: Connection, rows: Sequence[Sequence[Any]], claim_ids: Sequence[int]) -> None:
    """Write what reported errors of claims are now, and which is the first of each claim."""
    builds = _lock(connection, _BUILDS.run(connection, [(row[0],) for row in rows]))
    _PUT_REPORTED.run(connection, rows)
    _PUT_FIRST.run(connection, sorted({(claim_id,) for claim_id in claim_ids}))
    count_errors(connection, builds)


def _lock(connection: Connection, builds: Sequence[Any]) -> list[int]:
    """Lock the packages of builds, whose errors are about to be others; the builds' ids."""
    lock_packages(connection, [row.package_id for row in builds])
    return [row.id for row in builds]


def with_rulings(connection: Connection, fingerprints: Sequence[str]) -> list[str]:
    """Those of these groups of which people said something."""
    rows = _GROUPS.run(connection, sorted({(one,) for one in fingerprints}))
    return [row.fingerprint for row in rows if row.has_rulings]


def delete_old_groups(connection: Connection) -> None:
    """Delete groups of older versions that have no errors, and of which nobody said anything."""
    _DELETE_OLD.run(connection)
