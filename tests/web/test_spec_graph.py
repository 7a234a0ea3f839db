"""The drawn graph of a spec: what a script makes of it in a real browser, and what is there without one."""

from pathlib import Path
from xml.etree import ElementTree

from playwright.sync_api import expect

from tests.player import Player
from tests.server import served
from tests.web.conftest import NewPage
from tests.web.reading import page_of

SVG = "{http://www.w3.org/2000/svg}"


QUERY = """
    { specs(where: {name: {eq: "topbroken"}}, first: 1) {
        nodes { hash graph { nodes { name } edges { deptypes } } }
    } }
"""


def test_a_graph_is_drawn_folded_followed_and_saved(
    sqlite_url: str, new_page: NewPage, tmp_path: Path
) -> None:
    with served(sqlite_url, tmp_path) as server:
        assert Player(server.url, server.user, server.token).play("0.17-fail") == []
        (spec,) = server.ask(QUERY)["specs"]["nodes"]
        address = f"/specs/{spec['hash']}/graph"
        assert "topbroken@" in page_of(server, address).partition('<pre class="tree">')[2]

        page = new_page(server.url)
        page.goto(address)
        nodes, lines = page.locator("svg.graph .node"), page.locator("svg.graph .lines path")
        expect(nodes).to_have_count(len(spec["graph"]["nodes"]))
        expect(lines).to_have_count(len(spec["graph"]["edges"]))
        expect(page.locator(".node.failed", has_text="brokenlib@0.1")).to_have_count(1)
        page.locator(".node", has_text="brokenlib@0.1").focus()
        expect(page.locator(".node.on-path", has_text="topbroken@")).to_have_count(1)

        with page.expect_download() as saved:
            page.get_by_role("button", name="Save SVG").click()
        saved.value.save_as(tmp_path / "graph.svg")
        drawing = ElementTree.parse(tmp_path / "graph.svg").getroot()
        texts = {text.text for text in drawing.iter(f"{SVG}text")}
        assert {text.partition("@")[0] for text in texts if text} == {
            node["name"] for node in spec["graph"]["nodes"]
        }
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save PNG").click()
        saved.value.save_as(tmp_path / "graph.png")
        assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")

        page.get_by_label("Depth").select_option("1")
        expect(nodes).not_to_have_count(len(spec["graph"]["nodes"]))
        page.locator(".node", has_text="topbroken@").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("topbroken@")
