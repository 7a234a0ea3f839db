"""What tests of pages ask of a server, and how they read what it shows."""

import json
import re
from html.parser import HTMLParser
from urllib.parse import quote

from playwright.sync_api import Locator, Page

from tests.examples import ROOT
from tests.server import Server


def build_of(server: Server, package: str) -> str:
    """The address of a build of this package."""
    nodes = server.ask("{ builds { nodes { id package { name } } } }")["builds"]["nodes"]
    return next(f"/builds/{node['id']}" for node in nodes if node["package"]["name"] == package)


def with_installs(server: Server) -> Server:
    """The server, to which other sources than old clients have reported: the examples' installs."""
    for line in (ROOT / "examples" / "specs.jsonl").read_text(encoding="utf-8").splitlines():
        body = {**json.loads(line), "spack_version": "1.2.0"}
        assert server.post("/ms1/specs/new/", body).status_code in (200, 201)
    report(server, (ROOT / "examples" / "installs.jsonl").read_bytes())
    return server


def report(server: Server, lines: bytes) -> None:
    """What a batch reports is new."""
    answers = server.post("/api/submissions", lines).text.splitlines()
    assert {json.loads(line)["status"] for line in answers} <= {"created", "changed"}, answers


def listed(text: str) -> list[str]:
    """The numbers of the builds in a table, in their order."""
    return re.findall(r'<th scope="row"><a href="/builds/(\d+)"', text)


def page_of(server: Server, path: str, status: int = 200) -> str:
    """The HTML at a path, which is well formed."""
    answer = server.http.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    Wellformed().check(answer.text)
    return answer.text


def pages_of_all_kinds(server: Server) -> list[str]:
    """An address of every page that is not of a build or a list of builds."""
    known = server.ask(
        "{ errorGroups(first: 1) { nodes { fingerprint } } specs(first: 2) { nodes { hash } }"
        " builds(first: 2) { nodes { id package { name } environment { hostname } } }"
        " phases(first: 20) { nodes { id log { lineCount } } } }"
    )
    printed = [phase["id"].partition(":")[2] for phase in known["phases"]["nodes"] if phase["log"]]
    (group,), (a, b) = known["errorGroups"]["nodes"], known["specs"]["nodes"]
    newer, older = known["builds"]["nodes"]
    return [
        f"/phases/{printed[0]}/lines", f"/compare/logs/{printed[-1]}/{printed[0]}",
        f"/builds/{older['id']}/files",
        "/splice", f"/splice?package={quote(older['package']['name'], safe='')}",
        "/errors", f"/errors/{group['fingerprint']}", f"/specs/{a['hash']}",
        "/packages", f"/packages/{older['package']['name']}", "/hosts",
        f"/hosts/{quote(older['environment']['hostname'], safe='')}",
        f"/splice?build={older['id']}", f"/abi?package={quote(older['package']['name'], safe='')}",
        f"/abi?a={a['hash']}&b={b['hash']}", "/results",
        "/environments", "/environments/nothing", "/ci", "/compare/runs", "/builds?status=failed&counts=1",
        "/concretization-failures",
        f"/compare/specs/{a['hash']}/{b['hash']}", f"/compare/builds/{older['id']}/{newer['id']}",
    ]  # fmt: skip


def tab_to(page: Page, wanted: Locator, most: int = 60) -> None:
    """Press Tab until this has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"no way by keyboard to {wanted}")


class Wellformed(HTMLParser):
    """Every element is closed in its order, ids are unique, labels lead somewhere; scripts are our files."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})

    def check(self, text: str) -> None:
        self.open: list[str] = []
        self.ids: list[str] = []
        self.referred: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))
        assert self.referred <= set(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag != "style"
        if tag == "script":
            assert given.keys() == {"type", "src"}
            assert (given["src"] or "").startswith("/static/built/")
        assert not any(name == "style" or name.startswith("on") for name in given)
        if tag == "th":
            assert given["scope"] in ("col", "row")
        if "id" in given:
            self.ids.append(given["id"] or "")
        self.referred.update(filter(None, [given.get("aria-labelledby")]))
        if (address := given.get("href") or "").startswith("#"):
            self.referred.add(address[1:])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
