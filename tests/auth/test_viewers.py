"""Who reads sees what they may see, however they ask; tokens are for something, and end."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import argon2
import httpx
import jwt
import pytest
from sqlalchemy import Connection, make_url, update

from spackmon.auth import gate
from spackmon.auth.people import (
    add_person,
    disable_person,
    hash_of_none,
    hash_password,
    is_password,
    set_role,
)
from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.client import Client
from spackmon.errors import Refused
from spackmon.models import Person, utc_now
from spackmon.viewer import ADMIN, READ, WRITE
from tests.player import Player
from tests.server import USER, Server, in_database, served
from tests.waiting import until

ENVIRONMENT = "{ builds(first: 9) { nodes { environmentVariables { name value } } } }"
BY_VARIABLE = (
    '{ builds(where: {environmentVariables: {some: {name: {ge: ""}}}}) { totalCount }'
    ' not: builds(where: {not: {environmentVariables: {some: {name: {ge: ""}}}}}) { totalCount } }'
)
FILES = "{ builds(first: 9) { nodes { installFiles(first: 9) { nodes { path owner group mode } } } } }"


@pytest.fixture
def private(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A site that hides what describes machines, with a recorded analysis in it."""
    with served(database_url, tmp_path, environment_access="authenticated") as server:
        assert Player(server.url, server.user, server.token).play("0.17-analyze") == []
        yield server


def headers(server: Server, *scopes: str, **of: float) -> dict[str, str]:
    """What somebody sends whose token has these scopes."""
    ends = utc_now() + timedelta(days=of["days"]) if "days" in of else None
    if ADMIN in scopes:
        in_database(server, lambda c: set_role(c, USER, "admin"))
    token = in_database(server, lambda c: create_token(c, USER, scopes, ends))
    return {"Authorization": f"Bearer {token}"}


