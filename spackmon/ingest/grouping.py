"""What a person says of a group of errors stands above the rules, survives them, and can be taken back."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection

from spackmon.errors import Code, Refused
from spackmon.ingest.tables import group_rulings
from spackmon.ingest.tables.fingerprints import reassign
from spackmon.logs.groups import digest
from spackmon.status import GroupAction

LONGEST_VALUE = 10_000
_LONGEST_WORDS = 500


def rule(
    connection: Connection,
    fingerprint: str,
    action: GroupAction,
    value: str | None,
    person_id: int,
    now: datetime,
) -> None:
    """Do with the group of a fingerprint what a person says; `value` is what the action needs.

    - MERGE: the other group's fingerprint, which has the errors of both afterwards.
    - SPLIT: words, whose errors are a group of their own afterwards; or None, which takes back a merge.
    - NOTE, KNOWN_ISSUE: a text, and a link (http or https); None takes it back.
    - MUTE, UNMUTE: None.

    Raises Refused ERROR_GROUP_UNKNOWN and ARGUMENT_INVALID.
    """
    value = _checked(action, value)
    group = _group(connection, fingerprint)
    match action:
        case GroupAction.MERGE:
            _merge(connection, group, _group(connection, value or ""))
        case GroupAction.SPLIT:
            _split(connection, group, value)
        case GroupAction.NOTE:
            group_rulings.set_facts(connection, group, note=value)
        case GroupAction.KNOWN_ISSUE:
            group_rulings.set_facts(connection, group, known_issue=value)
        case GroupAction.MUTE | GroupAction.UNMUTE:
            group_rulings.set_facts(connection, group, is_muted=action is GroupAction.MUTE)
    group_rulings.note(connection, group.id, action, value, person_id, now)


def part_of(fingerprint: str, normal_form: str, words: str) -> tuple[str, str]:
    """The fingerprint and the normal form of the errors of a group that have words in them."""
    form = f"{normal_form} | with {words}"
    return digest(f"{fingerprint} | {words}"), form


def _group(connection: Connection, fingerprint: str) -> Any:
    group = group_rulings.group_with(connection, fingerprint)
    if group is None:
        raise group_unknown(fingerprint)
    return group


def group_unknown(fingerprint: str) -> Refused:
    """The refusal of what names no group."""
    sentence = f"no group of errors has the fingerprint {fingerprint[:100]!r}"
    return Refused(Code.ERROR_GROUP_UNKNOWN, sentence)


def _checked(action: GroupAction, value: str | None) -> str | None:
    value = (value or "").strip() or None
    longest = _LONGEST_WORDS if action is GroupAction.SPLIT else LONGEST_VALUE
    if value is not None and (len(value) > longest or "\0" in value):
        raise Refused(
            Code.ARGUMENT_INVALID, f"`value` must be text of at most {longest} characters without NUL"
        )
    if action in (GroupAction.MUTE, GroupAction.UNMUTE) and value is not None:
        raise Refused(Code.ARGUMENT_INVALID, f"`value` must be null: {action} needs none")
    if action is GroupAction.MERGE and value is None:
        raise Refused(Code.ARGUMENT_INVALID, "`value` must be the fingerprint of the other group")
    if action is GroupAction.KNOWN_ISSUE and value is not None and not _is_link(value):
        raise Refused(Code.ARGUMENT_INVALID, f"`value` must be a link (http or https), it is {value[:100]!r}")
    return value


def _is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _merge(connection: Connection, group: Any, other: Any) -> None:
    target_id = other.merged_into_id or other.id
    if target_id in (group.id, group.merged_into_id):
        raise Refused(Code.ARGUMENT_INVALID, f"`value` names what {group.fingerprint} is one group with")
    group_rulings.set_facts(connection, group, merged_into_id=target_id)
    group_rulings.lead(connection, group.id, target_id)
    reassign(connection, [group.id, group.merged_into_id or group.id])


def _split(connection: Connection, group: Any, words: str | None) -> None:
    if words is not None:
        fingerprint, form = part_of(group.fingerprint, group.normal_form, words)
        group_rulings.put_part(connection, group, words, fingerprint, form)
    elif group.merged_into_id is None:
        raise Refused(
            Code.ARGUMENT_INVALID,
            f"`value` must be words of the errors to take out: {group.fingerprint} is merged into no other",
        )
    else:
        group_rulings.set_facts(connection, group, merged_into_id=None)
    reassign(connection, [group.id, group.merged_into_id or group.id])
