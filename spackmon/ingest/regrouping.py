"""Stored errors are judged again, some at a time: by newer rules for groups, or by other ones for classes.

Neither reads a log. What people said of a group goes with its errors to the groups that they are in now.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from spackmon.ingest.grouping import part_of
from spackmon.ingest.tables import group_rulings, judged_events
from spackmon.ingest.tables.fingerprints import group_of, put_groups, written_out
from spackmon.logs.event import Event
from spackmon.logs.groups import blanked, group, normal_form
from spackmon.logs.judgement import classify
from spackmon.logs.reported import event_of
from spackmon.logs.taxonomy import Taxonomy, of_site

_Judged = tuple[Any, Event]


def judge_errors_of_logs(connection: Connection, after: int, most: int, *, keep_classes: bool) -> list[int]:
    """Judge the next errors that were read in logs, whose ids are greater than `after`: their ids."""
    rows = judged_events.errors_of_logs(connection, after, most)
    judged = [(row, _of_log(row, of_site(), keep_classes)) for row in rows]
    changed = [
        (row, event)
        for row, event in judged
        if row.normal_form is None
        or (row.error_class, row.blame, row.fingerprint)
        != (event.class_name, event.blame.upper(), event.group)
    ]
    _put_groups(connection, changed, lambda row: row.text or row.message)
    judged_events.put_of_logs(
        connection,
        [
            (
                row.id, event.class_name, event.blame.upper(), event.group, normal_form(event),
                written_out(blanked(event)),
            )
            for row, event in changed
        ],
    )  # fmt: skip
    return [row.id for row in rows]


def judge_reported_errors(connection: Connection, after: int, most: int, *, keep_classes: bool) -> list[int]:
    """Judge the next errors that claims report, whose ids are greater than `after`: their ids."""
    rows = judged_events.reported_errors(connection, after, most)
    changed = []
    for row in rows:
        event = _reported(row, of_site(), keep_classes)
        now = (
            row.id, event.role.upper(), event.tool or None, event.class_name, event.blame.upper(),
            event.group, event.rule or None, event.message, written_out(blanked(event)),
        )  # fmt: skip
        was = (
            row.id, row.role, row.tool, row.error_class, row.blame, row.fingerprint, row.rule, row.message,
            row.blanked,
        )  # fmt: skip
        if now != was:
            changed.append((row, event, now))
    _put_groups(connection, [(row, event) for row, event, _ in changed], lambda row: row.text)
    judged_events.put_reported(
        connection, [now for *_, now in changed], [row.claim_id for row, *_ in changed]
    )
    return [row.id for row in rows]


def _of_log(row: Any, taxonomy: Taxonomy, keep_classes: bool) -> Event:
    event = Event(
        "error", "primary", row.tool or "", "", row.message, 0, 0, 0, row.source_file or "", row.source_line
    )
    # Of what older rules read the class itself is all that is known of the form.
    event.form_class = (row.form_class or "") if row.rule else row.error_class
    classify(event, taxonomy)
    return _with_class_of(row, event) if keep_classes else event


def _reported(row: Any, taxonomy: Taxonomy, keep_classes: bool) -> Event:
    event = event_of(
        "error", row.text, row.pre_context or "", row.post_context or "", row.source_file or "",
        row.source_line, taxonomy,
    )  # fmt: skip
    return _with_class_of(row, event) if keep_classes and row.error_class else event


def _with_class_of(row: Any, event: Event) -> Event:
    event.class_name, event.blame = row.error_class, row.blame.lower()
    event.group = group(event)
    return event


def _put_groups(connection: Connection, judged: Sequence[_Judged], text_of: Any) -> None:
    put_groups(connection, (group_of(event, text_of(row)) for row, event in judged))
    moves = {(row.fingerprint, event.group) for row, event in judged if row.fingerprint != event.group}
    said = set(judged_events.with_rulings(connection, [before for before, _ in moves if before]))
    _carry(connection, sorted((before, after) for before, after in moves if before in said))


def _carry(connection: Connection, moves: Iterable[tuple[str, str]]) -> None:
    """Let what was said of groups be said of those that their errors move to."""
    for before, after in moves:
        old, new = (group_rulings.group_with(connection, one) for one in (before, after))
        if old is None or new is None:
            continue
        target_id = new.merged_into_id or old.merged_into_id
        group_rulings.set_facts(
            connection,
            new,
            note=new.note or old.note,
            known_issue=new.known_issue or old.known_issue,
            is_muted=bool(new.is_muted or old.is_muted),
            merged_into_id=None if target_id == new.id else target_id,
        )
        group_rulings.lead(connection, old.id, new.id)
        for part in group_rulings.parts_of(connection, old.id):
            group_rulings.put_part(
                connection, new, part.words, *part_of(new.fingerprint, new.normal_form, part.words), part
            )
        group_rulings.copy_rulings(connection, old.id, new.id)
