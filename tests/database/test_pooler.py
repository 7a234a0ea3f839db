"""The service by a real pgbouncer in transaction mode, with fewer sessions than it has connections."""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from spackmon.database_urls import conninfo, parsed
from tests.player import Player
from tests.pooler import PROGRAM, pooled
from tests.server import Server, served

_SESSIONS = 2
_LIVE = {"query": "subscription { buildUpdated { build { status } } }"}


@pytest.fixture
def by_pooler(postgresql_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a fresh database by pgbouncer."""
    if PROGRAM is None:
        pytest.skip("no pgbouncer")
    # Where PostgreSQL's own user can go.
    directory = Path(str(make_url(postgresql_url).query["host"])) / tmp_path.name
    with pooled(postgresql_url, directory, _SESSIONS) as url:
        yield url


def test_two_processes_report_ask_and_hear_by_sessions_that_are_lent_for_a_transaction(
    by_pooler: str, postgresql_url: str, tmp_path: Path
) -> None:
    settings = {"database_direct_url": postgresql_url, "jwt_server_secret": "s" * 32}
    with (
        served(by_pooler, tmp_path / "one", **settings) as one,
        served(by_pooler, tmp_path / "other", **settings) as other,
        one.http.stream("POST", "/graphql", json=_LIVE, headers={"Accept": "text/event-stream"}) as stream,
    ):
        updates = (line for line in stream.iter_lines() if "buildUpdated" in line)
        for capture, server in (("0.17-success", other), ("0.17-fail", one), ("0.16-analyze", other)):
            assert Player(server.url, server.user, server.token).play(capture) == []
        assert json.loads(next(updates).removeprefix("data:"))["data"]["buildUpdated"]
        counts = [_count(server) for _ in range(3) for server in (one, other)]
        assert counts[0] > 0
        assert len(set(counts)) == 1
        rows = one.http.get("/graphql", params={"query": "{ builds { nodes { id } } }"},
                            headers={"Accept": "application/x-ndjson"}).text.splitlines()  # fmt: skip
        assert len(rows) == counts[0]
    # Nothing of one transaction stays with the session that the next one gets.
    with psycopg.connect(conninfo(parsed(by_pooler)), prepare_threshold=None, autocommit=True) as connection:
        for name, default in (("statement_timeout", "0"), ("lock_timeout", "0"), ("jit", "on")):
            assert connection.execute(f"SHOW {name}").fetchone() == (default,)
        assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def _count(server: Server) -> int:
    count: int = server.ask("{ builds { totalCount } }")["builds"]["totalCount"]
    return count
