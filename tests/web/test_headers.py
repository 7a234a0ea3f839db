"""What protects a page, how long a browser may keep a file, and the page whose files are missing."""

import asyncio
import json
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from spackmon.web.graphiql import graphiql_page
from spackmon.web.security import GRAPHIQL_POLICY, PAGE_POLICY
from spackmon.web.static_files import MANIFEST, static_files


class Server(Protocol):
    url: str


@pytest.fixture
def server(long_server: Server) -> Server:
    """One for all: they only ask."""
    return long_server


def test_pages_run_our_files_only_and_cannot_be_framed(server: Server) -> None:
    answer = server.http.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == PAGE_POLICY
    assert "'unsafe-" not in PAGE_POLICY
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_graphiql_may_write_styles_but_no_scripts(server: Server) -> None:
    answer = server.http.get("/graphql", headers={"Accept": "text/html"})
    assert answer.headers["content-security-policy"] == GRAPHIQL_POLICY
    assert "script-src 'self';" in GRAPHIQL_POLICY
    assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson", "text/csv"])
def test_no_browser_takes_an_answer_for_a_page(server: Server, media_type: str) -> None:
    query = {"query": "{ builds { nodes { id } } }"}
    answer = server.http.post("/graphql", json=query, headers={"Accept": media_type})
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" not in answer.headers


@pytest.mark.parametrize(
    ("path", "accept", "caching"),
    [
        ("/graphql?query={specs{totalCount}}", "application/json", "private, no-cache"),
        ("/graphql?query={builds{totalCount}}", "application/graphql-response+json", "private, no-cache"),
        ("/graphql?query={nothing}", "application/json", "private, no-cache"),
        ("/graphql", "text/html", "private, no-cache"),
        ("/graphql?query={builds{nodes{id}}}", "application/x-ndjson", "no-store"),
        ("/graphql?query={builds{nodes{id}}}", "text/csv", "no-store"),
        ("/", "text/html", "private, no-cache"),
        ("/", "application/json", "private, no-cache"),
        ("/builds/123456", "text/html", "private, no-cache"),
        ("/api/builds", "application/json", "private, no-cache"),
        ("/nowhere", "application/json", "private, no-cache"),
    ],
)
def test_an_answer_is_its_readers_own(server: Server, path: str, accept: str, caching: str) -> None:
    answer = server.http.get(path, headers={"Accept": accept})
    assert answer.headers["cache-control"] == caching
    varied = {one.strip() for one in answer.headers["vary"].split(",")}
    assert varied >= ({"Authorization", "Accept"} if "graphql" in path else {"Authorization"})


def test_an_answer_about_specs_has_a_tag_by_which_a_client_need_not_read_it_again(server: Server) -> None:
    specs, builds = ({"query": f"{{ {noun} {{ totalCount }} }}"} for noun in ("specs", "builds"))
    media_types = "application/json", "application/graphql-response+json"
    tags = [
        server.http.get("/graphql", params=specs, headers={"Accept": media_type}).headers["etag"]
        for media_type in media_types
    ]
    # Of another representation: it has another Content-Type.
    assert len(set(tags)) == len(tags)
    for sent, status in (
        (tags[0], 304), (f'"other", W/{tags[0]}', 304), ("*", 304), (tags[1], 200), ("nonsense", 200),
    ):  # fmt: skip
        headers = {"Accept": media_types[0], "If-None-Match": sent}
        again = server.http.get("/graphql", params=specs, headers=headers)
        assert (again.status_code, again.headers["etag"]) == (status, tags[0]), sent
        assert bool(again.content) == (status == 200)
        assert "Authorization" in again.headers["vary"]
        assert again.headers["cache-control"] == "private, no-cache"
    assert "etag" not in server.http.post("/graphql", json=specs, headers={"If-None-Match": tags[0]}).headers
    assert "etag" not in server.http.get("/graphql", params=builds, headers={"If-None-Match": "*"}).headers


def test_a_built_file_is_kept_for_a_year_and_a_plain_one_is_asked_for_again(server: Server) -> None:
    script = json.loads(MANIFEST.read_bytes())["graphiql.js"]
    built = server.http.get(f"/static/built/{script}", headers={"Accept-Encoding": "gzip"})
    assert built.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert built.headers["content-encoding"] == "gzip"

    icon = server.http.get("/static/icon.svg")
    assert icon.headers["cache-control"] == "no-cache"
    again = server.http.get("/static/icon.svg", headers={"If-None-Match": icon.headers["etag"]})
    assert again.status_code == 304


async def _get(app: Starlette, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return await client.get(path)


def test_an_unbuilt_front_end_is_named_with_the_command_that_builds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spackmon.web.static_files.MANIFEST", tmp_path / "manifest.json")
    routes = [
        Route("/graphql", graphiql_page),
        Mount("/static", static_files(), name="static"),
    ]
    answer = asyncio.run(_get(Starlette(routes=routes), "/graphql"))
    assert answer.status_code == 503
    assert "run <code>make install</code>" in answer.text
    assert "<script" not in answer.text
