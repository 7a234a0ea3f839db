"""Who may write: the docker-style exchange over HTTP, as old clients use it, and what ends it."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from sqlalchemy import Connection, Engine, event, insert, select, update

from spackmon.auth import gate
from spackmon.auth.people import add_person, disable_person, is_password
from spackmon.auth.signing_keys import Keys, StoredKey, rotate_key
from spackmon.auth.tokens import create_token, digest, list_tokens, revoke_token
from spackmon.models import Build, Person, Token, utc_now
from tests.player import Player
from tests.server import USER, Server, in_database, served, served_by_process

KEY = "a key of at least thirty-two bytes for the tests"
# Any write will do to see who is let in: this one is refused for what it lacks, but only then.
WRITE = "/ms1/builds/update/"


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{secret}'.encode()).decode()}"}


def is_let_in(server: Server, credentials: str) -> bool:
    status = server.http.post(WRITE, json={}, headers={"Authorization": credentials}).status_code
    assert status in (400, 401)
    return status == 400


def test_the_challenge_leads_an_old_client_to_a_token_that_writes(server: Server) -> None:
    refused = server.http.post(WRITE, json={})
    assert (refused.status_code, refused.json()["code"]) == (401, 401)
    challenge = dict(re.findall(r'([a-zA-z]+)="(.+?)"', refused.headers["Www-Authenticate"]))
    assert challenge == {
        "realm": f"{server.url}/auth/token/", "service": server.url, "scope": "build",
    }  # fmt: skip
    answer = server.http.get(challenge["realm"], headers=basic(server.user, server.token)).json()
    assert answer["expires_in"] == 600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["issued_at"])
    assert is_let_in(server, f"Bearer {answer['token']}")
    claims = jwt.decode(answer["token"], options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["access"]) == (
        challenge["realm"], server.user, [{"type": "build", "actions": ["build"]}],
    )  # fmt: skip
    assert claims["exp"] - claims["iat"] == 600
    assert {"nbf", "jti"} <= claims.keys()


def test_a_script_may_write_with_the_token_itself(server: Server) -> None:
    assert is_let_in(server, f"Bearer {server.token}")
    assert not is_let_in(server, f"Bearer {server.token[::-1]}")


def test_a_password_is_as_good_as_a_token_and_the_wrong_ones_are_not(server: Server) -> None:
    in_database(server, lambda connection: add_person(connection, "chosen", "correct horse"))
    ask = server.http
    assert ask.get("/auth/token/", headers=basic("chosen", "correct horse")).status_code == 200
    assert ask.get("/auth/token", headers=basic("chosen", "correct horse")).status_code == 200
    for name, secret in [("chosen", "wrong horse"), ("nobody", "correct horse"), (USER, "correct horse"),
                         ("chosen", server.token), (USER, "f" * 64), ("", ""), (USER, "")]:  # fmt: skip
        refused = ask.get("/auth/token/", headers=basic(name, secret))
        assert (refused.status_code, refused.json()["code"]) == (403, 403), (name, secret)


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 401), ("Bearer x", 401), ("Basic", 400), ("Basic !!!", 400), ("Basic dXNlcg==", 400),
     ("Basic gA==", 400), ("Basic AAAA", 400)],
)  # fmt: skip
def test_a_malformed_basic_header_is_answered_in_json(
    long_server: Server, header: str | None, status: int
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = long_server.http.get("/auth/token/", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, status)


@pytest.mark.parametrize(
    "credentials", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eDp5", "bearer \xad", "Bearer é"]
)  # fmt: skip
def test_what_is_no_credential_is_challenged(long_server: Server, credentials: str) -> None:
    raw = {"Authorization": credentials.encode("latin-1")}
    answer = long_server.http.post(WRITE, json={}, headers=raw)  # type: ignore[arg-type]
    assert answer.status_code == 401
    assert "realm=" in answer.headers["Www-Authenticate"]


def test_a_forged_or_stretched_access_token_is_refused(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, jwt_server_secret=KEY) as server:
        given = server.http.get("/auth/token/", headers=basic(server.user, server.token)).json()["token"]
        claims = jwt.decode(given, KEY, algorithms=["HS256"])
        assert is_let_in(server, f"Bearer {given}")
        for changed, key, algorithm in [
            (claims, KEY + "!", "HS256"),
            (claims, "", "none"),
            ({**claims, "exp": int(time.time()) - 1}, KEY, "HS256"),
            ({**claims, "sub": "somebody"}, KEY, "HS256"),
            ({name: claim for name, claim in claims.items() if name != "exp"}, KEY, "HS256"),
            (claims, KEY, "HS512"),
            ({**claims, "aud": "another service"}, KEY, "HS256"),
        ]:
            assert not is_let_in(server, f"Bearer {jwt.encode(changed, key, algorithm)}")
        # Clocks differ, and nobody else can sign: its end alone counts.
        early = jwt.encode({**claims, "nbf": claims["exp"], "iat": claims["exp"]}, KEY, "HS256")
        assert is_let_in(server, f"Bearer {early}")
        for forged in _signed_by_another(claims):
            assert not is_let_in(server, f"Bearer {forged}")
        unscoped = jwt.encode({**claims, "access": []}, KEY, "HS256")
        answer = server.http.post(WRITE, json={}, headers={"Authorization": f"Bearer {unscoped}"})
        assert answer.status_code == 403


def _signed_by_another(claims: dict[str, Any]) -> Iterator[str]:
    """By an RSA key that the header brings along, by its public half as a secret, by what a path names."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    for headers in ({}, {"jwk": public}, {"jku": "http://127.0.0.1/keys"}, {"x5u": "http://127.0.0.1/c"}):
        yield jwt.encode(claims, key, "RS256", headers=headers)
        yield jwt.encode(claims, public["n"], "HS256", headers=headers)
    for key_id in ("/dev/null", "../../dev/null", "0", "-1", "01", "1e0"):
        yield _signed_by_nothing({"alg": "HS256", "typ": "JWT", "kid": key_id}, claims)
    for header in ({"alg": "None"}, {"alg": ["HS256"]}, {"alg": "HS256", "crit": ["x"]}, {}, []):
        forged = _signed_by_nothing(header, claims)
        yield from (forged, f"{forged.rpartition('.')[0]}.")


