"""`DEFAULT_VISIBILITY`: whom the reports of new people are for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from spackmon.auth.groups import set_default_visibility
from spackmon.auth.people import use_for_site
from spackmon.models import Audience, DefaultAudience, Person
from spackmon.status import Visibility
from tests.cli.command import Shell
from tests.player import Player
from tests.server import Server, in_database, new_token, served

COUNT = {"query": "{ builds { totalCount } specs { totalCount } }"}


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    use_for_site(Visibility.PUBLIC)


def _seen(server: Server, token: str | None = None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    data = server.http.post("/graphql", json=COUNT, headers=headers).json()["data"]
    assert bool(data["builds"]["totalCount"]) == bool(data["specs"]["totalCount"])
    count: int = data["builds"]["totalCount"]
    return count


def test_what_new_people_report_is_for_whom_the_setting_says(sqlite_url: str, tmp_path: Path) -> None:
    Shell(sqlite_url, tmp_path).done("user", "add", "earlier")
    with served(sqlite_url, tmp_path, default_visibility="internal", disable_authentication=True) as server:
        # Nobody has signed in yet: these are the reports of `anonymous`.
        assert Player(server.url, "", "").play("0.17-success") == []
        assert (_seen(server), _seen(server, server.token) > 0) == (0, True)
    with served(sqlite_url, tmp_path, default_visibility="private") as server:
        ada, eve = new_token(sqlite_url, "ada"), new_token(sqlite_url, "eve")
        internal = _seen(server, eve)
        assert Player(server.url, "ada", ada).play("0.17-fail") == []
        assert (_seen(server), _seen(server, eve)) == (0, internal)
        assert _seen(server, ada) > internal
        in_database(server, lambda c: set_default_visibility(c, "eve", Visibility.PUBLIC))
        assert Player(server.url, "eve", eve).play("0.17-fail") == []
        assert _seen(server) > 0
    Shell(sqlite_url, tmp_path).done("user", "add", "carl", SPACKMON_DEFAULT_VISIBILITY="internal")
    audiences = select(Person.name, Audience.key).outerjoin(
        DefaultAudience, DefaultAudience.person_id == Person.id
    )
    audiences = audiences.outerjoin(Audience, Audience.id == DefaultAudience.audience_id)
    found = dict(in_database(server, lambda c: c.execute(audiences).all()))
    assert (found["carl"], found["earlier"], found["anonymous"]) == ("INTERNAL", None, "INTERNAL")
