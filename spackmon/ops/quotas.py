"""What QUOTAS allow is kept to: the oldest texts of logs and the oldest runs go, some at a time.

A report is never refused for it: it is stored as ever, and what is too much goes with the next look. What
logs say went wrong stays.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

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
    if rule.what == "runs":
        runs = database.look_once(partial(quotas.runs_beyond, most=rule.most, each=rule.per_person))
        for start in range(0, len(runs), _AT_ONCE):
            yield partial(_remove_runs, runs=runs[start : start + _AT_ONCE], now=now)
        return
    logs = database.look_once(partial(quotas.logs_beyond, most_bytes=rule.most, each=rule.per_person))
    for start in range(0, len(logs), _AT_ONCE):
        yield partial(_remove_logs, logs=logs[start : start + _AT_ONCE], now=now)


def keep_to(database: Database, rule: QuotaRule, *, dry_run: bool = False) -> int:
    """Remove what is too much by a rule, or only count it, for the command line; how many."""
    if dry_run:
        return database.look_once(partial(_beyond, rule=rule))
    return sum(map(database.write, works(database, rule)))


def use(database: Database, rules: Sequence[QuotaRule]) -> list[Used]:
    """How much there is by each rule."""
    now = utc_now()
    return [Used(rule, database.look_once(partial(_used, rule=rule)), now) for rule in rules]


def _beyond(connection: Connection, rule: QuotaRule) -> int:
    """How many runs, or texts of logs, are too many."""
    if rule.what == "runs":
        return len(quotas.runs_beyond(connection, rule.most, each=rule.per_person))
    return len(quotas.logs_beyond(connection, rule.most, each=rule.per_person))


def _used(connection: Connection, rule: QuotaRule) -> int:
    count = quotas.runs_used if rule.what == "runs" else quotas.log_bytes_used
    return count(connection, each=rule.per_person)


def _remove_runs(connection: Connection, runs: Sequence[int], now: datetime) -> int:
    if not has_turn(connection, RETENTION):
        return 0
    remove_runs(connection, runs, now)
    return len(runs)


def _remove_logs(connection: Connection, logs: Sequence[tuple[int, int]], now: datetime) -> int:
    return quotas.remove_logs(connection, logs, now) if has_turn(connection, RETENTION) else 0