def _signed_by_nothing(header: Any, claims: dict[str, Any]) -> str:
    """With the key that an empty file has."""

    def encoded(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).decode().rstrip("=")

    signed = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(hmac.digest(b'', signed.encode(), 'sha256'))}"


def test_keys_rotate_without_a_pause_and_a_separate_server_s_tokens_are_good_here(
    database_url: str, tmp_path: Path
) -> None:
    """Two services over one database: one gives tokens, the other takes reports."""

    def given(auth: Server) -> str:
        token: str = auth.http.get("/auth/token/", headers=basic(auth.user, auth.token)).json()["token"]
        return token

    # Two processes at least on the one that is quicker.
    apart = tmp_path / "auth"
    apart.mkdir()
    with (
        served_by_process(database_url, apart, {"SPACKMON_JWT_SERVER_SECRET": KEY})
        if database_url.startswith("sqlite")
        else served(database_url, apart, jwt_server_secret=KEY)
    ) as auth:
        old = given(auth)
        with served(database_url, tmp_path, jwt_server_secret=KEY, auth_server=auth.url) as server:
            for host in ("evil.example", 'a"b'):
                challenge = server.http.post(WRITE, json={}, headers={"Host": host})
                assert f'realm="{auth.url}/auth/token/"' in challenge.headers["Www-Authenticate"]
                assert host not in str(challenge.headers) + challenge.text
            assert is_let_in(server, f"Bearer {old}")
            in_database(server, rotate_key)
            with served(database_url, tmp_path, jwt_server_secret=KEY) as later:
                new = given(later)
            assert jwt.get_unverified_header(new)["kid"] == "1"
            assert is_let_in(server, f"Bearer {new}")
            assert is_let_in(server, f"Bearer {old}")
            claims = jwt.decode(new, options={"verify_signature": False})
            for key_id in ("1", "2", "0", "../1", "1' OR '1", "9" * 400, "\x00"):
                for key, algorithm in ((KEY, "HS256"), ("", "none"), (KEY, "HS512")):
                    forged = jwt.encode(claims, key, algorithm, headers={"kid": key_id})
                    assert not is_let_in(server, f"Bearer {forged}")
            in_database(server, partial(rotate_key, ends_others=True))
            with served(database_url, tmp_path, jwt_server_secret=KEY) as later:
                newest = given(later)
            assert is_let_in(server, f"Bearer {newest}")
            assert [is_let_in(server, f"Bearer {ended}") for ended in (old, new)] == [False, False]


