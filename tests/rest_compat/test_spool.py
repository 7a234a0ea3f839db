"""An outage that is longer than writes are held: reports are acknowledged, spooled, and applied after it."""

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, select, update

from spackmon.auth.access_tokens import Claims
from spackmon.auth.people import add_person
from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.database import Database
from spackmon.ingest import inbox
from spackmon.large_bytes import AnyBytes
from spackmon.models import SubmissionBatch, Token, utc_now
from spackmon.ops.migrations import upgrade
from spackmon.ops.spool import Spool, Spooled
from spackmon.rest_compat.replays import reader
from spackmon.submission import Submission
from tests import player
from tests.databases import PostgresqlServer
from tests.player import Player
from tests.server import USER, Server, in_database, served, served_by_process
from tests.waiting import until

OTHER = "0.17-success"
WHOLE = """{
  builds(first: 50) { nodes {
    status spec { name } attempts { nodes { number status phases { nodes { name status } } } }
  } }
}"""


def begun(client: Player) -> list[dict[str, Any]]:
    """Play a session until all its builds have begun; what its client reports of them then."""
    session = list(player.exchanges("0.17-upload"))
    session = session[: [e["path"] for e in session].index("/ms1/specs/new/", 2)]
    last = max(place for place, e in enumerate(session) if e["path"].endswith("builds/new/"))
    for exchange in session[: last + 1]:
        assert client.play_one(exchange) is None
    return session[last + 1 :]


