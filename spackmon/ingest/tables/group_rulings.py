"""Every statement of what people say of groups of errors."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.rows import Statement, over_rows
from spackmon.status import GroupAction

_COLUMNS = "id, fingerprint, normal_form, note, known_issue, is_muted, merged_into_id"
_FIND = Statement(
    f"SELECT {_COLUMNS} FROM error_group WHERE fingerprint = :fingerprint {{lock}}",  # noqa: S608 -- our own
    lock="FOR NO KEY UPDATE",
)
_SET = Statement(
    """
    UPDATE error_group SET note = :note, known_issue = :known_issue, is_muted = :is_muted,
        merged_into_id = CAST(:merged_into_id AS bigint)
    WHERE id = :id
    """
)
_LEAD = Statement("UPDATE error_group SET merged_into_id = :target_id WHERE merged_into_id = :id")
_PART_GROUP = Statement(
    """
    INSERT INTO error_group (
        fingerprint, version, tool, error_class, blame, normal_form, text, note, known_issue, is_muted
    )
    SELECT :fingerprint, g.version, g.tool, g.error_class, g.blame, :normal_form, :words, :note, :known_issue,
        g.is_muted
    FROM error_group g WHERE g.id = :id
    ON CONFLICT DO NOTHING
    """
)
_PUT_PART = Statement(
    """
    INSERT INTO error_group_part (error_group_id, words, part_id)
    SELECT :id, :words, g.id FROM error_group g WHERE g.fingerprint = :fingerprint
    ON CONFLICT DO NOTHING
    """
)
_PARTS = Statement(
    """
    SELECT p.words, g.note, g.known_issue, g.is_muted, g.merged_into_id, g.id
    FROM error_group_part p JOIN error_group g ON g.id = p.part_id
    WHERE p.error_group_id = :id ORDER BY p.words
    """
)
_NOTE = Statement(
    """
    INSERT INTO error_group_ruling (error_group_id, action, value, person_id, reported_at)
    VALUES (:id, :action, :value, :person_id, :now)
    """
)
_COPY_RULINGS = Statement(
    """
    INSERT INTO error_group_ruling (error_group_id, action, value, person_id, reported_at)
    SELECT CAST(:to_id AS bigint), r.action, r.value, r.person_id, r.reported_at
    FROM error_group_ruling r WHERE r.error_group_id = :from_id AND NOT EXISTS (
        SELECT 1 FROM error_group_ruling o WHERE o.error_group_id = :to_id AND o.action = r.action
            AND o.reported_at = r.reported_at AND o.value IS NOT DISTINCT FROM r.value
    )
    ORDER BY r.id
    """
)
_READ = over_rows(
    "id bigint",
    f"SELECT {_COLUMNS} FROM error_group WHERE id IN (SELECT i.id FROM {{input}} i) ORDER BY id",  # noqa: S608
)


def group_with(connection: Connection, fingerprint: str) -> Any | None:
    """The group of a fingerprint, kept for this transaction; None where there is none."""
    rows = _FIND.run(connection, fingerprint=fingerprint)
    return rows[0] if rows else None


def groups_by_id(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    """Groups by their ids."""
    return {row.id: row for row in _READ.run(connection, sorted({(one,) for one in ids}))}


def set_facts(connection: Connection, group: Any, **facts: Any) -> None:
    """Write what people say of a group, where it differs from what its row says."""
    said = {name: getattr(group, name) for name in ("note", "known_issue", "is_muted", "merged_into_id")}
    after = {**said, **facts}
    if after != said:
        _SET.run(connection, id=group.id, **{**after, "is_muted": bool(after["is_muted"])})


def lead(connection: Connection, group_id: int, target_id: int) -> None:
    """Let what was merged into a group be merged into another."""
    _LEAD.run(connection, id=group_id, target_id=target_id)


def put_part(
    connection: Connection, group: Any, words: str, fingerprint: str, normal_form: str, facts: Any = None
) -> None:
    """Make errors of a group with `words` a group of their own, with the note and link of `facts`."""
    note, issue = (None, None) if facts is None else (facts.note, facts.known_issue)
    _PART_GROUP.run(
        connection, id=group.id, fingerprint=fingerprint, normal_form=normal_form, words=words, note=note,
        known_issue=issue,
    )  # fmt: skip
    _PUT_PART.run(connection, id=group.id, words=words, fingerprint=fingerprint)


def parts_of(connection: Connection, group_id: int) -> Sequence[Any]:
    """The parts of a group: their words, and what people say of each."""
    return _PARTS.run(connection, id=group_id)


def note(
    connection: Connection,
    group_id: int,
    action: GroupAction,
    value: str | None,
    person_id: int,
    now: datetime,
) -> None:
    """Note what a person did with a group."""
    _NOTE.run(
        connection, id=group_id, action=action.value, value=value, person_id=person_id, now=now
    )  # fmt: skip


def copy_rulings(connection: Connection, from_id: int, to_id: int) -> None:
    """Note of a group what was noted of another that its errors were in."""
    _COPY_RULINGS.run(connection, from_id=from_id, to_id=to_id)
