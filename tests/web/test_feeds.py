"""What other programs show of builds: feeds for a feed reader, and badges for a page."""

import json
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from tests.player import Player
from tests.server import Server
from tests.web.reading import listed, page_of

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"


def feed_of(server: Server, path: str) -> ElementTree.Element:
    """A feed that has what RFC 4287 asks of one, and of its entries."""
    answer = server.http.get(path, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml")
    feed = ElementTree.fromstring(answer.text)
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    for element in (feed, *entries):
        assert all(len(element.findall(f"{ATOM}{name}")) == 1 for name in ("id", "title", "updated"))
    ids = [text_of(entry, "id") for entry in entries]
    assert len(ids) == len(set(ids))
    assert feed.find(f"{ATOM}author") is not None or all(one.find(f"{ATOM}author") for one in entries)
    return feed


def text_of(element: ElementTree.Element, name: str) -> str:
    """The text of the child of this name."""
    return element.findtext(f"{ATOM}{name}") or ""


def titles(feed: ElementTree.Element) -> list[str]:
    """What the entries are about, in their order."""
    return [text_of(entry, "title") for entry in feed.findall(f"{ATOM}entry")]


@pytest.fixture(scope="module")
def reported(filled_server: Server) -> Server:
    """A server to which a client reported a build that failed two levels below what was asked for."""
    assert Player(filled_server.url, filled_server.user, filled_server.token).play("0.17-fail") == []
    return filled_server


def test_a_feed_has_the_builds_that_its_address_asks_for(reported: Server) -> None:
    everything = titles(feed_of(reported, "/feeds/builds.atom"))
    failed = [title for title in everything if title.endswith(": FAILED")]
    assert len(everything) > len(failed) > 0
    where = quote(json.dumps({"status": {"eq": "FAILED"}}))
    for question in ("status=failed", f"where={where}", f"status=FAILED&where={where}"):
        feed = feed_of(reported, f"/feeds/builds.atom?{question}")
        assert titles(feed) == failed
        (page,) = feed.findall(f"{ATOM}link[@rel='alternate']")
        shown = page_of(reported, page.attrib["href"].removeprefix(reported.url))
        assert len(listed(shown)) == len(failed)
    (broken,) = titles(feed_of(reported, "/feeds/builds.atom?satisfying=brokenlib"))
    assert broken.startswith("brokenlib@")
    assert titles(feed_of(reported, "/feeds/builds.atom?package=nobody")) == []


def test_a_feed_of_errors_has_a_new_group_and_not_a_muted_one(reported: Server) -> None:
    new = titles(feed_of(reported, "/feeds/errors.atom"))
    assert any("nonexistent_header_for_demo.h" in title for title in new)
    asked = reported.ask("{ errorGroups { nodes { fingerprint } } }")
    for group in asked["errorGroups"]["nodes"]:
        path = f"/api/error-groups/{group['fingerprint']}"
        assert reported.post(path, {"action": "MUTE"}).status_code == 200
    assert titles(feed_of(reported, "/feeds/errors.atom")) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/badge/brokenlib.svg", "fails"),
        ("/badge/brokenlib.svg?status=success", "no builds"),
        ("/badge/nobody.svg", "no builds"),
        ("/badge/" + quote("</svg><script>" + "x" * 1000, safe="") + ".svg", "no builds"),
    ],
)
def test_a_badge_says_how_the_newest_run_ended(reported: Server, path: str, message: str) -> None:
    answer = reported.http.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    image = ElementTree.fromstring(answer.text)
    assert {element.tag for element in image.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "path", "g", "text")
    }
    assert (image.findtext(f"{SVG}title") or "").endswith(message)


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/builds.atom?where=[]",
        "/feeds/builds.atom?where=%7B%22nothing%22:1%7D",
        "/feeds/builds.atom?status=sometimes",
        "/feeds/builds.atom?satisfying=@@",
        "/badge/zlib.svg?version=1",
        "/badge/zlib.svg?where=" + "[" * 20_000,
        "/builds?where=" + quote('{"not":' * 60 + "{}" + "}" * 60),
    ],
)
def test_a_question_that_is_none_is_refused_in_a_sentence(long_server: Server, path: str) -> None:
    answer = long_server.http.get(path, headers={"Accept": "application/json"})
    assert 400 <= answer.status_code < 500
    if "json" in answer.headers["content-type"]:
        assert answer.json()["message"]
