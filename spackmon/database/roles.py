"""Who uses the database for what: the limits, the isolation and the name of each kind of connection.

`pg_stat_activity` shows the names. What the database's address sets itself (`?keepalives_idle=…`) counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL

ISOLATION = "READ COMMITTED"
"""Of every role, whatever the server's default is: what waited for a lock sees what it waited for."""


@dataclass(frozen=True, slots=True)
class Role:
    """What connections of one kind may take; 0 seconds: any time.

    `connections` are how many one process opens at most; who gets none waits. `lock_seconds` is for how
    long a statement waits for others, SQLite's writers for one another. `sqlite_cache_mb` is how much of
    SQLite's file each of them keeps in memory; what a transaction changes beyond that is written twice.
    Where nothing `writes` a statement of SQLAlchemy is its own transaction: in READ COMMITTED one around
    several shows no more, and its beginning and end are two more waits for each request.
    """

    name: str
    connections: int
    statement_seconds: float = 0.0
    lock_seconds: float = 0.0
    idle_in_transaction_seconds: float = 0.0
    connect_seconds: int = 5
    sqlite_cache_mb: int = 2
    writes: bool = True


# A client of ms1 waits 60 s for an answer: a write that was stopped is spooled before that.
WRITER = Role("writer", 17, statement_seconds=30, lock_seconds=10, idle_in_transaction_seconds=60)
# Who sends a request: one row by an index, while all writers wait for something else.
ADMISSION = Role(
    "admission", 6, statement_seconds=5, lock_seconds=2, idle_in_transaction_seconds=10, writes=False
)
# How long a question may take is a setting.
READER = Role("reader", 16, lock_seconds=10)
EXPORT = Role("export", 4, lock_seconds=10)
HEALTH = Role(
    "health", 2, statement_seconds=2, lock_seconds=1, idle_in_transaction_seconds=5, connect_seconds=2
)
# Hears of what others changed, and says nothing.
LISTENER = Role("listener", 1)
SERVING = (WRITER, ADMISSION, READER, EXPORT, HEALTH, LISTENER)
"""Of one process that serves. While one replaces another both have theirs; a stock PostgreSQL allows 97."""
# A person waits, and can interrupt it: an import, `spackmon db check`.
COMMAND = Role("command", 4, sqlite_cache_mb=64)
# A table that is altered is locked for everybody: behind a reader's lock all others would wait with it.
MIGRATION = Role("migration", 1, lock_seconds=30)

# A peer that is gone without a word is noticed within 25 s: the kernel's own way takes 15 minutes.
_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


def connection_parameters(role: Role, url: URL, *, is_pooled: bool = False) -> dict[str, Any]:
    """What the driver is given beside `url`; `is_pooled`: as in `session_settings`."""
    parameters = {
        **_ALIVE,
        "connect_timeout": role.connect_seconds,
        "application_name": f"spackmon {role.name}",
    }
    # A prepared statement is the session's, and the next transaction may be in another.
    unprepared: dict[str, Any] = {"prepare_threshold": None} if is_pooled else {}
    return {name: value for name, value in parameters.items() if name not in url.query} | unprepared


def session_settings(
    role: Role, *, statement_seconds: float | None = None, is_pooled: bool = False
) -> tuple[str, Mapping[str, str]]:
    """The statement, with its parameters, that begins a session of PostgreSQL.

    `is_pooled`: that begins each transaction, since a pooler between lends a session for one alone. Not
    options of the connection: no pooler passes them on.
    """
    seconds = role.statement_seconds if statement_seconds is None else statement_seconds
    settings = {
        "default_transaction_isolation": ISOLATION,
        "statement_timeout": _milliseconds(seconds),
        "lock_timeout": _milliseconds(role.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(role.idle_in_transaction_seconds),
        # PostgreSQL would compile for seconds what runs for milliseconds: it judges by the cost of rows that
        # a page never reads.
        "jit": "off",
    }
    calls = ", ".join(f"set_config('{name}', %({name})s, {is_pooled})" for name in settings)
    return f"SELECT {calls}", settings


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
