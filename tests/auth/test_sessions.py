"""Sessions: how they begin and end, and what a page of another site cannot do with them."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from spackmon.auth.audit import changes_of_rights
from spackmon.auth.people import disable_person, set_role
from spackmon.auth.tokens import create_token
from spackmon.models import RateCount, Session, utc_now
from spackmon.web.forms import own_path
from tests.auth.signing_in import PASSWORD, add, browser, form_key, post, sign_in
from tests.server import USER, Server, in_database, served
from tests.waiting import until

COOKIE = "spackmon_session"
WHO = "/account?format=json"
TYPENAME = {"query": "{ __typename }"}


@pytest.fixture(scope="module")
def site(long_server: Server) -> Server:
    """A service with people of each role."""
    for name, role in (("ada", "writer"), ("root", "admin"), ("bob", "reader")):
        add(long_server, name, role)
    return long_server


@pytest.fixture
def client(site: Server) -> Iterator[httpx.Client]:
    with browser(site) as client:
        yield client


def name_of(client: httpx.Client) -> str | None:
    answer = client.get(WHO)
    assert answer.status_code in (200, 401)
    name: str | None = answer.json().get("name")
    return name


def test_somebody_signs_in_sees_the_page_and_signs_out(client: httpx.Client) -> None:
    assert client.get("/account").headers["location"] == "/login?next=%2Faccount"
    answer = sign_in(client, "ada", where="/builds?tag=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/builds?tag=x")
    cookie = answer.headers.get_list("set-cookie")[0]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert name_of(client) == "ada"
    assert '<a href="/account">ada</a>' in client.get("/builds").text
    kept = client.cookies[COOKIE]
    assert post(client, "/account", "/logout").headers["location"] == "/"
    assert name_of(client) is None
    client.cookies.set(COOKIE, kept)
    assert name_of(client) is None


def test_a_session_that_was_planted_is_not_the_one_that_begins(site: Server, client: httpx.Client) -> None:
    client.cookies.set(COOKIE, "planted" * 6, domain="127.0.0.1")
    sign_in(client, "ada")
    first = dict(client.cookies)[COOKIE]
    assert first != "planted" * 6
    # Whoever signs in over a session of somebody else ends it.
    page = client.get("/account")
    answer = client.post(
        "/login", data={"form_key": form_key(page), "name": "root", "password": PASSWORD, "next": "/"}
    )
    assert answer.status_code == 303
    assert name_of(client) == "root"
    with browser(site) as other:
        other.cookies.set(COOKIE, first)
        assert name_of(other) is None


def test_a_page_of_another_site_changes_nothing_with_the_cookie(site: Server, client: httpx.Client) -> None:
    sign_in(client, "root")
    key = form_key(client.get("/account"))
    for headers in (
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    ):  # fmt: skip
        for path in ("/logout", "/account/tokens", "/admin/people", "/login"):
            sent = {**headers, "Accept": "application/json"}
            answer = client.post(path, data={"form_key": key}, headers=sent)
            # The cookie counts as none, so that nobody is signed in; the form itself is refused too.
            assert answer.json()["error"] in ("FORM_REFUSED", "UNAUTHENTICATED")
            assert answer.status_code in (401, 403)
    assert name_of(client) == "root"


def test_a_form_needs_the_key_of_its_own_session(site: Server, client: httpx.Client) -> None:
    sign_in(client, "root")
    with browser(site) as other:
        sign_in(other, "ada")
        keys = ["", "x", form_key(other.get("/account"))]
    for key in keys:
        answer = client.post("/admin/people", data={"form_key": key, "name": "ada", "change": "disable"})
        assert answer.status_code == 403
        assert client.post("/logout", data={"form_key": key}).status_code == 403
    answer = client.post("/logout", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert name_of(client) == "root"
    # Nor can a page sign its visitor in as somebody else: the key belongs to a cookie.
    with browser(site) as other:
        fields = {"name": "ada", "password": PASSWORD, "form_key": form_key(client.get("/account"))}
        assert other.post("/login", data=fields).status_code == 403


def test_graphql_counts_the_session_only_for_pages_of_this_service(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, read_access="authenticated") as server:
        add(server, "ada")
        with browser(server) as client:
            moved = client.get("/builds?tag=a%20b")
            assert (moved.status_code, moved.headers["location"]) == (
                303, "/login?next=%2Fbuilds%3Ftag%3Da%2520b",
            )  # fmt: skip
            sign_in(client, "ada")
            assert client.get("/builds").status_code == 200
            own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Accept": "application/json"}
            assert client.post("/graphql", json=TYPENAME, headers=own).status_code == 200
            for changed in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}):
                answer = client.post("/graphql", json=TYPENAME, headers={**own, **changed})
                assert answer.status_code == 401
            for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                headers = {**own, "Content-Type": content_type}
                answer = client.post("/graphql", content=json.dumps(TYPENAME), headers=headers)
                assert answer.status_code == 415


def test_whoever_signs_in_stays_on_this_site(client: httpx.Client) -> None:
    for elsewhere in (
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "javascript:alert(1)", "/a\r\nSet-Cookie: x=y", "evil", "", "/\x00/evil", "/a b", "/é",
    ):  # fmt: skip
        assert own_path(elsewhere) == "/", elsewhere
    assert own_path("/builds?tag=%0d%0a&next=//x") == "/builds?tag=%0d%0a&next=//x"
    assert sign_in(client, "ada", where="//evil.example").headers["location"] == "/"
    assert client.get("/login?next=/%5Cevil.example").headers["location"] == "/"


def test_a_session_ends_with_its_time_its_disuse_its_person_and_by_its_list(
    site: Server, client: httpx.Client
) -> None:
    def change(connection: Connection, **values: object) -> None:
        connection.execute(update(Session).values(**values))

    past = utc_now() - timedelta(days=3)
    for values in ({"expires_at": past}, {"last_used_at": past}):
        sign_in(client, "ada")
        assert name_of(client) == "ada"
        in_database(site, lambda c, values=values: change(c, **values))
        assert name_of(client) is None
    sign_in(client, "ada")
    with browser(site) as other:
        sign_in(other, "ada", **{"User-Agent": "the other one"})
        assert "the other one" in client.get("/account").text
        listed = client.get("/account").text.split('name="session" value="')[1:]
        newest = max(int(one.split('"')[0]) for one in listed)
        answer = post(client, "/account", "/account/sessions/end", session=str(newest))
        assert answer.headers["location"] == "/account#sessions"
        assert name_of(other) is None
        assert post(client, "/account", "/account/sessions/end", session=str(newest)).status_code == 404
        assert post(client, "/account", "/account/sessions/end", session="x").status_code == 400


def test_no_role_allows_more_than_it_does_whatever_a_token_is_for(site: Server, client: httpx.Client) -> None:
    add(site, "eve", "admin")
    token = in_database(site, lambda c: create_token(c, "eve", ["admin"]))

    def write() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return site.http.post("/ms1/builds/update/", json={}, headers=headers).status_code

    sign_in(client, "eve")
    assert (write(), client.get("/admin").status_code) == (400, 200)
    in_database(site, lambda c: set_role(c, "eve", "writer"))
    assert (write(), client.get("/admin").status_code) == (400, 403)
    in_database(site, lambda c: set_role(c, "eve", "reader"))
    assert write() == 403
    asked = post(client, "/account", "/account/tokens", **{"build:write": "1"})
    assert "SCOPE" not in asked.text
    assert asked.status_code == 403
    in_database(site, lambda c: disable_person(c, "eve"))
    assert (write(), name_of(client)) == (401, None)
    assert sign_in(client, "eve").status_code == 403


def test_the_account_page_makes_a_token_shows_it_once_and_revokes_it(
    site: Server, client: httpx.Client
) -> None:
    sign_in(client, "ada")
    page = post(client, "/account", "/account/tokens", **{"build:write": "1", "days": "7"}).text
    token = page.split("<pre>")[1].split("</pre>")[0]
    assert token not in client.get("/account").text
    headers = {"Authorization": f"Bearer {token}"}
    assert site.http.post("/ms1/builds/update/", json={}, headers=headers).status_code == 400
    number = page.split('name="token" value="')[1].split('"')[0]
    # Not another person's.
    with browser(site) as other:
        sign_in(other, "bob")
        assert post(other, "/account", "/account/tokens/revoke", token=number).status_code == 404
    assert post(client, "/account", "/account/tokens/revoke", token=number).status_code == 303
    assert site.http.post("/ms1/builds/update/", json={}, headers=headers).status_code == 401
    for days in ("0", "99999999", "-1", "x", "9" * 30):
        assert post(client, "/account", "/account/tokens", read="1", days=days).status_code == 400


def test_administrators_change_rights_and_each_change_is_in_the_log(
    site: Server, client: httpx.Client
) -> None:
    add(site, "carl")
    sign_in(client, "root")
    assert post(client, "/admin", "/admin/people", name="carl", change="role", role="reader").is_redirect
    assert post(client, "/admin", "/admin/people", name="carl", change="disable").is_redirect
    for wrong in ({"change": "role", "role": "king"}, {"change": "?"}):
        assert post(client, "/admin", "/admin/people", name="carl", **wrong).status_code == 400
    assert post(client, "/admin", "/admin/people", name="root", change="disable").status_code == 400
    records = in_database(site, lambda c: changes_of_rights(c, 9, subject="carl"))
    assert [(one.actor, one.address, one.action, one.detail) for one in records[:2]] == [
        ("root", "127.0.0.1", "person disabled", ""),
        ("root", "127.0.0.1", "role changed", "writer to reader"),
    ]
    assert (records[2].action, records[2].address) == ("person added", "command")
    page = client.get("/admin/audit?subject=carl").text
    assert "writer to reader" in page
    parts = ("", "/groups", "/tokens", "/inbox", "/jobs", "/health", "/audit")
    for part in parts:
        assert "<table" in client.get(f"/admin{part}").text or part in ("/inbox", "/health", "/groups")
        as_json = client.get(f"/admin{part}.json")
        assert as_json.headers["content-type"] == "application/json"
        assert as_json.json()
        assert client.get("/admin" + part, params={"format": "json"}).json().keys() == as_json.json().keys()
    with browser(site) as other:
        sign_in(other, "ada")
        for part in (*parts, "/inbox/1"):
            assert other.get(f"/admin{part}").status_code == 403
            assert other.get(f"/admin{part}.json").json()["error"] == "SCOPE_EXCEEDS_ROLE"
        assert post(other, "/account", "/admin/people", name="root", change="disable").status_code == 403


def test_an_administrator_makes_groups_and_says_who_is_in_them(site: Server, client: httpx.Client) -> None:
    add(site, "dora")
    sign_in(client, "root")

    def change(**fields: str) -> int:
        return post(client, "/admin/groups", "/admin/groups", **fields).status_code

    assert change(change="add", group="vault") == 303
    assert change(change="join", group="vault", person="dora") == 303
    assert client.get("/admin/groups.json").json() == {"groups": [{"name": "vault", "members": ["dora"]}]}
    assert 'Remove<span class="unseen"> dora from vault' in client.get("/admin/groups").text
    assert change(change="leave", group="vault", person="dora") == 303
    assert change(change="leave", group="vault", person="dora") == 303
    refused = [
        {"change": "add", "group": "vault"}, {"change": "add", "group": "<b>"}, {"change": "?"},
        {"change": "join", "group": "none", "person": "dora"}, {"change": "join", "group": "vault"},
    ]  # fmt: skip
    assert [change(**fields) // 100 for fields in refused] == [4] * 5
    records = in_database(site, lambda c: changes_of_rights(c, 9, subject="dora"))
    assert [(one.actor, one.action, one.detail) for one in records[:2]] == [
        ("root", "member removed", "vault"), ("root", "member added", "vault"),
    ]  # fmt: skip
    with browser(site) as other:
        sign_in(other, "ada")
        fields = {"change": "join", "group": "vault", "person": "ada"}
        assert post(other, "/account", "/admin/groups", **fields).status_code == 403


def test_jobs_and_what_is_removed_are_shown(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, retention="logs 90; runs 365 status:FAILED") as server:
        add(server, "root", "admin")
        with browser(server) as client:
            sign_in(client, "root")
            until(lambda: _job(client, "counts")["done_at"], "a count")
            shown = client.get("/admin/jobs.json").json()
            assert shown["retention"] == ["runs 365 status:FAILED keep:spec", "logs 90 keep:spec"]
            assert _job(client, "remove what")["done_at"] is None
            in_database(
                server, lambda c: c.exec_driver_sql("ALTER TABLE error_group_change RENAME TO elsewhere")
            )
            until(lambda: _job(client, "counts")["failed_at"], "a count that fails")
            page = client.get("/admin/jobs").text
    assert "<pre>\nruns 365 status:FAILED keep:spec\nlogs 90 keep:spec\n</pre>" in page
    assert "not yet" in page


def _job(client: httpx.Client, words: str) -> Any:
    (job,) = [one for one in client.get("/admin/jobs.json").json()["jobs"] if words in one["job"]]
    return job


def test_an_administrator_looks_at_the_inbox_and_replays(site: Server, client: httpx.Client) -> None:
    refused = site.post("/ms1/builds/update/", {"build_id": 10**9, "status": "<b>x"})
    assert refused.status_code in (400, 404)
    sign_in(client, "root")
    page = client.get("/admin/inbox").text
    number = page.split("/admin/inbox/")[-1].split('"')[0]
    entry = client.get(f"/admin/inbox/{number}").text
    assert "1000000000" in entry
    assert "<b>x" not in entry
    assert post(client, "/admin/inbox", f"/admin/inbox/{number}").status_code in (400, 404)
    assert "tried 1 time" in client.get("/admin/inbox").text
    assert client.get("/admin/inbox/999999999").status_code == 404


def test_guesses_are_limited_for_a_person_from_an_address_and_no_token_is(site: Server) -> None:
    add(site, "guessed")
    in_database(site, lambda c: add_token(c, "guessed"))
    with browser(site) as client:
        answers = [sign_in(client, "guessed", f"wrong {n}") for n in range(11)]
        assert [answer.status_code for answer in answers] == [403] * 10 + [429]
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 600
        # Not even the right one, as long as this lasts; and a name that nobody has is no different.
        assert sign_in(client, "guessed").status_code == 429
        assert [sign_in(client, "nobody", f"wrong {n}").status_code for n in range(11)] == [403] * 10 + [429]
    exchange = site.http.get("/auth/token/", auth=("guessed", "another guess"))
    assert (exchange.status_code, exchange.json()["error"]) == (429, "GUESSES_LIMITED")
    assert int(exchange.headers["Retry-After"]) > 5
    assert site.http.get("/auth/token/", auth=(USER, site.token)).status_code == 200
    in_database(site, lambda c: c.execute(update(RateCount).values(ends_at=utc_now())))
    with browser(site) as client:
        assert sign_in(client, "guessed").status_code == 303


def add_token(connection: Connection, name: str) -> None:
    create_token(connection, name)
