"""Whether PostgreSQL lets the service have the connections that it may open."""

import structlog
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.database.roles import SERVING

log = structlog.get_logger()

PROCESS_CONNECTIONS = sum(role.connections for role in SERVING)
RELOAD_CONNECTIONS = 2 * PROCESS_CONNECTIONS
"""The old process keeps its own until its last requests are finished."""

# LEAST passes over what is null: no limit.
_ALLOWED = text(
    """
    SELECT LEAST(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - COALESCE(current_setting('reserved_connections', true)::int, 0),
        (SELECT NULLIF(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
        (SELECT NULLIF(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
    )
    """
)


def warn(url: str) -> None:
    """Write `lack_of_connections` of the database at `url` into the log. Raises what the database raises."""
    database = Database(url)
    try:
        if sentence := lack_of_connections(database):
            log.warning(sentence)
    finally:
        database.close()


def lack_of_connections(database: Database) -> str | None:
    """What to say where a server, its user or its database allows fewer than a reload may need.

    Others that use the same server are not counted.
    """
    if database.is_sqlite:
        return None
    allowed = database.read_once(_allowed)
    if allowed >= RELOAD_CONNECTIONS:
        return None
    return (
        f"PostgreSQL allows {allowed} connections: the service opens up to {PROCESS_CONNECTIONS}, and "
        f"{RELOAD_CONNECTIONS} while a reload replaces its process (max_connections, CONNECTION LIMIT)"
    )


def _allowed(connection: Connection) -> int:
    allowed: int = connection.execute(_ALLOWED).scalar_one()
    return allowed
