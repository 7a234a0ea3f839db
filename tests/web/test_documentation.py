"""The documentation of a service, and of a folder: every document is a page whose links lead somewhere."""

import posixpath
import re
from itertools import chain
from pathlib import Path

from playwright.sync_api import Browser

from tests.cli import prepared
from tests.reference_pages import DOCS, pages
from tests.server import PROGRAM, served
from tests.web.reading import Wellformed, page_of

NAMES = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")} - {"README"}


def test_what_follows_from_the_program_is_what_the_documents_say() -> None:
    drawings = {path for path in DOCS.rglob("*.svg") if path.parent.name == "tables"}
    written = pages()
    assert drawings <= written.keys(), "make reference"
    assert [path.name for path, text in written.items() if path.read_text() != text] == [], "make reference"


def test_every_document_is_in_one_group() -> None:
    listed = re.findall(r"^- .*\]\(([\w/-]+)\.md\)$", (DOCS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(name for name in NAMES if not name.startswith("decisions/0"))


def test_every_document_is_a_page_whose_links_lead_to_headings(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        index = page_of(server, "/docs/")
        assert re.findall(r"<h2>(.*)</h2>", index) == ["Tutorial", "How to", "Reference", "Explanation"]
        shown = {name: page_of(server, f"/docs/{name}") for name in NAMES}
        hits = [
            re.findall(r'href="/docs/([\w/-]+)#([^"]+)"', page_of(server, f"/docs/?search={words}"))
            for words in ("newlyFailing+since", "had+to+be+decided", "query")
        ]
        assert all(hits)
        page_of(server, "/docs/nothing", 404)
        assert 'href="/docs/grafana/spackmon.json"' in shown["monitoring"]
        assert server.http.get("/docs/grafana/spackmon.json").json()["title"] == "spackmon"
        assert server.http.get("/docs").headers["location"] == "/docs/"
        assert 'src="/docs/tables/builds.svg"' in shown["tables"]
        drawing = server.http.get("/docs/tables/builds.svg")
        assert drawing.headers["content-type"] == "image/svg+xml"
        assert 'aria-current="page">Settings</a>' in shown["settings"]
    anchors = {name: set(re.findall(r' id="([^"]+)"', text)) for name, text in shown.items()}
    assert all(anchor in anchors[name] for name, anchor in chain.from_iterable(hits))
    for text in shown.values():
        for name, anchor in re.findall(r'href="/docs/([\w/-]+)(?:#([^"]+))?"', text):
            assert name in NAMES, name
            assert not anchor or anchor in anchors[name], (name, anchor)


def test_a_folder_of_the_documentation_needs_no_server(tmp_path: Path, browser: Browser) -> None:
    command = [str(PROGRAM), "docs", str(tmp_path / "site")]
    assert prepared.run(command, {}).stdout == f"{len(NAMES) + 1} pages: {tmp_path / 'site' / 'index.html'}\n"
    texts = {path: path.read_text() for path in (tmp_path / "site").rglob("*.html")}
    assert len(texts) == len(NAMES) + 1
    for path, text in texts.items():
        if path.name != "index.html":
            # A page on a disk has a script of the old kind.
            Wellformed().check(text)
        for link in re.findall(r' (?:href|src)="([^"]+)"', text):
            # The network is asked for nothing; a link may lead there.
            if link.startswith(("http:", "https:")):
                assert f'<a href="{link}"' in text
                continue
            name, _, anchor = link.partition("#")
            target = Path(posixpath.normpath(path.parent / name)) if name else path
            assert target.is_file(), (path, link)
            assert not anchor or f' id="{anchor}"' in texts[target], (path, link)
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/site/index.html")
    page.get_by_label("Search").fill("newlyFailing SINCE")
    page.get_by_role("button", name="Find").click()
    page.locator("#found a").first.click()
    assert "newlyFailing" in page.locator("article").inner_text()
    page.get_by_role("link", name="Settings", exact=True).click()
    assert page.locator("h1").inner_text() == "Settings"
    page.close()


def test_where_the_documentation_cannot_be_written_one_sentence_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = prepared.run([str(PROGRAM), "docs", str(tmp_path / "file")], {})
    assert (refused.returncode, refused.stderr) == (1, f"spackmon: {tmp_path / 'file'}: File exists\n")
