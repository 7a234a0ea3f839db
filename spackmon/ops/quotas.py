"""What QUOTAS allow is kept to: the oldest texts of logs and the oldest runs go, some at a time.

A report is never refused for it: it is stored as ever, and what is too much goes with the next look. What
logs say went wrong stays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.ingest.runs.removal import remove_runs
from spackmon.ingest.tables import quotas
from spackmon.models import utc_now
from spackmon.ops.one_at_a_time import RETENTION, has_turn
from spackmon.quota_rules import QuotaRule, read_quotas

_AT_ONCE = 100

Work = Callable[[Connection], int]


@dataclass(frozen=True, slots=True)
class Used:
    """How much there is of what a rule counts, of a person's rule that of whoever has the most."""

    rule: QuotaRule
    used: int
    seen_at: datetime


class LatestUse:
    """What the last look saw, for who shows it; nothing before the first."""

    def __init__(self) -> None:
        self.used: Sequence[Used] = ()


def quotas_of(text: str) -> Sequence[QuotaRule]:
    """The rules of the setting, runs first. Raises Refused SETTING_INVALID."""
    try:
        return sorted(read_quotas(text), key=lambda rule: rule.what, reverse=True)
    except ValueError as error:
        raise Refused(Code.SETTING_INVALID, f"QUOTAS: {error}") from None


def works(database: Database, rule: QuotaRule) -> Iterator[Work]:
    """What removes the oldest beyond a rule, a transaction each, which says how many it removed."""
    now = utc_now()
    beyond = database.look_once(partial(_beyond, rule=rule))
    for start in range(0, len(beyond), _AT_ONCE):
        yield partial(_remove, rule=rule, beyond=beyond[start : start + _AT_ONCE], now=now)


def keep_to(database: Database, rule: QuotaRule, *, dry_run: bool = False) -> int:
    """Remove what is too much by a rule, or only count it, for the command line; how many."""
    if dry_run:
        return len(database.look_once(partial(_beyond, rule=rule)))
    return sum(map(database.write, works(database, rule)))


def use(database: Database, rules: Sequence[QuotaRule]) -> list[Used]:
    """How much there is by each rule."""
    now = utc_now()
    return [Used(rule, database.look_once(partial(_used, rule=rule)), now) for rule in rules]


def _beyond(connection: Connection, rule: QuotaRule) -> Sequence[Any]:
    """The runs, or the texts of logs, that are too many, the oldest first."""
    find = quotas.runs_beyond if rule.what == "runs" else quotas.logs_beyond
    return find(connection, rule.most, each=rule.per_person)


def _used(connection: Connection, rule: QuotaRule) -> int:
    count = quotas.runs_used if rule.what == "runs" else quotas.log_bytes_used
    return count(connection, each=rule.per_person)


def _remove(connection: Connection, rule: QuotaRule, beyond: Sequence[Any], now: datetime) -> int:
    """Remove some of what is too much; how many there were to remove."""
    if not has_turn(connection, RETENTION):
        return 0
    if rule.what == "logs":
        return quotas.remove_logs(connection, beyond, now)
    remove_runs(connection, beyond, now)
    return len(beyond)
