"""The database goes away under a write, or the server is killed: nothing acknowledged is lost or halved."""

import asyncio
import contextlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text
from structlog.testing import capture_logs

from benchmarks.faults.clients import Client, play, session_of
from benchmarks.faults.overload import READERS
from benchmarks.faults.verdict import left_by
from benchmarks.faults.wire import Cut, wired
from spackmon.database import Database
from spackmon.database.roles import READER
from spackmon.graph.packed_claims import unpack
from spackmon.models import Closure, Dependency, Spec, SpecDocument, SpecHash
from tests import player
from tests.databases import PostgresqlServer
from tests.player import Player
from tests.server import Server, served, served_by_process
from tests.waiting import GIVE_UP_SECONDS, until

# No report needs the table that it asks for.
IN_THE_WAY = "{ advisories(first: 1) { nodes { identifier } } }"


@pytest.mark.parametrize("away", [PostgresqlServer.stop, PostgresqlServer.kill])
def test_writes_are_held_while_postgresql_is_away(
    private_postgresql: PostgresqlServer,
    tmp_path: Path,
    away: Callable[[PostgresqlServer], None],
) -> None:
    # How long a start of PostgreSQL takes says how busy this machine is.
    hold = {"hold_seconds": GIVE_UP_SECONDS}
    with capture_logs() as lines, served(private_postgresql.url, tmp_path, **hold) as server:

        def restart() -> None:
            away(private_postgresql)
            until(lambda: is_seen(lines), "a write that meets the outage")
            private_postgresql.start()

        assert Player(server.url, server.user, server.token).play("0.17-success") == []
        restarting = threading.Thread(target=restart)
        restarting.start()
        played = 0
        # Through the outage and beyond: requests meet every moment of it, the token endpoint too.
        while restarting.is_alive() or played == 0:
            client = Player(server.url, server.user, server.token)
            assert client.play("0.17-fail") == []
            played += 1
        restarting.join()
        assert_whole(server.database_url)


def test_a_commit_whose_answer_is_lost_leaves_nothing_twice_and_no_client_dies(
    postgresql_url: str, tmp_path: Path
) -> None:
    database = make_url(postgresql_url)
    with wired(f"{database.query['host']}/.s.PGSQL.5432") as wire:
        by_wire = f"postgresql://{database.username}@127.0.0.1:{wire.port}/{database.database}"
        with served(by_wire, tmp_path) as server:
            client = Client(0, server.url, server.user, server.token)
            left = []
            for number, cut in enumerate(Cut):
                wire.cut, wire.cuts = cut, 0
                session = play(client, "0.17-fail", number, session_of("0.17-fail", number))
                assert session.death is None
                assert (wire.cuts > 0) == (cut is not Cut.NOWHERE)
                wire.cut = Cut.NOWHERE
                left.append(left_by(server.url, "0.17-fail", number))
    assert left[0]
    assert left == [left[0]] * len(Cut)


def test_ten_times_as_many_readers_are_refused_while_reports_go_on(
    postgresql_url: str, tmp_path: Path
) -> None:
    with served(postgresql_url, tmp_path, hold_seconds=0.5) as server:
        refused = asyncio.run(crowded(server))
        assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} == {(503, "5")}
        codes = {answer.json()["errors"][0]["extensions"]["code"] for answer in refused}
        assert codes == {"DATABASE_BUSY"}
        assert server.ask(IN_THE_WAY) == {"advisories": {"nodes": []}}


async def crowded(server: Server) -> list[httpx.Response]:
    """What those readers are answered who get no turn, while a client reports a whole session."""
    engine = create_engine(Database(server.database_url).url)
    limits = httpx.Limits(max_connections=READERS)
    async with httpx.AsyncClient(base_url=server.url, timeout=GIVE_UP_SECONDS, limits=limits) as client:
        with engine.connect() as connection:
            connection.execute(text("LOCK TABLE advisory IN ACCESS EXCLUSIVE MODE"))
            readers = [
                asyncio.ensure_future(client.post("/graphql", json={"query": IN_THE_WAY}))
                for _ in range(READERS)
            ]
            player = Player(server.url, server.user, server.token)
            assert await asyncio.to_thread(player.play, "0.17-fail") == []
            without_turn = islice(asyncio.as_completed(readers), READERS - READER.connections)
            refused = [await answer for answer in without_turn]
        await asyncio.gather(*readers)
    engine.dispose()
    return refused