def ask(server: Server, query: str, headers: dict[str, str] | None = None) -> str:
    answer = server.http.post("/graphql", json={"query": query}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert "errors" not in answer.json(), answer.text
    return json.dumps(answer.json()["data"])


def test_what_describes_machines_is_shown_to_those_who_are_known(private: Server) -> None:
    known = headers(private, READ)
    variables = ask(private, ENVIRONMENT, known)
    assert '"name": "' in variables
    assert '"name": "' not in ask(private, ENVIRONMENT)
    # Nor can it be found out by asking for it.
    seen, hidden = json.loads(ask(private, BY_VARIABLE, known)), json.loads(ask(private, BY_VARIABLE))
    assert seen["builds"]["totalCount"] > 0
    assert hidden["builds"]["totalCount"] == 0
    assert hidden["not"]["totalCount"] == seen["builds"]["totalCount"] + seen["not"]["totalCount"]
    owners = json.loads(ask(private, FILES, known))["builds"]["nodes"]
    files = json.loads(ask(private, FILES))["builds"]["nodes"]
    assert any(f["owner"] is not None for build in owners for f in build["installFiles"]["nodes"])
    for build in owners:
        for file in build["installFiles"]["nodes"]:
            file["owner"] = file["group"] = None
    assert files == owners
    # The plans are the same, whoever asked first.
    assert ask(private, ENVIRONMENT, known) == variables


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def test_on_a_public_site_credentials_of_others_are_none_and_ended_tokens_are_refused(
    private: Server,
) -> None:
    """A proxy hands on what was for it; whoever shows an ended token learns that it has ended."""

    def status(authorization: str) -> tuple[int, str | None]:
        answer = private.http.post(
            "/graphql", json={"query": ENVIRONMENT}, headers={"Authorization": authorization}
        )
        if answer.status_code == 200:
            assert '"name":"' not in answer.text
            # Others than these would show more: RFC 9110, section 11.6.1.
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        return answer.status_code, answer.json().get("error")

    in_database(private, lambda c: add_person(c, "ada", "a long password"))
    foreign = [
        basic("proxy", "secret"), basic("proxy", "0" * 64), basic(USER, "of the proxy"), "Basic !", "Basic",
        basic("ada", "another password"), basic("ada", "0" * 64),
        "Bearer " + "0" * 64, "Bearer a.b.c", "Bearer", "Negotiate YII=", "Digest username=ada", "ada",
        "Bearer " + jwt.encode({"sub": USER}, "k" * 32), "Basic " + base64.b64encode(b"\xe9:\xe9").decode(),
    ]  # fmt: skip
    assert {header: status(header) for header in foreign} == dict.fromkeys(foreign, (200, None))
    ended = headers(private, READ, days=-1)["Authorization"]
    key = in_database(private, lambda c: create_token(c, USER, [READ]))
    issued = private.http.get("/auth/token", headers={"Authorization": basic(USER, key)}).json()["token"]
    assert status(ended) == (401, "TOKEN_REVOKED")
    assert status(basic(USER, ended.split()[1])) == (401, "CREDENTIALS_WRONG")
    assert status(basic("proxy", key)) == (401, "CREDENTIALS_WRONG")
    assert status(headers(private, WRITE)["Authorization"]) == (403, "SCOPE_MISSING")
    in_database(
        private, lambda c: revoke_token(c, max(one.id for one in list_tokens(c) if one.scopes == READ))
    )
    assert status(f"Bearer {issued}") == (401, "TOKEN_REVOKED")


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed, which is all that takes long."""
    passwords: list[str] = []

    def is_password_noted(password_hash: str, password: str) -> bool:
        passwords.append(password)
        return is_password(password_hash, password)

    monkeypatch.setattr(gate, "is_password", is_password_noted)
    return passwords


def test_no_name_can_be_found_out_by_a_wrong_password(private: Server, judged: list[str]) -> None:
    def has_two(connection: Connection) -> None:
        add_person(connection, "ada", "a long password")
        add_person(connection, "left", "a long password")
        disable_person(connection, "left")

    in_database(private, has_two)
    # Somebody with a password, somebody who left, somebody who has tokens alone, and nobody.
    names = ("ada", "left", USER, "nobody")

    def asked(path: str, name: str) -> tuple[int, str, set[str]]:
        credentials = {"Authorization": basic(name, f"wrong for {path}")}
        answer = private.http.get(path, headers=credentials)
        return answer.status_code, answer.text.replace(name, "NAME"), set(answer.headers)

    for path in ("/graphql?query={builds{totalCount}}", "/auth/token"):
        answers = [asked(path, name) for name in names]
        assert answers == answers[:1] * len(names)
        assert judged == [f"wrong for {path}"] * len(names)
        judged.clear()
    assert argon2.extract_parameters(hash_of_none()) == argon2.extract_parameters(
        hash_password("a long password")
    )


def test_a_password_is_hashed_once_and_counts_no_longer_than_it_is_the_persons(
    private: Server, judged: list[str]
) -> None:
    in_database(private, lambda c: add_person(c, "ada", "a long password"))

    def status(password: str) -> int:
        return private.http.get("/auth/token", headers={"Authorization": basic("ada", password)}).status_code

    for password, expected in (("a long password", 200), ("a wrong password", 403)):
        assert [status(password) for _ in range(3)] == [expected] * 3
    assert judged == ["a long password", "a wrong password"]
    changed = hash_password("another password")
    of_ada = update(Person).where(Person.name == "ada")
    in_database(private, lambda c: c.execute(of_ada.values(password_hash=changed)))
    assert [status(password) for password in ("a long password", "another password")] == [403, 200]
    in_database(private, lambda c: disable_person(c, "ada"))
    assert status("another password") == 403


def test_exports_pages_and_the_old_reads_show_no_more(private: Server) -> None:
    known = headers(private, READ)
    query = {"query": "{ builds(first: 9) { nodes { id environmentVariables { name value } } } }"}
    accept = {"Accept": "application/x-ndjson"}
    shown = private.http.post("/graphql", json=query, headers={**accept, **known}).text
    assert '"name":"' in shown
    assert '"name":"' not in private.http.post("/graphql", json=query, headers=accept).text


def test_a_private_site_is_read_with_a_token_alone(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, read_access="authenticated") as server:
        assert Player(server.url, server.user, server.token).play("0.17-success") == []
        paths = ["/", "/graphql?query={__typename}", "/builds/1", "/ms1/specs/name/zlib/", "/api/builds/"]
        for path in paths:
            refused = server.http.get(path)
            assert refused.status_code == 401, path
            assert refused.headers["WWW-Authenticate"].startswith("Basic ")
            assert server.http.get(path, headers=headers(server, READ)).status_code in (200, 404), path
        assert server.http.post("/graphql", json={"query": "{ __typename }"}).status_code == 401
        for path in ("/healthz", "/readyz", "/ms1/"):
            assert server.http.get(path).status_code == 200
        token = headers(server, ADMIN)["Authorization"].removeprefix("Bearer ")
        for client in Client(server.url, token=token), Client(server.url, user=USER, token=token):
            assert client.query("{ __typename }") == {"__typename": "Query"}
        basic = base64.b64encode(f"{USER}:{token}".encode()).decode()
        assert server.http.get("/", headers={"Authorization": f"Basic {basic}"}).status_code == 200
        wrong = base64.b64encode(f"{USER}:{'0' * 64}".encode()).decode()
        assert server.http.get("/", headers={"Authorization": f"Basic {wrong}"}).status_code == 401
        assert server.http.get("/", headers=headers(server, WRITE)).status_code == 403


def test_a_token_is_for_what_it_was_made_for_until_it_ends(server: Server) -> None:
    def write(credentials: dict[str, str]) -> httpx.Response:
        return server.http.post("/ms1/builds/update/", json={"build_id": 1}, headers=credentials)

    assert write(headers(server, WRITE)).status_code == 400
    assert write(headers(server, ADMIN)).status_code == 400
    assert (write(headers(server, READ)).status_code, write(headers(server, READ)).json()["error"]) == (
        403,
        "SCOPE_MISSING",
    )
    assert write(headers(server, WRITE, days=1)).status_code == 400
    assert write(headers(server, WRITE, days=-1)).status_code == 401

    def used() -> list[str]:
        """The scopes of the tokens that were used."""
        return in_database(server, lambda c: [one.scopes for one in list_tokens(c) if one.last_used_at])

    until(lambda: used().count(WRITE) == 2, "the uses are written down")
    assert READ not in used()


def test_who_reads_with_a_token_waits_for_no_writer(sqlite_url: str, tmp_path: Path) -> None:
    """The use of a token is written down beside the request."""
    with served(sqlite_url, tmp_path, read_access="authenticated") as server:
        token = headers(server, READ)
        # Another process, such as an import: the service waits for its end in steps of seconds.
        with closing(sqlite3.connect(make_url(sqlite_url).database or "", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = server.http.post("/graphql", json={"query": "{ __typename }"}, headers=token, timeout=8)
            other.execute("ROLLBACK")
    assert answer.status_code == 200


def test_scopes_are_words_that_are_known(server: Server) -> None:
    in_database(server, lambda c: add_person(c, "ada"))
    for wrong in ([], ["write"], [READ, "build:read"]):
        with pytest.raises(Refused) as refused:
            in_database(server, lambda c, wrong=wrong: create_token(c, "ada", wrong))
        assert refused.value.code == "SCOPE_UNKNOWN"
    with pytest.raises(Refused) as refused:
        in_database(server, lambda c: create_token(c, "ada", [READ, ADMIN]))
    assert refused.value.code == "SCOPE_EXCEEDS_ROLE"