def test_what_an_older_key_signed_is_good_for_its_time_and_no_longer() -> None:
    now = utc_now()
    stored = [StoredKey(1, b"salt", False, now - timedelta(seconds=640)), StoredKey(2, b"pepper", False, now)]
    keys = Keys(KEY, stored, lifetime_seconds=600)
    assert (keys.newest, keys.key(0) == KEY, keys.key(3)) == (2, True, None)
    assert len({keys.key(n) for n in range(3)}) == 3
    earlier = [replace(stored[0], created_at=now - timedelta(seconds=651)), stored[1]]
    assert Keys(KEY, earlier, lifetime_seconds=600).key(0) is None


def test_the_old_exchange_gives_a_token_for_a_password(server: Server) -> None:
    in_database(server, lambda connection: add_person(connection, "chosen", "correct horse"))
    right = {"username": "chosen", "password": "correct horse"}
    for sent in ({"json": right}, {"data": right}):
        answer = server.http.post("/api-token-auth/", **sent)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert is_let_in(server, f"Bearer {answer.json()['token']}")
    for wrong in (
        {**right, "password": "x"},
        {**right, "username": "chosen\0"},
        {**right, "password": "\ud800"},
        {"username": "chosen"},
        [],
        "x",
    ):
        # Escaped, as httpx's own JSON is not: half of a surrogate pair has no UTF-8.
        assert server.http.post("/api-token-auth/", content=json.dumps(wrong)).status_code == 400


def test_a_revoked_token_ends_the_access_tokens_given_for_it(server: Server) -> None:
    bearer = server.http.get("/auth/token/", headers=basic(server.user, server.token)).json()["token"]
    (token,) = in_database(server, lambda connection: list_tokens(connection, server.user))
    other = in_database(server, lambda connection: create_token(connection, server.user))
    in_database(server, lambda connection: revoke_token(connection, token.id))
    assert not is_let_in(server, f"Bearer {bearer}")
    assert not is_let_in(server, f"Bearer {server.token}")
    assert server.http.get("/auth/token/", headers=basic(server.user, server.token)).status_code == 403
    assert is_let_in(server, f"Bearer {other}")


def test_a_disabled_person_writes_no_more(server: Server) -> None:
    in_database(server, lambda connection: add_person(connection, "leaver", "long password"))
    leaver = in_database(server, lambda connection: create_token(connection, "leaver"))
    by_password = server.http.get("/auth/token/", headers=basic("leaver", "long password")).json()["token"]
    assert is_let_in(server, f"Bearer {leaver}")
    assert is_let_in(server, f"Bearer {by_password}")
    in_database(server, lambda connection: disable_person(connection, "leaver"))
    assert not is_let_in(server, f"Bearer {leaver}")
    assert not is_let_in(server, f"Bearer {by_password}")
    assert server.http.get("/auth/token/", headers=basic("leaver", "long password")).status_code == 403


def test_the_challenge_names_the_address_the_client_used_or_the_separate_server(
    sqlite_url: str, tmp_path: Path
) -> None:
    with served(sqlite_url, tmp_path, auth_server="https://login.example.org") as server:
        challenge = server.http.post(WRITE, json={}).headers["Www-Authenticate"]
        assert 'realm="https://login.example.org/auth/token/"' in challenge
        assert 'service="https://login.example.org"' in challenge
    with served(sqlite_url, tmp_path) as server:
        behind_proxy = {"Host": "monitor.example.org", "X-Forwarded-Proto": "https"}
        challenge = server.http.post(WRITE, json={}, headers=behind_proxy).headers["Www-Authenticate"]
        assert 'realm="https://monitor.example.org/auth/token/"' in challenge
        strange = server.http.post(WRITE, json={}, headers={"Host": 'a"b'}).headers["Www-Authenticate"]
        assert 'a"b' not in strange


