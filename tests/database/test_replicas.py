"""A primary with a streaming replica: who reads where, what is seen there, and what becomes of both."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL, make_url

from spackmon.database_urls import conninfo, parsed
from tests.databases import PostgresqlServer, Standby
from tests.player import exchanges
from tests.server import Server, served
from tests.waiting import until

_COUNT = "query HowMany { specs { totalCount } }"
# From another desk than the one where the writes come from.
_ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture
def standby(private_postgresql: PostgresqlServer) -> Iterator[Standby]:
    """A replica of the server, on which the tables are already."""
    one = Standby(private_postgresql)
    yield one
    one.remove()


def _specs(server: Server, headers: dict[str, str]) -> int:
    answer = server.http.post("/graphql", json={"query": _COUNT}, headers=headers).json()
    count: int = answer["data"]["specs"]["totalCount"]
    return count


def _lag(server: Server) -> float:
    families = text_string_to_metric_families(server.http.get("/metrics").text)
    (value,) = [
        sample.value
        for family in families
        if family.name == "spackmon_replica_lag_seconds"
        for sample in family.samples
    ]
    return value


def _report(server: Server, capture: str) -> None:
    spec = next(one for one in exchanges(capture) if one["path"].endswith("/specs/new/"))
    assert server.post("/ms1/specs/new/", json.loads(spec["request_body"])).status_code == 201


def _both(primary_url: str, standby_url: str) -> str:
    """The address that leads to whichever of the two is the primary."""
    url: URL = make_url(primary_url)
    hosts = [make_url(one).query["host"] for one in (primary_url, standby_url)]
    query: dict[str, Any] = {"host": hosts, "target_session_attrs": "read-write"}
    return url.set(query=query).render_as_string(hide_password=False)


def test_reads_go_to_a_near_replica_and_nobody_misses_what_they_wrote(
    private_postgresql: PostgresqlServer, standby: Standby, tmp_path: Path
) -> None:
    url = private_postgresql.url
    replica = standby.url(url)
    # None is so near that it would be asked: the primary answers.
    with served(url, tmp_path, database_replicas=replica, replica_lag_seconds=0.001) as server:
        until(lambda: _lag(server) >= 0)
        standby.execute("SELECT pg_wal_replay_pause()::text")
        _report(server, "0.17-success")
        first = _specs(server, _ELSEWHERE)
        assert first > 0
        standby.execute("SELECT pg_wal_replay_resume()::text")
    settings = {"database_replicas": replica, "replica_lag_seconds": 3600}
    with served(_both(url, replica), tmp_path, **settings) as server:
        until(lambda: _lag(server) < 3600)
        standby.execute("SELECT pg_wal_replay_pause()::text")
        _report(server, "0.17-fail")
        # The replica stands still: elsewhere the site is as it was, and whoever wrote sees what they wrote.
        assert _specs(server, _ELSEWHERE) == first
        written = _specs(server, {})
        assert written > first
        assert _specs(server, {**_ELSEWHERE, "Authorization": f"Bearer {server.token}"}) == written
        standby.execute("SELECT pg_wal_replay_resume()::text")
        until(lambda: _specs(server, _ELSEWHERE) == written)
        # Without its primary it goes on to answer; promoted, it takes what is written, and is asked no more
        # as a replica.
        private_postgresql.stop()
        until(lambda: server.http.get("/readyz").status_code == 503)
        assert _specs(server, _ELSEWHERE) == written
        standby.promote()
        assert server.post("/ms1/specs/new/", {"spec": 7}).status_code == 400
        assert _specs(server, {}) == written


@pytest.mark.parametrize(
    ("address", "same_for_libpq"),
    [
        ("postgresql://ada:p%40w@one:5432,two:5433/name?connect_timeout=3",
         "dbname=name user=ada password=p@w connect_timeout=3 host=one,two port=5432,5433"),
        ("postgresql://ada@one/name", "host=one dbname=name user=ada"),
        ("postgresql:///name?host=%2Ftmp%2Fa", "dbname=name host=/tmp/a"),
    ],
)  # fmt: skip
def test_addresses_mean_the_same_to_sqlalchemy_and_libpq(address: str, same_for_libpq: str) -> None:
    assert conninfo(parsed(address)) == same_for_libpq
    assert conninfo(parsed(parsed(address).render_as_string(hide_password=False))) == same_for_libpq
