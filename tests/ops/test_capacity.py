"""How many connections the service opens: documented, and fewer than a stock PostgreSQL allows."""

from pathlib import Path

from sqlalchemy import text

from spackmon.database import Database
from spackmon.database.roles import COMMAND, MIGRATION, SERVING
from spackmon.ops.capacity import PROCESS_CONNECTIONS, RELOAD_CONNECTIONS, lack_of_connections

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operation.md").read_text()
STOCK_CONNECTIONS = 97


def test_a_stock_postgresql_allows_a_reload_and_a_command() -> None:
    assert RELOAD_CONNECTIONS + COMMAND.connections <= STOCK_CONNECTIONS


def test_the_document_has_the_sum_and_its_parts() -> None:
    for role in (*SERVING, COMMAND, MIGRATION):
        assert f"| `{role.name}` | {role.connections} |" in DOCUMENT
    assert f"opens at most {PROCESS_CONNECTIONS} connections" in DOCUMENT
    assert f"with at most {RELOAD_CONNECTIONS}:" in DOCUMENT
    assert f"{PROCESS_CONNECTIONS} × (N + 1)" in DOCUMENT


def test_a_server_that_allows_too_few_connections_is_named_at_the_start(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    limit = f'ALTER DATABASE "{database.url.database}" CONNECTION LIMIT '
    try:
        assert lack_of_connections(database) is None
        database.write_once(lambda c: c.execute(text(f"{limit} {RELOAD_CONNECTIONS - 1}")))
        sentence = lack_of_connections(database) or ""
        assert sentence.startswith(f"PostgreSQL allows {RELOAD_CONNECTIONS - 1} connections")
        database.write_once(lambda c: c.execute(text(f"{limit} -1")))
    finally:
        database.close()