def test_after_expiry_every_package_costs_one_401_and_one_cheap_token_request(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[object] = []
    verify = PasswordHasher.verify

    def note(*arguments: Any) -> bool:
        verified.append(arguments)
        return verify(*arguments)

    monkeypatch.setattr(PasswordHasher, "verify", note)
    with served(database_url, tmp_path, jwt_server_secret=KEY) as server:
        player = Player(server.url, server.user, server.token)
        assert player.play("0.17-success") == []
        claims = jwt.decode(player.bearer or "", KEY, algorithms=["HS256"])
        stale = jwt.encode({**claims, "exp": int(time.time()) - 1}, KEY)
        for _ in range(20):
            player.bearer = stale
            assert player.play("0.19dev-failconc") == []
    assert player.token_requests == 1 + 20
    # An Argon2 verification is made to take long.
    assert verified == []


def test_the_gate_costs_one_statement_per_write(sqlite_url: str, tmp_path: Path) -> None:
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        with served(sqlite_url, tmp_path) as server:
            credentials = {"Authorization": f"Bearer {server.token}"}
            statements.clear()
            server.http.post(WRITE, content=b"", headers=credentials)
            selects = [statement for statement in statements if statement.startswith("SELECT")]
            reads = [s for s in selects if "token" in s or "person" in s.split("inbox_entry")[0]]
            assert len(reads) == 1
            assert "JOIN person" in reads[0]
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_without_authentication_everything_belongs_to_anonymous(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, disable_authentication=True) as server:
        assert server.http.post(WRITE, json={}).status_code == 400
        assert is_let_in(server, "Bearer whatever")
        assert Player(server.url, "", "").play("0.17-fail") == []
        names = in_database(server, lambda connection: _owners(connection))
    assert names == {"anonymous"}


def _owners(connection: Connection) -> set[str]:
    return set(connection.scalars(select(Person.name).join(Build, Build.owner_id == Person.id)))


def test_what_the_old_server_knew_its_people_by_still_lets_them_in(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "0123456789abcdef0123456789abcdef01234567"
    # Django's hash of "pw-ada".
    old_hash = (
        "pbkdf2_sha256$1000$saltsaltsalt$"
        + base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"pw-ada", b"saltsaltsalt", 1000)).decode()
    )

    def arrive(connection: Connection) -> None:
        person_id = add_person(connection, "ada")
        connection.execute(update(Person).where(Person.id == person_id).values(password_hash=old_hash))
        values = {"person_id": person_id, "digest": digest(key), "scopes": "build:write read"}
        connection.execute(insert(Token).values(**values, created_at=utc_now()))

    in_database(server, arrive)
    assert is_let_in(server, f"Bearer {key}")
    assert not is_let_in(server, f"Bearer {key[::-1]}")
    bearer = server.http.get("/auth/token/", headers=basic("ada", key)).json()["token"]
    assert is_let_in(server, f"Bearer {bearer}")

    judged: list[str] = []

    def note(password_hash: str, password: str) -> bool:
        judged.append(password_hash.partition("$")[0] or password_hash.split("$")[1])
        return is_password(password_hash, password)

    monkeypatch.setattr(gate, "is_password", note)
    ask = server.http
    # While any hash is the old server's, a wrong password takes as long whoever it is said to be of.
    for name in ("ada", "nobody", USER):
        assert ask.get("/auth/token/", headers=basic(name, "pw-eve")).status_code == 403
        assert sorted(judged) == ["argon2id", "pbkdf2_sha256"]
        judged.clear()
    for _ in range(2):
        assert ask.get("/auth/token/", headers=basic("ada", "pw-ada")).status_code == 200
    kept = in_database(server, lambda c: c.scalar(select(Person.password_hash).where(Person.name == "ada")))
    assert kept.startswith("$argon2id$")
    assert judged[2:] == ["argon2id"]
