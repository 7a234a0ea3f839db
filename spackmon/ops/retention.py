"""What the rules of RETENTION remove: runs first, then texts of logs, then entries of the audit log.

It goes some at a time, while others write.

Whoever is interrupted goes on where the next begins: what is removed is not found again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from spackmon.auth import audit
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest.rows import Statement
from spackmon.ingest.runs.removal import remove_runs
from spackmon.ingest.tables import retention
from spackmon.ingest.tables.configure_arguments import delete_unused_arguments
from spackmon.ingest.tables.event_contexts import delete_unused_contexts
from spackmon.ingest.tables.retention import IDS_AT_ONCE, Rule
from spackmon.ingest.tables.tag_sets import delete_unused_sets
from spackmon.models import utc_now
from spackmon.ops.one_at_a_time import RETENTION, has_turn
from spackmon.retention_rules import RetentionRule, What, read_rules

# As many as one transaction takes: reports wait for the packages that it locks.
_AT_ONCE = 100
# For these nobody waits.
_ENTRIES_AT_ONCE = 1_000
_LAST: dict[What, Callable[[Connection], int]] = {
    "audit": audit.last_entry,
    "logs": partial(retention.last_id, table="log"),
    "runs": partial(retention.last_id, table="attempt"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the work of a rule: those of its runs, logs or entries whose numbers follow `after`.

    One that `ends` the work of a rule of runs removes the sets of tags that no run has any longer.
    """

    rule: RetentionRule
    after: int
    now: datetime
    ends: bool = False

    def rule_of_rows(self) -> Rule:
        """The rule, as statements take it."""
        before_at = self.now - timedelta(days=self.rule.days)
        return Rule(before_at, self.rule.status, self.rule.tag, self.rule.keep)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule removes: how many, and how many bytes of logs that were before they were compressed."""

    rule: RetentionRule
    count: int
    log_bytes: int


def rules_of(text: str) -> Sequence[RetentionRule]:
    """The rules of the setting, runs first. Raises Refused SETTING_INVALID."""
    try:
        return sorted(read_rules(text), key=lambda rule: rule.what, reverse=True)
    except ValueError as error:
        raise Refused(Code.SETTING_INVALID, f"RETENTION: {error}") from None


def steps(database: Database, rules: Sequence[RetentionRule], now: datetime | None = None) -> Iterator[Step]:
    """All work of some rules; `now` is for tests."""
    now = now or utc_now()
    for rule in rules:
        last = database.look_once(_LAST[rule.what])
        for after in range(0, last, IDS_AT_ONCE):
            yield Step(rule, after, now)
        if rule.what == "runs":
            yield Step(rule, last, now, ends=True)


def found(connection: Connection, step: Step) -> Found:
    """What a step would remove."""
    rule = step.rule_of_rows()
    if step.rule.what == "audit":
        upto = step.after + IDS_AT_ONCE
        return Found(step.rule, audit.count_expired(connection, rule.before_at, step.after, upto), 0)
    if step.rule.what == "runs":
        return Found(step.rule, len(retention.expired_runs(connection, rule, step.after)), 0)
    logs = retention.expired_logs(connection, rule, step.after)
    return Found(step.rule, len(logs), sum(size for _, size in logs))


def remove_some(connection: Connection, step: Step) -> int:
    """Remove the next of a step; how many, 0 where none is left or another process does it."""
    if not has_turn(connection, RETENTION):
        return 0
    if step.ends:
        delete_unused_sets(connection)
        delete_unused_arguments(connection)
        delete_unused_contexts(connection)
        return 0
    rule = step.rule_of_rows()
    if step.rule.what == "audit":
        upto = step.after + IDS_AT_ONCE
        return audit.remove_expired(connection, rule.before_at, step.after, upto, _ENTRIES_AT_ONCE)
    if step.rule.what == "logs":
        return retention.remove_texts(connection, rule, step.after, _AT_ONCE, step.now)
    runs = retention.expired_runs(connection, rule, step.after)[:_AT_ONCE]
    if runs:
        remove_runs(connection, runs, step.now)
    return len(runs)


def remove_all(
    database: Database, rules: Sequence[RetentionRule], now: datetime | None = None
) -> list[Found]:
    """Do all work of some rules, for the command line; what was removed of each."""
    return [
        Found(rule, sum(_removed(database, step) for step in steps(database, [rule], now)), 0)
        for rule in rules
    ]


def _removed(database: Database, step: Step) -> int:
    total = 0
    while count := database.write(lambda connection: remove_some(connection, step)):
        total += count
    return total


def find_all(database: Database, rules: Sequence[RetentionRule], now: datetime | None = None) -> list[Found]:
    """What some rules would remove, each as if it were alone."""
    every = []
    for rule in rules:
        parts = [database.look_once(partial(found, step=step)) for step in steps(database, [rule], now)]
        every.append(Found(rule, sum(part.count for part in parts), sum(part.log_bytes for part in parts)))
    return every


_SIZES = Statement(
    """
    SELECT p.name, count(a.id) AS runs, COALESCE(sum(
        (SELECT sum(l.size_bytes) FROM phase h JOIN log l ON l.id = h.log_id
            WHERE h.attempt_id = a.id AND l.removed_at IS NULL)), 0) AS log_bytes,
        COALESCE(sum(
            (SELECT sum(r.size_bytes) FROM attribute r WHERE r.attempt_id = a.id)), 0) AS result_bytes
    FROM person p JOIN build b ON b.owner_id = p.id JOIN attempt a ON a.build_id = b.id
    GROUP BY p.name ORDER BY 3 DESC, p.name
    """
)


@dataclass(frozen=True, slots=True)
class Size:
    """What somebody has here: bytes before they are compressed, equal logs of several runs each time."""

    person: str
    runs: int
    log_bytes: int
    result_bytes: int


def sizes(connection: Connection) -> list[Size]:
    """Of everybody who has runs, the largest first."""
    return [
        Size(row.name, row.runs, int(row.log_bytes), int(row.result_bytes)) for row in _SIZES.run(connection)
    ]
