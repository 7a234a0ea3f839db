"""The pages over a real server: what they tell, what they let nobody do, and how a person moves through."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from spackmon.cli.welcome import welcome
from spackmon.database import Database, Reader
from spackmon.database.sqlite_reader import SqliteReader
from spackmon.settings import Settings
from spackmon.web import account, page_routes
from spackmon.web.admin import admin_routes
from tests import player
from tests.databases import PostgresqlServer
from tests.examples import ROOT
from tests.player import Player
from tests.server import Server, served
from tests.web.conftest import NewPage
from tests.web.reading import (
    build_of,
    listed,
    page_of,
    pages_of_all_kinds,
    report,
    tab_to,
    with_installs,
)

HOSTILE = "</title><script>alert(1)</script>'\"&/"
# The narrowest that anybody holds, and WCAG 2.1, 1.4.10.
TELEPHONE = {"width": 320, "height": 568}


@pytest.fixture(scope="module")
def reported(filled_server: Server) -> Server:
    """A server to which a client reported a build that failed two levels below what was asked for."""
    assert Player(filled_server.url, filled_server.user, filled_server.token).play("0.17-fail") == []
    return filled_server


@pytest.fixture
def sqlite_server(sqlite_url: str, tmp_path: Path) -> Iterator[Server]:
    """The same on one database, for what only a browser shows."""
    with served(sqlite_url, tmp_path) as server:
        yield server


def test_a_newcomer_finds_the_lines_that_the_service_prints_at_its_start(server: Server) -> None:
    text = page_of(server, "/")
    printed = welcome(Settings(domain_name=server.url), program=".venv/bin/spackmon")
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  ")]
    assert any(command.startswith("spack install --monitor ") for command in commands)
    for command in commands:
        assert command in text or command.startswith("export SPACKMON_DATA_DIR")
    assert '<a href="/graphql">' in text


def test_the_lines_follow_the_prefix_and_the_open_door(sqlite_url: str, tmp_path: Path) -> None:
    settings = {
        "url_api_prefix": "monitor/old",
        "disable_authentication": True,
        "domain_name": "https://site",
    }
    with served(sqlite_url, tmp_path, **settings) as server:
        text = page_of(server, "/")
    line = "--monitor-host https://site --monitor-prefix monitor/old --monitor-no-auth zlib"
    assert line in text
    assert line in welcome(Settings.model_validate(settings), program="spackmon")
    assert "user add" not in text


def test_the_table_names_the_failed_phase_and_leads_to_its_log(reported: Server) -> None:
    home = page_of(reported, "/")
    broken = build_of(reported, "brokenlib")
    assert re.search(rf'<a href="{broken}#phase-2">build</a>', home)
    build = page_of(reported, broken)
    assert re.search(r'<details class="phase" id="phase-2" open>', build)
    assert "nonexistent_header_for_demo.h: No such file or directory" in build
    (whole,) = set(re.findall(r'href="(/phases/\d+/log)"', build))
    log = reported.http.get(whole)
    assert (log.headers["content-type"], log.headers["x-content-type-options"]) == (
        "text/plain; charset=utf-8", "nosniff",
    )  # fmt: skip
    assert log.text.endswith("make: Target 'all' not remade because of errors.\n")


def test_what_failed_without_a_phase_points_to_what_broke_below_it(reported: Server) -> None:
    text = page_of(reported, build_of(reported, "topbroken"))
    broken = build_of(reported, "brokenlib")
    assert "Failed among what it depends on" in text
    assert f'in <a href="{broken}#phase-2">build</a>' in text


def test_the_filter_and_the_links_walk_through_every_build_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spackmon.web.pages.PAGE_SIZE", 2)
    assert Player(server.url, server.user, server.token).play("0.17-success") == []
    wanted = server.ask('{ builds(where: {dependency: {name: "libzeta"}}) { nodes { id } } }')
    ids = [node["id"] for node in wanted["builds"]["nodes"]]
    assert len(ids) > 2
    pages: list[list[str]] = []
    path: str | None = "/builds?name=libzeta&version="
    while path:
        text = page_of(server, path)
        pages.append(listed(text))
        path = _link(text, "next")
    assert list(chain.from_iterable(pages)) == ids
    newer = _link(text, "prev")
    assert newer is not None
    assert listed(page_of(server, newer)) == pages[-2]


def _link(text: str, relation: str) -> str | None:
    found = re.search(rf'<a rel="{relation}" href="([^"]+)"', text)
    return None if found is None else unescape(found[1])


@pytest.mark.parametrize(
    "path", ["/builds/99", "/builds/zlib", "/builds/", "/builds/1/x", "/builds/-1", "/phases/9/log"]
)
def test_an_address_where_nothing_is_says_so_in_one_sentence(long_server: Server, path: str) -> None:
    assert f"Nothing is known here under {path}." in page_of(long_server, path, 404)
    as_json = long_server.http.get(path, headers={"Accept": "application/json"})
    assert (as_json.status_code, as_json.json()["code"]) == (404, 404)


def test_every_address_is_documented() -> None:
    documented = (ROOT / "docs" / "pages.md").read_text(encoding="utf-8")
    for route in page_routes.routes:
        path = re.sub(r"\{(\w+)(:\w+)?\}", "<\\1>", route.path)
        is_file = path.startswith(("/phases/", "/analysis-results/"))
        assert path.endswith(".json") or is_file or f"`{path}" in documented, path


def test_a_build_is_found_by_its_number_and_as_graphql_may_write_it(reported: Server) -> None:
    shown = [page_of(reported, path).partition("<details")[0] for path in ("/builds/Build:1", "/builds/1")]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("query", ["after=xyz", "before=00", "version=1", "name=%00"])
def test_a_refused_question_is_a_page_with_one_sentence(long_server: Server, query: str) -> None:
    text = page_of(long_server, f"/builds?{query}", 400)
    assert text.count("<p>") == 2


def test_the_answer_behind_a_page_is_there_as_json(reported: Server) -> None:
    broken = build_of(reported, "brokenlib")
    asked = [
        reported.http.get(broken, params={"format": "json"}),
        reported.http.get(broken, headers={"Accept": "application/json"}),
    ]
    assert [answer.json()["build"]["spec"]["name"] for answer in asked] == ["brokenlib"] * 2


# Files, and what has no facts of its own: forms that lead on, and the one to sign in.
_NO_TWIN = (
    "/compare/builds", "/compare/specs", "/compare/results", "/complete", "/builds.csv", "/builds.ndjson",
    "/builds/{id}.txt", "/phases/{id:path}/log", "/analysis-results/{id:path}",
)  # fmt: skip


def test_every_page_is_there_as_json(sqlite_server: Server) -> None:
    every = [*page_routes.routes, *account.routes, *admin_routes(lambda *_: ())]
    shown = {route.path for route in every if "GET" in (route.methods or ())}
    twins = {path for path in shown if path.endswith(".json")}
    pages = shown - twins - {"/"}
    assert {path for path in pages if f"{path}.json" not in twins} == set(_NO_TWIN)
    assert Player(sqlite_server.url, sqlite_server.user, sqlite_server.token).play("0.17-fail") == []
    for path in ("/", "/docs/", "/docs/pages", *pages_of_all_kinds(sqlite_server)):
        answer = sqlite_server.http.get(path, headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/json", path
        assert answer.json(), path
    document = sqlite_server.http.get("/docs/pages.json").json()
    assert document["markdown"].startswith("# The pages")
    assert sqlite_server.http.get("/login", headers={"Accept": "application/json"}).json() == {"ways": []}


def test_nothing_that_a_client_sent_becomes_html_or_moves_the_terminal(server: Server) -> None:
    spec, build, *_ = (e for e in player.exchanges("0.17-fail") if e["method"] == "POST")
    body = json.loads(spec["request_body"])
    for node in body["spec"]["nodes"]:
        node["parameters"] = {HOSTILE: HOSTILE, "list": [HOSTILE]}
        node["namespace"] = HOSTILE
        node["version"] = HOSTILE
        node["compiler"] = {"name": HOSTILE, "version": HOSTILE}
    assert server.post("/ms1/specs/new/", body).status_code == 201
    announced = {**json.loads(build["request_body"]), "tags": HOSTILE, "hostname": HOSTILE}
    made = server.post("/ms1/builds/new/", announced).json()
    build_id = made["data"]["build"]["build_id"]
    link = "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"
    log = f"\x1b[31mred\x1b[0m {HOSTILE}\x00\x07{link} 10%\r20%\r\n\u202eend\n"
    for status in ("ERROR", HOSTILE):
        phase = {"build_id": build_id, "phase_name": HOSTILE + status, "status": status, "output": log}
        assert server.post("/ms1/builds/phases/update/", phase).status_code == 200
    analysis = {"environment_variables": {HOSTILE: HOSTILE}, "config_args": HOSTILE}
    assert server.post("/ms1/analyze/builds/", {"build_id": build_id, "metadata": analysis}).status_code in (
        200,
        201,
    )

    event = {"text": HOSTILE, "source_file": HOSTILE, "pre_context": HOSTILE, "post_context": HOSTILE}
    install = {
        "type": "install", "source": {"kind": "CDASH", "key": HOSTILE}, "status": "FAILED",
        "package": HOSTILE, "prefix": HOSTILE, "spack_version": HOSTILE, "spack_revision": HOSTILE,
        "events": [{"kind": kind, **event} for kind in ("ERROR", "WARNING")],
    }  # fmt: skip
    unsolved = {
        "type": "concretization_failure", "spec": HOSTILE, "package": HOSTILE, "message": HOSTILE * 100,
        "spack_version": HOSTILE,
    }  # fmt: skip
    report(server, f"{json.dumps(install)}\n{json.dumps(unsolved)}\n".encode())

    escaped = "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&#34;&amp;/"
    assert escaped in page_of(server, "/")
    text = page_of(server, f"/builds/{build_id}")
    assert text.count(escaped) > 15
    assert f"red {escaped}␀␇link 10%\n20%\n\ufffdend\n</pre>" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert page_of(server, f"/builds/{build_id + 1}").count(escaped) > 12
    page_of(server, "/builds?name=" + "%3Cscript%3E%22%27")
    for path in pages_of_all_kinds(server):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page_of(server, path)), path
    for path in ("/packages/", "/hosts/", "/concretization-failures?package="):
        assert escaped in page_of(server, path + quote(HOSTILE, safe=""))
    assert "<h1>Machines without a name</h1>" in (unnamed := page_of(server, "/hosts/"))
    assert listed(unnamed) == listed(
        page_of(server, re.findall(r'<p><a href="(/builds\?where=.*?)"', unnamed)[0])
    )
    assert listed(unnamed)


def test_of_a_large_log_the_page_has_the_end_and_a_link_the_whole(server: Server) -> None:
    assert Player(server.url, server.user, server.token).play("0.17-fail") == []
    broken = build_of(server, "brokenlib")
    log = "".join(f"line {number} ünïcode\n" for number in range(100_000))
    phase = {
        "build_id": int(broken.rpartition("/")[2]),
        "phase_name": "build",
        "status": "ERROR",
        "output": log,
    }
    assert server.post("/ms1/builds/phases/update/", phase).status_code == 200
    text = page_of(server, broken)
    assert "Only its end is shown." in text
    (shown,) = re.findall(r"<pre>\n(line .*?)</pre>", text, re.DOTALL)
    assert log.endswith(shown)
    assert log[-len(shown) - 1] == "\n"
    assert 199_000 < len(shown.encode()) <= 200_000
    links = re.findall(r'href="(/phases/\d+/log)"', text)
    assert server.http.get(links[0]).text == log
    window = page_of(server, f"{links[0].removesuffix('log')}lines?from=50001&search=99999")
    assert re.findall(r'id="L(\d+)"', window) == [str(number) for number in range(50_001, 50_501)]
    assert re.search(r'id="L50001".*<code>line 50000 ünïcode</code>', window)
    assert re.search(r'from=99980#L100000">100000</a> <code>line 99999 ünïcode', unescape(window))


def test_two_logs_are_shown_from_their_first_difference_on(server: Server) -> None:
    logs = ("cc /opt/a/x.c\nversion 1.2\nend\n", "cc /srv/b/x.c\nversion 1.3 \x1b[31mred\x1b[0m\nend\n")
    for number, log in enumerate(logs, 1):
        phases = [{"name": "build", "status": "SUCCESS", "output": log, "duration_seconds": 90 * number}]
        phases.append({"name": "install", "status": "SUCCESS", "duration_seconds": 30})
        source = {"kind": "EXTENSION", "key": str(number)}
        install = {"type": "install", "source": source, "status": "SUCCESS", "package": "a", "phases": phases}
        report(server, json.dumps(install).encode())
    nodes = server.ask("{ builds { nodes { id phases { nodes { id } } } } }")["builds"]["nodes"]
    (b, of_b), (a, of_a) = ((node["id"], node["phases"]["nodes"][0]["id"]) for node in nodes)
    side_by_side = page_of(server, f"/compare/builds/{a}/{b}")
    address = f"/compare/logs/{of_a.partition(':')[2]}/{of_b.partition(':')[2]}"
    assert f'href="{address}"' in side_by_side
    text = page_of(server, address)
    assert "1 line alike" in text
    rows = re.findall(r'<tr class="(\w+)">.*?>(\d+)</a>.*?<code>(.*?)</code>', text)
    assert rows == [
        ("same", "1", "cc /srv/b/x.c"), ("gone", "2", "version 1.2"), ("new", "2", "version 1.3 red"),
        ("same", "3", "end"),
    ]  # fmt: skip
    assert "No difference in 1 line." in page_of(server, f"{address}?a_from=3&b_from=3")
    assert "whole number from 1" in page_of(server, f"{address}?a_from=x", 400)
    page_of(server, f"/compare/logs/{of_a.partition(':')[2]}/999", 404)
    begins = r'aria-label="(.*?) after the first began"><rect class="ended-well" x="([\d.]+)"'
    bars = re.findall(begins, page_of(server, f"/builds/{a}"))
    assert bars == [("0 s", "0.0"), ("1 min 30 s", "747.8")]


def test_a_page_is_one_statement(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    fetch: Callable[..., Any] = SqliteReader.fetch

    async def counted(reader: Reader, statement: str, parameters: Mapping[str, Any]) -> bytes:
        statements.append(statement)
        answer: bytes = await fetch(reader, statement, parameters)
        return answer

    monkeypatch.setattr(SqliteReader, "fetch", counted)
    with served(sqlite_url, tmp_path) as server:
        Player(server.url, server.user, server.token).play("0.17-fail")
        path = build_of(server, "brokenlib")
        for page in (
            "/",
            "/builds?name=libzeta&version=2.0",
            path,
            "/phases/1/log",
            *pages_of_all_kinds(server),
        ):
            statements.clear()
            server.http.get(page)
            # Whether the specs of two builds are known, or how many builds there are, decides what is asked.
            is_decided = page.startswith(("/compare/builds/", "/errors/", "/packages/"))
            expected = 0 if page == "/splice" else 2 if is_decided else 1
            assert len(statements) == expected, page


def test_a_database_that_is_away_is_told_in_one_sentence(
    private_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with served(private_postgresql.url, tmp_path, hold_seconds=1.0) as server:
        assert "No builds yet" in page_of(server, "/")
        private_postgresql.stop()
        told = re.search(
            r"<p>The database did not answer for (\d+) s\.</p>", page_of(server, "/builds/1", 503)
        )
        assert told
        assert int(told[1]) >= 1


def test_a_fault_of_ours_is_a_page_that_names_its_place_in_the_log(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        database = Database(sqlite_url)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE build RENAME TO elsewhere")
        database.close()
        answer = server.http.get("/")
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["x-request-id"] in answer.text
    assert "elsewhere" not in answer.text


def test_from_the_table_to_the_log_by_keyboard(sqlite_server: Server, new_page: NewPage) -> None:
    Player(sqlite_server.url, sqlite_server.user, sqlite_server.token).play("0.17-fail")
    page = new_page(sqlite_server.url, java_script_enabled=False)
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="brokenlib@0.1").first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("brokenlib@0.1")
    # The end of the log, where what broke stands, is what one sees first.
    expect(page.get_by_text("make: Target 'all' not remade")).to_be_in_viewport()
    tab_to(page, page.get_by_role("region", name="Log of build").first)
    tab_to(page, page.get_by_role("link", name="Whole log of build").first)
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("compilation terminated.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_nothing_sticks_out_and_everything_can_be_read(
    sqlite_server: Server, new_page: NewPage, scheme: str
) -> None:
    page = new_page(sqlite_server.url, viewport=TELEPHONE, color_scheme=scheme)
    Player(sqlite_server.url, sqlite_server.user, sqlite_server.token).play("0.17-fail")
    long_name = {"hostname": "n" * 200, "tags": "t" * 200}
    announced = next(e for e in player.exchanges("0.17-fail") if e["path"].endswith("builds/new/"))
    sqlite_server.post("/ms1/builds/new/", {**json.loads(announced["request_body"]), **long_name})
    with_installs(sqlite_server)
    report(sqlite_server, (ROOT / "examples" / "nightly.jsonl").read_bytes())
    nodes = sqlite_server.ask("{ builds(first: 50) { nodes { id } } }")["builds"]["nodes"]
    builds = [f"/builds/{node['id']}" for node in nodes]
    others = pages_of_all_kinds(sqlite_server)
    axe = (ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    for path in ("/", "/builds?name=libzeta&version=", *builds, *others, "/builds?name=nothing"):
        page.goto(path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") == TELEPHONE["width"], path
        assert 4.5 <= page.evaluate(_LOWEST_CONTRAST) <= 21, path
        # Of what axe looks at, colours alone differ in the dark, and those are measured above.
        if scheme == "light" and path not in builds[4:]:
            page.evaluate(axe)
            assert page.evaluate(_WHAT_AXE_FINDS) == [], path


_WHAT_AXE_FINDS = """async () => {
  const { violations } = await axe.run(document, {
    resultTypes: ['violations'], rules: { 'target-size': { enabled: true } },
  });
  return violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
}"""

# WCAG 2.1, 1.4.3: of every text against the nearest background that is painted behind it.
_LOWEST_CONTRAST = """() => {
  const light = color => {
    const [r, g, b] = color.match(/[\\d.]+/g).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return color !== 'rgba(0, 0, 0, 0)' ? color : behind(element.parentElement);
  };
  const ratios = [...document.querySelectorAll('body *')]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a))
    .map(([high, low]) => (high + 0.05) / (low + 0.05));
  return Math.min(...ratios);
}"""
