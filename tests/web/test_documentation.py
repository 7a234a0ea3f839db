"""The documentation that a service brings: every document is a page, and every link in it leads somewhere."""

import re
from itertools import chain
from pathlib import Path

from tests.examples import ROOT
from tests.server import served
from tests.web.reading import page_of


def test_every_document_is_a_page_whose_links_lead_to_headings(sqlite_url: str, tmp_path: Path) -> None:
    names = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").rglob("*.md")
    }
    with served(sqlite_url, tmp_path) as server:
        index = page_of(server, "/docs/")
        assert set(re.findall(r'<dt><a href="/docs/([^"]+)"', index)) == names
        pages = {name: page_of(server, f"/docs/{name}") for name in names}
        hits = [
            re.findall(r'href="/docs/([\w/-]+)#([^"]+)"', page_of(server, f"/docs/?search={words}"))
            for words in ("newlyFailing+since", "had+to+be+decided", "query")
        ]
        assert all(hits)
        page_of(server, "/docs/nothing", 404)
        assert 'href="/docs/grafana/spackmon.json"' in pages["monitoring"]
        assert server.http.get("/docs/grafana/spackmon.json").json()["title"] == "spackmon"
        assert server.http.get("/docs").headers["location"] == "/docs/"
    anchors = {name: set(re.findall(r' id="([^"]+)"', text)) for name, text in pages.items()}
    assert all(anchor in anchors[name] for name, anchor in chain.from_iterable(hits))
    for text in pages.values():
        for name, anchor in re.findall(r'href="/docs/([\w/-]+)(?:#([^"]+))?"', text):
            assert name in names, name
            assert not anchor or anchor in anchors[name], (name, anchor)
