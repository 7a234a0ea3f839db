"""Groups of errors: made as errors come, and what a person says of them, which stands above every rule.

`error_group.id` of an event is the group that people see: the one of its fingerprint, the part of it that
its text was made by a person, or what either was merged into.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.locks import lock_packages
from spackmon.ingest.rows import over_rows
from spackmon.ingest.tables.error_groups import count_errors
from spackmon.ingest.tables.event_messages import MESSAGE
from spackmon.logs.event import Event
from spackmon.logs.groups import VERSION, Blanked, normal_form

_MOST_BLANKED = 50

_ENDING = """
    ON CONFLICT (fingerprint) DO UPDATE SET
        text = CASE WHEN excluded.text < error_group.text THEN excluded.text ELSE error_group.text END,
        tool = CASE WHEN excluded.tool < error_group.tool THEN excluded.tool ELSE error_group.tool END,
        blame = excluded.blame, normal_form = excluded.normal_form
    WHERE excluded.text < error_group.text OR excluded.tool < error_group.tool
        OR excluded.blame <> error_group.blame OR excluded.normal_form <> error_group.normal_form
"""
_COLUMNS = "fingerprint, version, tool, error_class, blame, normal_form, text, is_muted"
# The anti-join is not for correctness (ON CONFLICT is): a conflict burns a row number.
_IS_NEW = """
    NOT EXISTS (
        SELECT 1 FROM error_group g
        WHERE g.fingerprint = i.fingerprint AND g.text <= i.text AND g.blame = i.blame
            AND g.normal_form = i.normal_form
            AND COALESCE(g.tool, '') <= COALESCE(i.tool, '')
    )
"""
_PUT = over_rows(
    "fingerprint text, tool text, error_class text, blame text, normal_form text, text text",
    f"""
    INSERT INTO error_group ({_COLUMNS})
    SELECT i.fingerprint, {VERSION}, i.tool, i.error_class, i.blame, i.normal_form, i.text, false
    FROM {{input}} i
    WHERE {_IS_NEW}
    ORDER BY i.fingerprint
    {_ENDING}
    """,  # noqa: S608 -- of our own constants
)
_PUT_OF_LOGS = over_rows(
    "id bigint",
    f"""
    INSERT INTO error_group ({_COLUMNS})
    SELECT i.fingerprint, {VERSION}, i.tool, i.error_class, i.blame, i.normal_form, i.text, false
    FROM (
        SELECT e.fingerprint, min(e.tool) AS tool, min(e.error_class) AS error_class, min(e.blame) AS blame,
            min(e.normal_form) AS normal_form, min(COALESCE(e.text, e.message)) AS text
        FROM {{input}} l JOIN log_event e ON e.log_id = l.id
        WHERE e.normal_form IS NOT NULL
        GROUP BY e.fingerprint
    ) i
    WHERE {_IS_NEW}
    ORDER BY i.fingerprint
    {_ENDING}
    """,  # noqa: S608 -- as above
)

OF_EVENT = """
    SELECT COALESCE(t.merged_into_id, t.id) FROM error_group t WHERE t.id = COALESCE(
        (
            SELECT p.part_id FROM error_group g JOIN error_group_part p ON p.error_group_id = g.id
            WHERE g.fingerprint = {event}.fingerprint
                AND replace({message}, p.words, '') <> {message}
            ORDER BY p.words LIMIT 1
        ),
        (SELECT g.id FROM error_group g WHERE g.fingerprint = {event}.fingerprint)
    )
"""
"""The group that an event is in, in SQL; `{event}` has its `fingerprint`, `{message}` is its message."""

_BUILDS = over_rows(
    "id bigint",
    """
    SELECT b.id, b.package_id FROM build b WHERE b.id IN (
        SELECT n.build_id FROM {input} i JOIN error_group_build n ON n.error_group_id = i.id
    )
    """,
)
_REASSIGN = over_rows(
    "id bigint",
    f"""
    UPDATE build_event SET error_group_id = ({OF_EVENT.format(event="build_event", message=MESSAGE)})
    WHERE error_group_id IN (SELECT i.id FROM {{input}} i)
    """,  # noqa: S608 -- as above
)


def group_of(event: Event, text: str) -> Sequence[Any]:
    """What `put_groups` needs of the group of an error that is shown as `text`."""
    tool, form = (None if one is None else _storable(one) for one in (event.tool or None, normal_form(event)))
    return event.group, tool, event.class_name, event.blame.upper(), form, text


def written_out(pieces: Iterable[Blanked]) -> str:
    """What a fingerprint leaves out, as the column `blanked` has it."""
    pairs = [{"kind": piece.kind, "text": _storable(piece.text)} for piece in pieces]
    return json.dumps(pairs[:_MOST_BLANKED], ensure_ascii=False, separators=(",", ":"))


def _storable(text: str) -> str:
    # PostgreSQL's text holds no NUL, and a log may hold any byte.
    return text.replace("\0", "\ufffd")


def put_groups(connection: Connection, groups: Iterable[Sequence[Any]]) -> None:
    """Make sure that there are groups, each as `group_of` gives it.

    Of equal fingerprints the least text and the least tool stand for all.
    """
    least: dict[str, list[Any]] = {}
    for fingerprint, tool, *facts, text in groups:
        known = least.setdefault(fingerprint, [fingerprint, tool, *facts, text])
        known[1], known[-1] = min(known[1], tool, key=lambda name: name or ""), min(known[-1], text)
    _PUT.run(connection, [tuple(least[fingerprint]) for fingerprint in sorted(least)])


def put_groups_of_logs(connection: Connection, log_ids: Collection[int | None]) -> None:
    """Make sure that there are the groups of the errors in these logs."""
    _PUT_OF_LOGS.run(connection, sorted({(log_id,) for log_id in log_ids if log_id is not None}))


def reassign(connection: Connection, group_ids: Iterable[int]) -> None:
    """Put the events of these groups where they belong by what people say now, and count them there.

    The groups are locked by the caller.
    """
    ids = sorted({(group_id,) for group_id in group_ids})
    rows = _BUILDS.run(connection, ids)
    lock_packages(connection, [row.package_id for row in rows])
    _REASSIGN.run(connection, ids)
    count_errors(connection, [row.id for row in rows])
