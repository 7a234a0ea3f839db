"""What a process counts and measures of itself, in the form of Prometheus (docs/monitoring.md).

Each process has its own: where several serve, each is asked. A name that a client may choose is a label only
as long as there are few of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from sqlalchemy import Connection, func, select

from spackmon.database.turns import Turns
from spackmon.models import InboxEntry
from spackmon.query.serve.executed import Executed

OTHER = "(other)"
"""The label of what has no name of its own here."""
_UNNAMED = "(unnamed)"
_MOST_OPERATIONS = 200
# When a counter began is a series of its own for each, which Prometheus makes nothing of.
disable_created_metrics()  # type: ignore[no-untyped-call]
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Now:
    """What is seen of a process when somebody asks; None: it could not be seen."""

    inbox_entries: int | None
    spooled_reports: int
    reports_set_aside: int
    subscriptions: int
    memory_used_bytes: int
    cache_used_bytes: int
    is_database_usable: bool
    turns: Mapping[str, Turns]
    replica_lag_seconds: Mapping[str, float | None] = field(default_factory=dict)


class Metrics:
    """The counters of one process; for any number of threads."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self._operations: set[str] = set()
        self._requests = Counter(
            "spackmon_http_requests", "Requests, by address, method and status.",
            ("route", "method", "status"), registry=registry,
        )  # fmt: skip
        self._request_seconds = Histogram(
            "spackmon_http_request_seconds", "Seconds until an answer begins.",
            ("route",), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._sent_bytes = Counter(
            "spackmon_http_sent_bytes", "Bytes of answers, by address.", ("route",), registry=registry
        )
        self._executed = Counter(
            "spackmon_graphql_operations", "Operations, by name and the code of their refusal, if any.",
            ("operation", "code"), registry=registry,
        )  # fmt: skip
        self._operation_seconds = Histogram(
            "spackmon_graphql_operation_seconds", "Seconds until an operation is answered.",
            ("operation",), buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._database_seconds = Counter(
            "spackmon_graphql_database_seconds", "Seconds that operations waited for the database.",
            ("operation",), registry=registry,
        )  # fmt: skip
        self._cost = Counter(
            "spackmon_graphql_cost", "The cost of operations that ran, in units of docs/graphql.md.",
            ("operation",), registry=registry,
        )  # fmt: skip
        self._kept = Counter(
            "spackmon_graphql_kept_answers", "Operations that were answered from memory.", registry=registry
        )
        self._reports = Counter(
            "spackmon_reports", "Reports, by their kind and what became of them.",
            ("kind", "outcome"), registry=registry,
        )  # fmt: skip
        self._now = _NowGauges(registry)
        self.on_report: list[Callable[[str, str], None]] = []
        """Called with the kind and the outcome of each report; must not raise."""

    def request(self, route: str, method: str, status: int, seconds: float, sent_bytes: int) -> None:
        """Count an HTTP request to the addresses of a pattern; `seconds` are until its answer began."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)
        self._sent_bytes.labels(route).inc(sent_bytes)

    def executed(self, executed: Executed) -> None:
        """Count an operation."""
        name = self._operation(executed)
        self._executed.labels(name, executed.code or "").inc()
        self._operation_seconds.labels(name).observe(executed.seconds)
        self._database_seconds.labels(name).inc(executed.database_seconds)
        if executed.code is None:
            self._cost.labels(name).inc(executed.cost or 0)
        if executed.is_kept:
            self._kept.inc()

    def reported(self, kind: str, outcome: str) -> None:
        """Count a report of a kind of the inbox: `applied`, `spooled`, or `refused` (it is in the inbox)."""
        # What follows is the sender's query, or the number that a client was promised.
        kind = kind.partition("?")[0].partition(" ")[0]
        self._reports.labels(kind, outcome).inc()
        for observe in self.on_report:
            observe(kind, outcome)

    def exposition(self, now: Now) -> bytes:
        """All of it as Prometheus' text format 0.0.4, with what is seen now."""
        self._now.set(now)
        return generate_latest(self._registry)

    def _operation(self, executed: Executed) -> str:
        """The operation's name; who sends ever new ones has only the first of them counted apart."""
        if executed.name is None:
            return _UNNAMED if executed.cost is not None or executed.is_kept else OTHER
        if executed.name not in self._operations:
            if len(self._operations) >= _MOST_OPERATIONS:
                return OTHER
            self._operations.add(executed.name)
        return executed.name


class _NowGauges:
    """What goes up and down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"spackmon_{name}", meaning, labels, registry=registry)

        self._inbox = gauge("inbox_entries", "Reports in the inbox that wait for a replay.")
        self._spooled = gauge("spooled_reports", "Reports in the spool.")
        self._aside = gauge("reports_set_aside", "Reports that were set aside.")
        self._subscriptions = gauge("subscriptions", "GraphQL subscriptions that are open.")
        self._memory = gauge("bodies_bytes", "Memory that bodies of requests take.")
        self._cache = gauge("cache_bytes", "Memory that documents, plans and answers take.")
        self._usable = gauge("database_usable", "1 while the database can be used, else 0.")
        self._in_use = gauge("database_turns", "Who uses the database now, by what for.", "use")
        self._waiting = gauge("database_waiting", "Who waits for a turn at the database.", "use")

        self._lag = gauge("replica_lag_seconds", "How old answers of a replica may be.", "replica")

    def set(self, now: Now) -> None:
        # What was seen before is not what is there now.
        self._inbox.set(float("nan") if now.inbox_entries is None else now.inbox_entries)
        self._spooled.set(now.spooled_reports)
        self._aside.set(now.reports_set_aside)
        self._subscriptions.set(now.subscriptions)
        self._memory.set(now.memory_used_bytes)
        self._cache.set(now.cache_used_bytes)
        self._usable.set(now.is_database_usable)
        for replica, seconds in now.replica_lag_seconds.items():
            self._lag.labels(replica).set(float("nan") if seconds is None else seconds)
        for use, turns in now.turns.items():
            self._in_use.labels(use).set(turns.in_use)
            self._waiting.labels(use).set(turns.waiting)


def waiting_entries(connection: Connection) -> int:
    """How many entries of the inbox wait for a replay."""
    statement = select(func.count()).select_from(InboxEntry).where(InboxEntry.applied_at.is_(None))
    return connection.execute(statement).scalar_one()
