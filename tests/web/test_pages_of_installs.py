"""What the pages tell of builds that other sources than old clients server."""

import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import insert

from spackmon.models import MergedBuild
from tests.examples import ROOT
from tests.player import Player
from tests.server import Server, in_database, served
from tests.web.reading import build_of, listed, page_of, report, with_installs


@pytest.fixture
def installs(server: Server) -> Server:
    """A server to which other sources than old clients reported: the examples' installs."""
    return with_installs(server)


def test_the_errors_come_first_with_their_places_and_lead_to_the_builds_with_the_same(
    installs: Server,
) -> None:
    top, greet = build_of(installs, "demo-top"), build_of(installs, "netcdf-c")
    assert f'<a class="aside" href="{top}#errors">1 error</a>' in page_of(installs, "/")
    text = page_of(installs, top)
    assert text.index('<h2 id="errors">') < text.index('<h2 id="phases">')
    assert "<code>main.c:3</code>" in text
    assert "line 4 of the log" in text
    error = "main.c:3:10: fatal error: zeta.h: No such file or directory"
    assert f"gcc -O2 -c main.c\n<b>{error}</b>\n    3 | #include" in unescape(text)
    assert re.search(r'The same</a> in <a href="/builds/\d+">greet-cli \d+</a>, first seen <time', text)
    # The errors are CDash's, which has no warnings of this run: the extension has one.
    assert "<summary>1 warning</summary>" in text
    assert "The same in" not in page_of(installs, greet)


def test_a_failed_build_is_told_in_words_with_the_document_that_builds_it_again(installs: Server) -> None:
    path = build_of(installs, "demo-top")
    report = installs.http.get(f"{path}.txt")
    assert report.headers["content-type"] == "text/plain; charset=utf-8"
    assert report.text.startswith("demo-top@2.0: FAILED in build\n")
    assert "    main.c:3:10: fatal error: zeta.h: No such file or directory\n    " in report.text
    (address,) = re.findall(r"curl -o spec\.json http://[^/]+(\S+)", report.text)
    document = installs.http.get(address).json()
    assert document["spec"]["nodes"][0]["name"] == "demo-top"
    told_again = installs.post("/ms1/specs/new/", {**document, "spack_version": "1.2.0"})
    assert told_again.status_code == 200


def test_who_told_of_a_build_and_how_long_its_phases_took_stands_on_its_page(installs: Server) -> None:
    text = page_of(installs, build_of(installs, "demo-top"))
    told = text[text.index('<h2 id="sources">') :]
    assert re.findall("<dt>(.*?)</dt>", told)[:2] == ["spack monitor", "CDash"]
    assert "build-host-1/20260301-0200-Nightly/demo-top@2.0" in told
    assert re.findall(r" · (\d+ s) · ", text) == ["12 s", "57 s"]
    assert "<dt>Took</dt><dd>1 min 10 s</dd>" in text


def test_two_attempts_of_a_build_are_compared_by_their_variables(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path) as server:
        with_installs(server)
        path = build_of(server, "demo-top")
        first = json.loads((ROOT / "examples" / "installs.jsonl").read_bytes().splitlines()[0])
        again = {
            **first, "source": {"kind": "EXTENSION", "key": "again"}, "started_at": "2026-03-02T02:00:05Z",
            "finished_at": "2026-03-02T02:01:15Z", "environment_variables": {"A": "<2>", "PATH": "/b"},
        }  # fmt: skip
        report(server, json.dumps(again).encode())
        numbers = re.findall(rf'href="{path}/attempts/(\d+)/(\d+)"', page_of(server, path))
        assert numbers == [("1", "2")]
        text = page_of(server, f"{path}/attempts/1/2")
        assert '<th scope="row">A</th>' in text
        assert "<code>&lt;2&gt;</code>" in text
        assert "Where they differ" in text
        for missing in ("1/3", "1/9999999999999", "x/1"):
            page_of(server, f"{path}/attempts/{missing}", 404)


def test_a_build_without_a_spec_has_a_row_and_a_page(installs: Server) -> None:
    path = build_of(installs, "netcdf-c")
    assert f'<a href="{path}">netcdf-c</a>' in page_of(installs, "/")
    text = page_of(installs, path)
    assert "<h1>netcdf-c " in text
    assert "No source told it so far." in text
    assert "Direct dependencies" not in text
    nameless = {"type": "install", "source": {"kind": "CDASH", "key": "p/s/t/b"}, "status": "FAILED"}
    report(installs, json.dumps({**nameless, "spec_hash": "q" * 32}).encode())
    (newest, *_) = listed(home := page_of(installs, "/"))
    assert "Unknown package" in home
    assert f"<code>{'q' * 32}</code>" in page_of(installs, f"/builds/{newest}")


def test_the_number_of_a_build_that_is_another_now_leads_to_that_one(server: Server) -> None:
    assert Player(server.url, server.user, server.token).play("0.17-fail") == []
    merge = insert(MergedBuild).values(id=4242, build_id=1)
    in_database(server, lambda connection: connection.execute(merge))
    for path in ("/builds/4242", "/builds/Build:4242"):
        answer = server.http.get(path, params={"format": "json"})
        assert (answer.status_code, answer.headers["location"]) == (301, "/builds/1?format=json")
    nodes = server.ask('{ build(id: "4242") { id } node(id: "Build:4242") { id } }')
    assert nodes == {"build": {"id": "1"}, "node": {"id": "1"}}


def test_installed_files_are_a_tree_that_is_read_a_directory_at_a_time(server: Server) -> None:
    sizes = {"a/lib/a b.so": 1000, "a/lib/x/y/z": 20, "a/lib-2": 3, "a/é/1": 4, "b": 7}
    files = {f"/opt/{path}": {"type": "file", "size": size} for path, size in sizes.items()}
    install = {
        "type": "install", "source": {"kind": "PREFIX", "key": "1"}, "status": "SUCCESS", "package": "a",
        "prefix": "/opt/a", "install_files": {**files, "/opt/a/lib": {"type": "dir"}},
    }  # fmt: skip
    report(server, json.dumps(install).encode())
    path = build_of(server, "a")
    folder = server.http.get(f"{path}/files.json").json()["build"]["installFolder"]
    shown = ("name", "isFolder", "fileCount", "sizeBytes")
    assert [tuple(one[name] for name in shown) for one in folder["entries"]] == [
        ("lib", True, 2, 1020), ("lib-2", False, 1, 3), ("é", True, 1, 4),
    ]  # fmt: skip
    assert (folder["path"], folder["fileCount"], folder["sizeBytes"]) == ("/opt/a", 4, 1027)
    below = page_of(server, f"{path}/files?under=/opt/a/lib/x/&after=w")
    assert f'<a href="{path}/files?under=/opt/a/lib"><code>lib</code></a>/<code>x</code>' in unquote(
        unescape(below)
    )
    assert "<code>y/</code></a>" in below
    assert "No installed file is known here." in page_of(server, f"{path}/files?under=/opt/a/li")
    assert f'<a href="{path}/files">6</a>, 1.0 kB' in page_of(server, path)
