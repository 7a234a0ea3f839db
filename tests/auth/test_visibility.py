"""What is private is to others as if it was never reported, by whatever way they come."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection

from spackmon.auth.audit import changes_of_rights
from spackmon.auth.groups import (
    add_group,
    add_member,
    set_default_visibility,
)
from spackmon.auth.people import add_person
from spackmon.auth.tokens import create_token
from spackmon.status import Visibility
from spackmon.viewer import ADMIN, READ, WRITE
from tests.databases import PostgresqlDatabases
from tests.player import Player
from tests.server import Server, in_database, served

PEOPLE = ("hidden", "friend", "other")
MOST_ADDRESSES = 50
_LINK = re.compile(r'href="(/(?!static|docs|api/docs|graphql|login|account|admin)[^"#]*)')
ADDRESSES = [
    "/", "/builds", "/builds.csv", "/builds.ndjson", "/packages", "/specs", "/errors", "/stats",
    "/feeds/builds.atom", "/feeds/errors.atom", "/badge/zlib.svg", "/api/builds/", "/api/specs/",
    "/api/buildphases/", "/ms1/specs/name/zlib/", "/search?q=zlib",
]  # fmt: skip


def credentials(server: Server, person: str) -> dict[str, str]:
    token = in_database(server, lambda c: create_token(c, person, [READ, WRITE]))
    return {"Authorization": f"Bearer {token}"}


def _set_up(connection: Connection) -> None:
    for name in PEOPLE:
        add_person(connection, name)
    add_group(connection, "vault")
    for name in PEOPLE[:2]:
        add_member(connection, "vault", name)
    set_default_visibility(connection, "hidden", Visibility.PRIVATE, "vault")


@pytest.fixture
def sites(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Server, Server]]:
    """One with private reports and public ones, and one where the private ones were never sent."""
    with ExitStack() as stack:
        is_sqlite = database_url.startswith("sqlite")
        if is_sqlite:
            template = request.getfixturevalue("sqlite_template")
            path = tmp_path / "other.db"
            path.write_bytes(template.read_bytes())
            other_url = f"sqlite:///{path}"
        else:
            databases: PostgresqlDatabases = request.getfixturevalue("postgresql_databases")
            other_url = stack.enter_context(databases.fresh())
        found = []
        for place, url in enumerate((database_url, other_url)):
            directory = tmp_path / str(place)
            server = stack.enter_context(served(url, directory))
            in_database(server, _set_up)
            assert Player(server.url, server.user, server.token).play("0.17-success") == []
            found.append(server)
        private = found[0]
        token = in_database(private, lambda c: create_token(c, "hidden", [WRITE]))
        for session in ("0.17-fail", "0.17-analyze"):
            assert Player(private.url, "hidden", token).play(session) == []
        yield found[0], found[1]


def _plain(server: Server, answer: httpx.Response) -> list[str]:
    """What an answer says, but for where and when it is."""
    text = answer.text.replace(server.url, "").replace(server.url.removeprefix("http://"), "")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)?", "MOMENT", text)
    text = re.sub(r'"cursor=[^"]*', '"cursor', text)
    text = re.sub(r"\d+(\.\d+)?( (ms|s|seconds?|minutes?)\b( ago)?|%)|\d+\.\d+", "NUMBER", text)
    return [str(answer.status_code), *text.splitlines()]


def _addresses(server: Server, headers: dict[str, str]) -> list[str]:
    """What a member of the group comes to, from page to page."""
    found, waiting = dict.fromkeys(ADDRESSES), list(ADDRESSES)
    while waiting:
        text = server.http.get(waiting.pop(0), headers=headers).text
        for address in (one.replace("&amp;", "&") for one in _LINK.findall(text)):
            if address not in found and len(found) < MOST_ADDRESSES:
                found[address] = None
                waiting.append(address)
    return list(found)


def test_every_address_says_what_it_would_if_nothing_private_had_been_reported(
    sites: tuple[Server, Server],
) -> None:
    private, public = sites
    friend, other = credentials(private, "friend"), credentials(private, "other")
    differ = 0
    for path in _addresses(private, friend):
        expected = _plain(public, public.http.get(path))
        seen = _plain(private, private.http.get(path, headers=friend))
        differ += seen != expected
        for headers in ({}, other):
            assert _plain(private, private.http.get(path, headers=headers)) == expected, path
    assert differ > 20


def test_the_owner_of_a_build_and_an_administrator_say_who_may_see_it(server: Server) -> None:
    in_database(server, _set_up)
    in_database(server, lambda connection: add_group(connection, "others"))
    in_database(server, lambda connection: add_person(connection, "root", role="admin"))
    root = in_database(server, lambda connection: create_token(connection, "root", [ADMIN]))
    tokens = {name: credentials(server, name)["Authorization"].split()[1] for name in PEOPLE}
    public = {"visibility": "PUBLIC"}
    assert Player(server.url, "hidden", tokens["hidden"]).play("0.17-fail") == []

    def count() -> int:
        return int(server.ask("{ builds { totalCount } }")["builds"]["totalCount"])

    def says(token: str, **wanted: Any) -> Any:
        return server.post("/api/builds/1/visibility", wanted, token).json()

    assert count() == 0
    assert says(tokens["friend"], **public)["error"] == "BUILD_UNKNOWN"
    assert says(tokens["hidden"], **public)["code"] == 200
    assert count() == 1
    assert says(tokens["friend"], visibility="PRIVATE")["error"] == "BUILD_NOT_YOURS"
    assert says(tokens["hidden"], visibility="PRIVATE", group="others")["error"] == "GROUP_UNKNOWN"
    assert says(tokens["hidden"], visibility="INTERNAL", group="vault")["error"] == "VISIBILITY_INVALID"
    for wanted in ({}, {"visibility": 1}, {"visibility": "PUBLIC", "group": "a\0"}):
        assert says(tokens["hidden"], **wanted)["error"] == "FIELD_INVALID"
    assert count() == 1
    assert says(root, visibility="PRIVATE", group="others")["code"] == 200
    assert count() == 0
    newest = in_database(server, lambda connection: changes_of_rights(connection, 1))[0]
    assert (newest.actor, newest.address, newest.subject) == ("root", "127.0.0.1", "hidden")
    assert newest.detail == "build 1: PRIVATE for others"