def is_seen(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether something came back from a database that is away."""
    return any(line["event"] == "database_trouble" for line in list(lines))


def test_readiness_tells_that_the_database_is_away_and_the_process_stays_healthy(
    private_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with served(private_postgresql.url, tmp_path) as server:
        assert server.http.get("/readyz").status_code == 200
        private_postgresql.stop()
        assert server.http.get("/readyz").status_code == 503
        assert server.http.get("/healthz").status_code == 200
        private_postgresql.start()
        assert server.http.get("/readyz").status_code == 200


def test_a_server_killed_while_it_writes_leaves_no_half_graph(database_url: str, tmp_path: Path) -> None:
    recorded = next(e for e in player.exchanges("0.17-success") if e["path"].endswith("specs/new/"))
    bodies = [variant(recorded["request_body"], number) for number in range(150)]
    acknowledged: list[bytes] = []
    with served_by_process(database_url, tmp_path) as server, ThreadPoolExecutor(8) as pool:
        assert server.process is not None

        def post(body: bytes) -> None:
            with contextlib.suppress(httpx.TransportError):
                if server.post("/ms1/specs/new/", body).status_code == 201:
                    acknowledged.append(body)

        posts = [pool.submit(post, body) for body in bodies]
        until(lambda: len(acknowledged) >= 20, "the twentieth answer")
        server.process.kill()
        for one in posts:
            one.result()
    assert 20 <= len(acknowledged) < len(bodies)
    assert_whole(database_url)
    with served(database_url, tmp_path) as server:
        for body in acknowledged:
            assert server.post("/ms1/specs/new/", body).status_code == 200
        for body in bodies:
            assert server.post("/ms1/specs/new/", body).status_code in player.GO_ON
    assert_whole(database_url)
    assert count_of_specs(database_url) == len(bodies) * len(json.loads(bodies[0])["spec"]["nodes"])


def variant(body: str, number: int) -> bytes:
    """The same graph with other hashes throughout."""
    ending = "".join("abcdefghij"[int(digit)] for digit in f"{number:06d}")
    return re.sub(r'(hash": "[a-z2-7]{26})[a-z2-7]{6}"', rf'\g<1>{ending}"', body).encode()


def assert_whole(database_url: str) -> None:
    """Every spec has its identity among its hashes, its document, all its edges, and a true closure."""
    _read(database_url, _assert_whole)


def _assert_whole(connection: Connection) -> None:
    specs = {row.id: row for row in connection.execute(select(Spec.id, Spec.hash, Spec.hash_kind))}
    known = {
        tuple(row) for row in connection.execute(select(SpecHash.spec_id, SpecHash.value, SpecHash.kind))
    }
    assert {(row.id, row.hash, row.hash_kind) for row in specs.values()} <= known
    children: dict[int, set[int]] = defaultdict(set)
    for parent_id, child_id in connection.execute(select(Dependency.parent_id, Dependency.child_id)):
        children[parent_id].add(child_id)
    rows = connection.execute(select(SpecDocument.spec_id, SpecDocument.packed, SpecDocument.dictionary))
    documents = [(spec_id, unpack(packed, dictionary)[0]) for spec_id, packed, dictionary in rows]
    assert {spec_id for spec_id, _ in documents} == set(specs)
    for spec_id, document in documents:
        assert len(children[spec_id]) == len(json.loads(document).get("dependencies", ()))
    below = {(spec_id, lower) for spec_id in specs for lower in _below(spec_id, children)}
    assert below == {
        tuple(row) for row in connection.execute(select(Closure.ancestor_id, Closure.descendant_id))
    }


def _below(spec_id: int, children: dict[int, set[int]]) -> set[int]:
    reached: set[int] = set()
    pending = [spec_id]
    while pending:
        new = children[pending.pop()] - reached
        reached |= new
        pending += new
    return reached


def count_of_specs(database_url: str) -> int:
    """All specs there are."""
    return _read(database_url, lambda connection: len(connection.execute(select(Spec.id)).all()))


def _read(database_url: str, work: Callable[[Connection], Any]) -> Any:
    database = Database(database_url)
    try:
        return database.read_once(work)
    finally:
        database.close()
