"""Addresses of the old server that people have stored, unknown ones, and the page of the data API."""

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.player import Player
from tests.server import Server, served
from tests.web.conftest import NewPage
from tests.web.reading import build_of, listed, page_of

HTML = {"Accept": "text/html,*/*;q=0.8"}
NARROW, WIDE = {"width": 320, "height": 700}, {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def reported(long_server: Server) -> Server:
    """A server to which an old client reported builds and what an analyzer found."""
    for name in ("0.16-libabigail", "0.17-fail"):
        assert Player(long_server.url, long_server.user, long_server.token).play(name) == []
    return long_server


def question_of(page: str) -> tuple[str, dict[str, object]]:
    """The operation and the variables with which a page opens GraphiQL."""
    (address,) = re.findall(r'href="(/graphql\?[^"]+)"', page)
    asked = parse_qs(urlsplit(unescape(address)).query)
    return asked["query"][0], json.loads(asked["variables"][0])


def test_an_old_build_page_and_old_lists_lead_to_the_same_builds(reported: Server) -> None:
    build = build_of(reported, "brokenlib")
    moved = reported.http.get(f"{build}/", headers=HTML)
    assert (moved.status_code, moved.headers["location"]) == (301, build)
    for path, condition in (
        ("/builds/owner/builder/", {"owner": {"name": {"eq": "builder"}}}),
        ("/u/profile/builder", {"owner": {"name": {"eq": "builder"}}}),
        ("/builds/owner/nobody/", {"owner": {"name": {"eq": "nobody"}}}),
        ("/builds/tag/nightly/", {"tags": {"some": {"name": {"eq": "nightly"}}}}),
        ("/builds/tag/a%20b%26c/", {"tags": {"some": {"name": {"eq": "a b&c"}}}}),
        ("/tables/build/", {}),
    ):
        moved = reported.http.get(path, headers=HTML)
        assert moved.status_code == 301
        query = "query ($where: BuildFilter) { builds(where: $where) { nodes { id } } }"
        nodes = reported.ask(query, {"where": condition} if condition else {})["builds"]["nodes"]
        assert listed(page_of(reported, moved.headers["location"])) == [node["id"] for node in nodes]
    assert "Builds tagged nightly" in page_of(reported, "/builds?tag=nightly")


def test_old_pages_of_specs_lead_to_those_of_today(reported: Server) -> None:
    specs = [
        reported.ask("query ($id: ID!) { spec(id: $id) { hash } }", {"id": n})["spec"]["hash"] for n in "12"
    ]
    for path, today in (
        ("/specs/detail/1", f"/specs/{specs[0]}"),
        ("/specs/diff/1/2/", f"/compare/specs/{specs[0]}/{specs[1]}"),
    ):
        moved = reported.http.get(path, headers=HTML)
        assert (moved.status_code, moved.headers["location"]) == (301, today)
        page_of(reported, today)


@pytest.mark.parametrize(
    ("path", "answered"),
    [
        ("/analysis/matrix/", "SUCCESS"), ("/analysis/matrix/libzeta/debian12/", "gcc@12.2.0"),
        ("/analysis/results/", "libabigail"), ("/analysis/results/1/abidw-xml/", "libabigail"),
        ("/analysis/diffs/libzeta/abidw-xml/", "libabigail"),
        ("/analysis/abi/stability/libzeta/", '"totalCount": 0'), ("/analysis/symbols/", '"totalCount": 0'),
    ],
)  # fmt: skip
def test_an_old_view_is_a_question_that_has_an_answer(reported: Server, path: str, answered: str) -> None:
    for address in (path, path.rstrip("/")):
        query, variables = question_of(page_of(reported, address))
        assert answered in json.dumps(reported.ask(query, variables))


def test_an_old_page_without_an_equal_says_what_there_is(long_server: Server) -> None:
    for path in ("/specs/diff/", "/specs/detail/99999999999999999999999/"):
        page = page_of(long_server, path)
        assert '<a href="/">The latest builds</a>' in page
        assert "/graphql?query=" in page


def test_old_addresses_of_accounts_lead_to_the_account_or_the_sign_in(long_server: Server) -> None:
    for path, today in (
        ("/login/", "/login"), ("/accounts/login/", "/login"), ("/api-auth/login/", "/login"),
        ("/logout/", "/logout"), ("/token", "/account"), ("/token/update", "/account"),
        ("/auth/tokens", "/account"), ("/u/profile", "/account"), ("/u/delete", "/account"),
        ("/admin/", "/admin"), ("/admin/main/build/", "/admin"), ("/api-token-auth/", "/account"),
    ):  # fmt: skip
        moved = long_server.http.get(path, headers=HTML)
        assert (moved.status_code, moved.headers["location"]) == (301, today), path


def test_addresses_of_programs_answer_json_and_never_lead_away(long_server: Server) -> None:
    for path in ("/ms1/nothing/", "/ms1", "/api/nothing/", "/auth/nothing/", "/readyz/x", "/static/nothing"):
        answer = long_server.http.get(path, headers=HTML)
        assert answer.headers["content-type"] == "application/json"
        assert answer.status_code == (200 if path == "/ms1" else 404)
    refused = long_server.http.post("/api-token-auth/", data={"username": "ada", "password": "x"})
    assert (refused.status_code, refused.json()["error"]) == (400, "CREDENTIALS_WRONG")
    assert long_server.http.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"


def test_an_unknown_address_is_a_page_for_a_browser_and_json_for_a_program(long_server: Server) -> None:
    page = page_of(long_server, "/no/such%3Cb%3E/page/", 404)
    assert '<a href="/graphql">Ask in GraphiQL</a>' in page
    assert "/no/such&lt;b&gt;/page/" in page
    assert long_server.http.get("/no/such/page").json()["code"] == 404
    assert long_server.http.delete("/", headers=HTML).status_code == 405
    # More digits than Python makes a number of.
    for path in ("/specs/detail/{}", "/builds/1/attempts/1/{}", "/builds/{}/"):
        answer = long_server.http.get(path.format("9" * 5_000))
        assert (answer.status_code, answer.json()["error"]) == (414, "HTTP_REFUSED")


def test_the_data_api_s_page_lists_every_noun_with_a_question_that_has_an_answer(reported: Server) -> None:
    page = page_of(reported, "/api/docs/")
    names = re.findall(r'<a href="/api/(\w+)/">', page)
    assert names == list(reported.http.get("/api/").json())
    for address in re.findall(r'href="(/graphql\?[^"]+)"', page):
        asked = parse_qs(urlsplit(unescape(address)).query)
        (connection,) = reported.ask(asked["query"][0], json.loads(asked["variables"][0])).values()
        assert connection["totalCount"] >= len(connection["edges"])
    described = reported.http.get("/api/docs/?format=openapi", follow_redirects=True).json()
    assert {f"/api/{name}/" for name in names} < set(described["paths"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_data_api_s_page_needs_no_script_and_fits_a_telephone(
    scheme: str, sqlite_url: str, tmp_path: Path, new_page: NewPage
) -> None:
    with served(sqlite_url, tmp_path) as server:
        for size in (NARROW, WIDE):
            page = new_page(server.url, viewport=size, color_scheme=scheme, java_script_enabled=False)
            for path in ("/api/docs/", "/specs/diff/", "/login/"):
                page.goto(path)
                for summary in page.locator("summary").all():
                    summary.click(position={"x": 5, "y": 5})
                expect(page.locator("h1")).to_be_visible()
                assert page.locator("html").evaluate("node => node.scrollWidth") <= size["width"]
