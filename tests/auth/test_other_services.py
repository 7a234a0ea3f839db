"""Signing in by an OpenID Connect provider and by GitHub, and what is tried to come in as somebody else."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from sqlalchemy import select

from spackmon.auth.audit import changes_of_rights
from spackmon.auth.groups import add_group, add_member, list_groups
from spackmon.auth.identities import link
from spackmon.auth.people import disable_person
from spackmon.auth.providers.openid import OpenIdProvider
from spackmon.auth.providers.pending import Proofs, SignIns
from spackmon.errors import Code, Refused
from spackmon.models import Session
from spackmon.settings import Settings
from tests.auth.services import (
    CLIENT_ID,
    CLIENT_SECRET,
    PROVIDER,
    Answer,
    GitHub,
    by_github,
    by_openid,
    openid_provider,
    service,
)
from tests.auth.signing_in import add, browser, post, sign_in
from tests.server import Server, in_database, served

WHO = "/account?format=json"
BACK = "https://monitor.example.org/complete/oidc/"


@dataclass
class Site:
    """A service whose people sign in elsewhere."""

    server: Server
    github: GitHub
    github_url: str


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    if not (PROVIDER / "node_modules" / "oidc-provider").is_dir():
        pytest.skip("the provider is not installed: make test")
    with openid_provider() as url:
        yield url


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, issuer: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("served")
    github = GitHub()
    with service(github.answers()) as github_url:
        settings = {
            "oidc_issuer": issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET,
            "oidc_name": "the <Institute>", "oidc_allowed_domains": "Example.org",
            "oidc_role_claim": "realm.roles",
            "oidc_roles": "builders=writer, staff=admin", "oidc_group_claim": "teams",
            "github_url": github_url, "github_key": "key", "github_secret": CLIENT_SECRET,
            "github_organizations": "Spack, llnl", "github_teams": "e4s/Builders",
        }  # fmt: skip
        if request.param == "sqlite":
            path = directory / "spackmon.db"
            path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
            with served(f"sqlite:///{path}", directory, **settings) as server:
                yield Site(server, github, github_url)
            return
        databases = request.getfixturevalue("postgresql_databases")
        with databases.fresh() as url, served(url, directory, **settings) as server:
            yield Site(server, github, github_url)


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    site.github.__init__(organizations=["SPACK"])  # type: ignore[misc]
    with browser(site.server) as client:
        yield client


def who(client: httpx.Client) -> dict[str, str]:
    told = client.get(WHO).json()
    return {key: told[key] for key in ("name", "role", "error") if key in told}


def refusal(client: httpx.Client, address: str | httpx.URL) -> tuple[int, str]:
    """The status and the code with which an address refuses."""
    answer = client.get(address, headers={"Accept": "application/json"})
    return answer.status_code, answer.json()["error"]


def known(**others: Any) -> dict[str, Any]:
    return {"email": "ada@example.org", "email_verified": True, **others}


def test_somebody_signs_in_by_openid_connect_with_the_role_and_the_groups_of_the_claims(
    site: Site, client: httpx.Client
) -> None:
    for group in ("hpc", "left"):
        in_database(site.server, lambda c, group=group: add_group(c, group))
    page = client.get("/login?next=/builds").text
    assert 'href="/login/oidc/?next=%2Fbuilds">Sign in with the &lt;Institute&gt;' in page
    claims = known(preferred_username="lise m.", realm={"roles": ["x", "builders"]}, teams=["hpc", "unknown"])
    back = client.get(by_openid(client, "s-1", "/builds?tag=x", **claims))
    assert (back.status_code, back.headers["location"]) == (303, "/builds?tag=x")
    assert who(client) == {"name": "lise-m", "role": "writer"}
    in_database(site.server, lambda c: add_member(c, "left", "lise-m"))
    with browser(site.server) as other:
        claims = known(preferred_username="renamed", realm={"roles": "staff"}, teams="hpc")
        assert other.get(by_openid(other, "s-1", **claims)).status_code == 303
        assert who(other) == {"name": "lise-m", "role": "admin"}
        other.get(by_openid(other, "s-1", **known()))
        assert who(other) == {"name": "lise-m", "role": "reader"}
    groups = {group.name: group.members for group in in_database(site.server, list_groups)}
    assert groups == {"hpc": (), "left": ()}
    told = in_database(site.server, lambda c: changes_of_rights(c, 99, subject="lise-m"))
    assert [one.action for one in told][::-1][:3] == ["person added", "identity linked", "role changed"]
    for claims in ({}, {"email": "x@example.org"}, known(email="x@example.org.evil.com")):
        assert refusal(client, by_openid(client, "s-2", **claims)) == (403, Code.SIGN_IN_NOT_ALLOWED)


def test_a_name_elsewhere_makes_nobody_a_person_who_is_here(site: Site, client: httpx.Client) -> None:
    add(site.server, "root", "admin")
    add(site.server, "root-2", "admin")
    for login, name in (("Root", "Root-3"), ("anonymous", "anonymous-2"), ("--", "person")):
        site.github.id, site.github.login = hash(login) % 10**9 + 10, login
        assert client.get(by_github(client)).status_code == 303
        assert who(client) == {"name": name, "role": "reader"}
    client.get(by_openid(client, "s-3", **known(preferred_username="root")))
    assert who(client)["name"] == "root-4"
    # Whoever takes over a login at GitHub has another number.
    site.github.id, site.github.login = 777, "Root"
    client.get(by_github(client))
    assert who(client)["name"] == "Root-5"


def test_only_members_are_let_in(site: Site, client: httpx.Client) -> None:
    for organizations, teams in ([], []), (["spack2"], ["e4s/other", "spack/builders"]):
        site.github.organizations, site.github.teams = organizations, teams
        assert refusal(client, by_github(client)) == (403, Code.SIGN_IN_NOT_ALLOWED)
    site.github.teams = ["E4S/builders"]
    assert client.get(by_github(client)).status_code == 303


def test_who_is_signed_in_links_an_identity_and_nobody_elses(site: Site, client: httpx.Client) -> None:
    add(site.server, "carl", "admin")
    site.github.id = 4711
    sign_in(client, "carl")
    assert client.get(by_github(client, link="1")).headers["location"] == "/account#identities"
    with browser(site.server) as other:
        assert other.get(by_github(other)).status_code == 303
        assert who(other) == {"name": "carl", "role": "admin"}
        add(site.server, "dora")
        other.cookies.clear()
        sign_in(other, "dora")
        assert refusal(other, by_github(other, link="1")) == (409, Code.IDENTITY_TAKEN)
        # Begun by one person, completed by another in the same browser.
        site.github.id = 4712
        back = by_github(other, link="1")
        other.cookies.delete("spackmon_session")
        sign_in(other, "carl")
        assert other.get(back).status_code == 401
    page = client.get("/account").text
    number = page.split('name="identity" value="')[1].split('"')[0]
    with browser(site.server) as other:
        sign_in(other, "dora")
        assert post(other, "/account", "/account/identities/remove", identity=number).status_code == 404
        begun = other.get("/login/github/?link=1", headers={"Sec-Fetch-Site": "cross-site"})
        assert begun.headers["location"] == "/login?next=%2F"
    assert post(client, "/account", "/account/identities/remove", identity=number).status_code == 303
    in_database(site.server, lambda c: link(c, "dora", site.github_url, "4713"))
    site.github.id = 4713
    client.get(by_github(client))
    assert who(client)["name"] == "dora"


def test_a_sign_in_comes_back_once_and_to_the_browser_that_began_it(site: Site, client: httpx.Client) -> None:
    def sessions() -> int:
        return len(in_database(site.server, lambda c: c.execute(select(Session.id)).all()))

    site.github.id = 800
    back = by_github(client)
    kept = dict(client.cookies)
    before = sessions()
    with browser(site.server) as other:
        assert refusal(other, back) == (400, Code.SIGN_IN_UNKNOWN)
        by_github(other)
        assert refusal(other, back) == (400, Code.SIGN_IN_UNKNOWN)
    assert refusal(client, back.replace("/github/", "/oidc/")) == (400, Code.SIGN_IN_UNKNOWN)
    assert client.get(back).status_code == 303
    assert sessions() == before + 1
    # Not again, with another code and the cookies of then.
    for address in (back, back.replace("code=", "code=x")):
        with browser(site.server) as other:
            other.cookies.update(kept)
            assert refusal(other, address) == (400, Code.SIGN_IN_UNKNOWN)
    # A code of another sign-in: the verifier is not that of its challenge.
    stolen = httpx.URL(by_github(client)).params["code"]
    mine = httpx.URL(by_github(client))
    assert refusal(client, mine.copy_set_param("code", stolen)) == (502, Code.PROVIDER_REFUSED)
    for query in ("error=access_denied&error_description=%3Cb%3E%0d%0ax", "code="):
        state = httpx.URL(by_github(client)).params["state"]
        refused = client.get(f"/complete/github/?state={state}&{query}")
        assert refused.status_code == 502
        assert "GitHub did not say who you are" in refused.text
        assert "<b>" not in refused.text
    assert client.get("/complete/other/?state=x&code=x").status_code == 404
    assert client.get("/login/other/").headers["location"] == "/login?next=%2F"


def test_whoever_comes_back_stays_on_this_site_and_who_is_disabled_outside(
    site: Site, client: httpx.Client
) -> None:
    site.github.id, site.github.login = 900, "eve"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        assert client.get(by_github(client, elsewhere)).headers["location"] == "/"
    in_database(site.server, lambda c: disable_person(c, "eve"))
    assert refusal(client, by_github(client)) == (403, Code.PERSON_DISABLED)
    assert who(client)["error"] == "UNAUTHENTICATED"


def test_a_provider_that_is_away_is_said_and_the_password_still_works(
    sqlite_url: str, tmp_path: Path
) -> None:
    away = "http://127.0.0.1:1"
    with (
        served(sqlite_url, tmp_path, oidc_issuer=away, oidc_client_id="x") as server,
        browser(server) as client,
    ):
        add(server, "ada")
        answer = client.get("/login/oidc/")
        assert answer.headers["Retry-After"]
        assert refusal(client, "/login/oidc/") == (503, Code.PROVIDER_AWAY)
        sign_in(client, "ada")
        assert who(client)["name"] == "ada"


PROOFS = Proofs("state", "the nonce", "v" * 43)
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig", "alg": "ES256"})


class Forging:
    """A provider whose ID tokens a test makes."""

    def __init__(self, **metadata: Any) -> None:
        self.metadata, self.token, self.url = metadata, "", ""

    def answers(self) -> dict[str, Answer]:
        described = lambda *_: {  # noqa: E731
            "issuer": self.url, "authorization_endpoint": f"{self.url}/a", "token_endpoint": f"{self.url}/t",
            "jwks_uri": f"{self.url}/k", "id_token_signing_alg_values_supported": ["none", "HS256", "ES256"],
            **self.metadata,
        }  # fmt: skip
        return {
            "/.well-known/openid-configuration": described,
            "/t": lambda *_: {"access_token": "x", "token_type": "Bearer", "id_token": self.token},
            "/k": lambda *_: {
                "keys": [KEY.as_dict(private=False), OctKey.import_key(CLIENT_SECRET).as_dict()]
            },
        }

    def refusal(self, **answer: str) -> str | None:
        """Why nobody came with this token; None where somebody did."""
        settings = Settings(oidc_issuer=self.url, oidc_client_id=CLIENT_ID, oidc_client_secret=CLIENT_SECRET)
        provider = OpenIdProvider(settings)
        try:
            asyncio.run(provider.claimed({"code": "x", **answer}, PROOFS, BACK))
        except Refused as refused:
            return refused.sentence if refused.code == Code.PROVIDER_REFUSED else None
        return None


def test_an_id_token_is_taken_from_the_provider_alone_for_this_client_and_this_sign_in(
    tmp_path: Path,
) -> None:
    forging = Forging()
    with service(forging.answers()) as forging.url:
        now = int(time.time())
        good = {
            "iss": forging.url, "sub": "s", "aud": CLIENT_ID, "iat": now, "exp": now + 60,
            "nonce": PROOFS.nonce,
        }  # fmt: skip

        def refused(changes: dict[str, Any], key: Any = KEY, algorithm: str = "ES256", **header: str) -> bool:
            claims = {name: value for name, value in {**good, **changes}.items() if value is not None}
            header = {"alg": algorithm, "kid": "one", **header}
            forging.token = jwt.encode(header, claims, key, algorithms=[algorithm])
            return forging.refusal() is not None

        assert not refused({})
        assert not refused({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID})
        for changes in (
            {"aud": "other"}, {"aud": ["other"]}, {"aud": None}, {"aud": [CLIENT_ID, "other"], "azp": "x"},
            {"iss": "https://evil.example"}, {"iss": None}, {"exp": now - 120}, {"exp": None},
            {"nonce": "another"}, {"nonce": None}, {"sub": None}, {"sub": 7}, {"sub": ""},
        ):  # fmt: skip
            assert refused(changes), changes
        assert refused({}, OctKey.import_key(CLIENT_SECRET), "HS256")
        assert refused({}, OctKey.import_key(CLIENT_SECRET), "HS256", kid="")
        assert refused({}, OctKey.import_key(CLIENT_SECRET), "none")
        assert refused({}, ECKey.generate_key("P-256"))
        for token in ("", "x", "a.b.c", "e30.e30."):
            forging.token = token
            assert forging.refusal() is not None
        refused({})
        assert forging.refusal(iss=forging.url) is None
        assert forging.refusal(iss="https://other.example") is not None
        for metadata in (
            {"issuer": "https://other.example"}, {"jwks_uri": "file:///etc/passwd"}, {"token_endpoint": 7},
            {"authorization_response_iss_parameter_supported": True},
        ):  # fmt: skip
            forging.metadata = metadata
            assert forging.refusal() is not None, metadata


def test_a_sign_in_is_over_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    sign_ins = SignIns(lambda: "a secret")
    text, proofs = sign_ins.begin("oidc", "/builds", 7)
    pending, again = sign_ins.resume(text, "oidc", proofs.state)
    assert (pending.where, pending.person_id, again) == ("/builds", 7, proofs)
    others = SignIns(lambda: "another secret")
    for wrong in (
        (sign_ins, text, "github", proofs.state), (sign_ins, text[:-1], "oidc", proofs.state),
        (sign_ins, text, "oidc", ""), (sign_ins, "", "oidc", ""), (others, text, "oidc", proofs.state),
        (sign_ins, text, "oidc", "\udcff"),
    ):  # fmt: skip
        with pytest.raises(Refused, match="begin again"):
            wrong[0].resume(*wrong[1:])
    later = time.time() + 601
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(Refused, match="begin again"):
        sign_ins.resume(text, "oidc", proofs.state)
