"""An outage that is longer than writes are held: reports are acknowledged, spooled, and applied after it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from spackmon.auth.access_tokens import Claims
from spackmon.auth.people import add_person
from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.database import Database
from spackmon.ingest import inbox
from spackmon.models import Token, utc_now
from spackmon.ops.migrations import upgrade
from spackmon.ops.spool import Spool, Spooled
from spackmon.rest_compat.replays import reader
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


@pytest.fixture
def site(private_postgresql: PostgresqlServer) -> PostgresqlServer:
    upgrade(private_postgresql.url)
    return private_postgresql


def begun(client: Player) -> list[dict[str, Any]]:
    """Play a session until all its builds have begun; what its client reports of them then."""
    session = list(player.exchanges("0.17-upload"))
    session = session[: [e["path"] for e in session].index("/ms1/specs/new/", 2)]
    last = max(place for place, e in enumerate(session) if e["path"].endswith("builds/new/"))
    for exchange in session[: last + 1]:
        assert client._play(exchange) is None
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
    site: PostgresqlServer, tmp_path: Path, undisturbed: Any
) -> None:
    short = {"SPACKMON_HOLD_SECONDS": "0.5"}
    with served_by_process(site.url, tmp_path, short) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        report(client, rest[0])
        site.stop()
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
    with served_by_process(site.url, tmp_path, short, token) as server:
        client.url = server.url
        site.start()
        # In their order: what comes now goes behind what was spooled.
        for exchange in rest[-2:]:
            report(client, exchange)
        assert settled(server) == undisturbed
        page = server.http.get(f"/builds/{min(numbers)}", follow_redirects=True)
        assert page.status_code == 200
        asked = server.ask("query ($id: ID!) { build(id: $id) { id } }", {"id": str(min(numbers))})
        assert asked["build"]["id"] not in map(str, numbers)


def test_reports_are_applied_once_though_the_server_is_killed_while_it_applies_them(
    site: PostgresqlServer, tmp_path: Path, undisturbed: Any
) -> None:
    with served_by_process(site.url, tmp_path, {"SPACKMON_HOLD_SECONDS": "0.5"}) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        site.stop()
        for exchange in rest[:-2]:
            report(client, exchange)
        assert refusals(Player(server.url, server.user, server.token)) == []
        for exchange in rest[-2:]:
            report(client, exchange)
    token = server.token
    site.start()
    spool = spool_of(server)
    count = waiting_in(spool)
    with served_by_process(site.url, tmp_path, token=token):
        while waiting_in(spool) == count:
            pass
    with served_by_process(site.url, tmp_path, token=token) as server:
        assert settled(server) == undisturbed


def test_what_turns_out_not_to_be_the_senders_to_report_waits_in_the_inbox(
    site: PostgresqlServer, tmp_path: Path
) -> None:
    with served_by_process(site.url, tmp_path, {"SPACKMON_HOLD_SECONDS": "0.5"}) as server:
        client = Player(server.url, server.user, server.token)
        rest = begun(client)
        site.stop()
        report(client, rest[0])
        # Nobody can vouch for who was never seen, or has the wrong key.
        assert server.post(rest[0]["path"], {}, token="0" * 64).status_code in (401, 503)
        assert server.post(rest[0]["path"], {}, token="a.b.c").status_code == 401
    site.start()
    token_id = in_database(server, lambda c: list_tokens(c, USER)[0].id)
    in_database(server, lambda c: revoke_token(c, token_id))
    with served_by_process(site.url, tmp_path) as server:
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