def report(client: Player, exchange: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(exchange["request_body"])
    body["build_id"] = client.build_ids[body["build_id"]]
    status, answer = client.write(exchange["path"], json.dumps(body).encode())
    assert status in player.GO_ON, answer
    data: dict[str, Any] = json.loads(answer)["data"]
    return data


def refusals(client: Player) -> list[str]:
    """What ends a client that plays a whole session; in an outage its answers have other words and nulls."""
    return [problem for problem in client.play(OTHER) if "was recorded" not in problem]


def settled(server: Server) -> Any:
    """What the database holds when the spool is empty."""
    until(lambda: waiting_in(spool_of(server)) == 0, "the empty spool")
    return server.ask(WHOLE)


def waiting_in(spool: Path) -> int:
    return sum(path.suffix == ".report" for path in spool.iterdir())


def spool_of(server: Server) -> Path:
    assert server.log is not None
    return server.log.parent / "spool"


@pytest.fixture
def undisturbed(postgresql_url: str, tmp_path: Path) -> Any:
    """What the database holds of the same session without an outage."""
    with served(postgresql_url, tmp_path / "undisturbed") as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        for exchange in rest[:-2]:
            report(client, exchange)
        assert Player(server.url, server.user, server.token).play(OTHER) == []
        for exchange in rest[-2:]:
            report(client, exchange)
        return server.ask(WHOLE)


def test_a_build_goes_on_through_a_long_outage_and_a_killed_server_and_is_whole_afterwards(
    private_postgresql: PostgresqlServer, tmp_path: Path, undisturbed: Any
) -> None:
    short = {"SPACKMON_HOLD_SECONDS": "0.1"}
    with served_by_process(private_postgresql.url, tmp_path, short) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        report(client, rest[0])
        private_postgresql.stop()
        for exchange in rest[1:-2]:
            answer = report(client, exchange)
            # What only the database knows is not invented.
            assert answer.get("build_phase", {"id": None})["id"] is None
        # Somebody else's install begins, builds and ends meanwhile; its numbers lead to its builds.
        other = Player(server.url, server.user, server.token)
        assert refusals(other) == []
        numbers = set(other.build_ids.values())
        token = server.token
        modes = {stat.S_IMODE(path.stat().st_mode) for path in spool_of(server).iterdir()}
        assert modes == {0o600}
    with served_by_process(private_postgresql.url, tmp_path, short, token) as server:
        client.url = server.url
        private_postgresql.start()
        # In their order: what comes now goes behind what was spooled.
        for exchange in rest[-2:]:
            report(client, exchange)
        assert settled(server) == undisturbed
        page = server.http.get(f"/builds/{min(numbers)}", follow_redirects=True)
        assert page.status_code == 200
        asked = server.ask("query ($id: ID!) { build(id: $id) { id } }", {"id": str(min(numbers))})
        assert asked["build"]["id"] not in map(str, numbers)


def test_reports_are_applied_once_though_the_server_is_killed_while_it_applies_them(
    private_postgresql: PostgresqlServer, tmp_path: Path, undisturbed: Any
) -> None:
    with served_by_process(private_postgresql.url, tmp_path, {"SPACKMON_HOLD_SECONDS": "0.1"}) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        private_postgresql.stop()
        for exchange in rest[:-2]:
            report(client, exchange)
        assert refusals(Player(server.url, server.user, server.token)) == []
        for exchange in rest[-2:]:
            report(client, exchange)
    token = server.token
    private_postgresql.start()
    spool = spool_of(server)
    count = waiting_in(spool)
    with served_by_process(private_postgresql.url, tmp_path, token=token):
        until(lambda: waiting_in(spool) < count, "the first that is applied")
    with served_by_process(private_postgresql.url, tmp_path, token=token) as server:
        assert settled(server) == undisturbed


def test_what_turns_out_not_to_be_the_senders_to_report_waits_in_the_inbox(
    private_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with served_by_process(private_postgresql.url, tmp_path, {"SPACKMON_HOLD_SECONDS": "0.1"}) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        private_postgresql.stop()
        report(client, rest[0])
        # Nobody can vouch for who was never seen, or has the wrong key.
        assert server.post(rest[0]["path"], {}, token="0" * 64).status_code in (401, 503)
        assert server.post(rest[0]["path"], {}, token="a.b.c").status_code == 401
    private_postgresql.start()
    token_id = in_database(server, lambda c: list_tokens(c, USER)[0].id)
    in_database(server, lambda c: revoke_token(c, token_id))
    with served_by_process(private_postgresql.url, tmp_path) as server:
        settled(server)
        (entry,) = in_database(server, inbox.entries)
        assert (entry.kind, entry.person, entry.error_code) == ("builds/phases/update", USER, "TOKEN_REVOKED")


def test_a_report_waits_longer_than_its_token_lasts(database: Database, tmp_path: Path) -> None:
    """What came while the token was good is applied; what comes after its end waits in the inbox."""
    database.write(lambda connection: add_person(connection, USER))
    database.write(lambda connection: create_token(connection, USER))
    spool = Spool(tmp_path)
    report = Spooled("builds/update", Claims(USER, 1), b'{"build_id": 1, "status": "SUCCESS"}')
    spool.put(report)
    database.write(lambda connection: connection.execute(update(Token).values(expires_at=utc_now())))
    spool.put(report)
    spool.drain(database, reader(frozenset()))
    codes = [entry.error_code for entry in database.read_once(inbox.entries)]
    assert codes == ["BUILD_UNKNOWN", "TOKEN_REVOKED"]


SPOOLED = reader(frozenset())


def out_of_memory() -> None:
    raise psycopg.errors.OutOfMemory("out of memory")


def connection_lost() -> None:
    raise psycopg.OperationalError("server closed the connection unexpectedly")


def process_killed() -> None:
    raise SystemExit


def disk_unreadable() -> None:
    raise AssertionError("its file is replaced by a directory")


@pytest.mark.parametrize(
    ("meet", "reason"),
    [
        (out_of_memory, "the database has no memory left, 6 times"),
        (connection_lost, "the database does not answer, 6 times"),
        (process_killed, "the service ended while it was applied, 6 times"),
        (disk_unreadable, "its file cannot be read: Is a directory, 6 times"),
    ],
)
def test_a_report_that_fails_every_time_is_set_aside_and_those_behind_it_are_applied(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    meet: Callable[[], None],
    reason: str,
) -> None:
    """It stays on the disk and is listed; put back, it is applied before what came later."""
    monkeypatch.setattr(Spool, "first_pause_seconds", 0.0)
    directory = tmp_path / "spool"
    spool_reports(directory, "builds/update", "poison", "builds/update")
    (poison,) = [path for path in directory.iterdir() if b"poison" in path.read_bytes()]
    if meet is disk_unreadable:
        poison.rename(tmp_path / "poison")
        poison.mkdir()

    def read(kind: str, body: AnyBytes) -> Iterable[Submission]:
        if kind == "poison":
            meet()
        return SPOOLED("builds/update", body)

    tries = 0
    while not (spool := Spool(directory)).is_empty():
        tries += 1
        try:
            # A new one each time: the number of tries outlives a process.
            spool.drain(database, read)
        except SystemExit:
            continue
    # Where SQLite applied it with others the process ended once more.
    assert tries == 7 + (meet is process_killed and database.is_sqlite)
    assert builds_in_inbox(database) == [1, 3]
    (aside,) = spool.set_aside()
    assert aside.reason == reason
    if meet is disk_unreadable:
        poison.with_suffix(".aside").rmdir()
        (tmp_path / "poison").rename(poison.with_suffix(".aside"))
    (aside,) = spool.set_aside()
    assert (aside.person, aside.kind) == ("anonymous", "poison")
    spool.put_back(aside.name)
    assert not spool.set_aside()
    spool.drain(database, lambda _, body: SPOOLED("builds/update", body))
    assert builds_in_inbox(database) == [1, 3, 2]
    assert {path.name for path in directory.iterdir()} == {"lock", "order", "tries"}


def test_no_report_is_set_aside_while_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that holds the database for as long as it likes is no fault of a report."""
    monkeypatch.setattr(Spool, "first_pause_seconds", 0.0)
    path = tmp_path / "spackmon.db"
    upgrade(f"sqlite:///{path}")
    database = Database(f"sqlite:///{path}")
    event.listen(
        database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1")
    )
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    spool_reports(tmp_path / "spool", "builds/update", "builds/update")
    spool = Spool(tmp_path / "spool")
    for _ in range(20):
        spool.drain(database, SPOOLED)
    assert not spool.set_aside()
    other.execute("ROLLBACK")
    spool.drain(database, SPOOLED)
    assert spool.is_empty()
    assert builds_in_inbox(database) == [1, 2]
    database.close()


def test_waiting_for_a_lock_sets_no_report_aside(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "first_pause_seconds", 0.0)
    spool_reports(tmp_path, "builds/update", "builds/update")
    spool = Spool(tmp_path)

    def locked(kind: str, body: AnyBytes) -> Iterable[Submission]:
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")

    for _ in range(20):
        spool.drain(database, locked)
    assert not spool.set_aside()
    spool.drain(database, SPOOLED)
    assert builds_in_inbox(database) == [1, 2]


def test_a_report_that_not_even_the_inbox_takes_is_set_aside(database: Database, tmp_path: Path) -> None:
    spool_reports(tmp_path, "\ud800", "builds/update")
    spool = Spool(tmp_path)
    spool.drain(database, SPOOLED)
    assert builds_in_inbox(database) == [2]
    (aside,) = spool.set_aside()
    assert "could be written" in aside.reason


def test_many_reports_are_applied_each_once_and_in_their_order(database: Database, tmp_path: Path) -> None:
    """By few transactions in SQLite; also where a process ended between committing and removing the files."""
    spool_reports(tmp_path / "spool", *["builds/update"] * 40)
    shutil.copytree(tmp_path / "spool", tmp_path / "before")
    commits = []
    database.on_write.append(lambda: commits.append(1))
    Spool(tmp_path / "spool").drain(database, SPOOLED)
    assert len(commits) < 5 or not database.is_sqlite
    Spool(tmp_path / "before").drain(database, SPOOLED)
    assert builds_in_inbox(database) == list(range(1, 41))
    long_ago = utc_now() - timedelta(hours=2)
    database.write(lambda c: c.execute(update(SubmissionBatch).values(updated_at=long_ago)))
    spool_reports(tmp_path / "spool", "builds/update")
    Spool(tmp_path / "spool").drain(database, SPOOLED)
    assert len(database.read_once(lambda c: c.execute(select(SubmissionBatch.id)).all())) == 1


def spool_reports(directory: Path, *kinds: str) -> None:
    """Put a report of each kind into a spool, about the builds 1, 2 and so on."""
    spool = Spool(directory)
    for build_id, kind in enumerate(kinds, 1):
        body = json.dumps({"build_id": build_id, "status": "SUCCESS"}).encode()
        spool.put(Spooled(kind, Claims("anonymous", None), body))


def builds_in_inbox(database: Database) -> list[int]:
    entries = database.read_once(inbox.entries)
    bodies = [database.read_once(lambda c, e=entry: inbox.show(c, e.id)[1]) for entry in entries]  # type: ignore[misc]
    return [json.loads(body)["build_id"] for body in bodies]
