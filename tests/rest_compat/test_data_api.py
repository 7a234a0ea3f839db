"""The old server's data API, `/api/<noun>/`: the same questions, in the same shapes, by the same pages."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.player import Player, exchanges
from tests.server import Server

FIELDS = {
    "attributes": "install_file analyzer name value json_value binary_value",
    "architectures": "platform platform_os target",
    "builds": "spec tags status build_environment envars config_args owner",
    "buildenvironments": "hostname platform kernel_version host_os host_target",
    "builderrors": "phase source_file source_line_no line_no repeat_count start end text pre_context "
    "post_context",
    "buildwarnings": "phase source_file source_line_no line_no repeat_count start end text pre_context "
    "post_context",
    "buildphases": "build name status output error",
    "compilers": "name version",
    "dependencies": "spec dependency_type",
    "environmentvariable": "name value",
    "installfiles": "build name ftype mode owner group category hash",
    "features": "name",
    "targets": "name vendor features generation parents",
    "specs": "name spack_version full_hash build_hash hash package_hash namespace version arch compiler "
    "parameters dependencies",
}
ZEN = {"name": "zen3", "vendor": "AuthenticAMD", "features": ["avx2", "sha"], "generation": 0}


@pytest.fixture(scope="module")
def reported(long_server: Server) -> Server:
    """What several clients reported, so that there is a row of every noun, and of most several."""
    for name in ("0.16-libabigail", "0.17-analyze", "0.17-fail", "0.17-success", "0.23-cdash-fail"):
        assert Player(long_server.url, long_server.user, long_server.token).play(name) == []
    for number, build in enumerate(("zlib", "zstd"), 1):
        node = {
            "name": build, "version": "1.0", "hash": str(number) * 32, "full_hash": build[1] * 32,
            "arch": {"platform": "linux", "platform_os": "debian12", "target": {**ZEN, "parents": ["zen2"]}},
            "compiler": {"name": "gcc", "version": "12.2.0"}, "parameters": {},
        }  # fmt: skip
        body = {"spec": {"_meta": {"version": 2}, "nodes": [node]}, "spack_version": "0.17.0"}
        answer = long_server.post("/ms1/specs/new/", {"spec": body["spec"], "spack_version": "0.17.0"})
        assert answer.status_code == 201, answer.text
    return long_server


def walked(server: Server, address: str) -> list[Any]:
    """The rows of a list, from page to page by the addresses in `next`."""
    rows: list[Any] = []
    following: str | None = address
    while following is not None:
        answer = server.http.get(following).json()
        rows += answer["results"]
        following = answer["next"]
    return rows


def test_every_noun_is_listed_in_its_old_shape_and_each_row_found_by_its_id(reported: Server) -> None:
    index = reported.http.get("/api/").json()
    assert {name: urlsplit(address).path for name, address in index.items()} == {
        name: f"/api/{name}/" for name in FIELDS
    }
    for name, fields in FIELDS.items():
        rows = walked(reported, f"/api/{name}/?limit=7")
        assert rows, name
        for row in rows[:: max(1, len(rows) // 5)]:
            assert row.keys() == {*fields.split(), "id", "add_date", "modify_date", "label"}
            assert reported.http.get(f"/api/{name}/{row['id']}/").json() == row
            assert reported.http.get(f"/api/{name}/{row['id']}.json").json() == row


@pytest.mark.parametrize("limit", [3, 10])
def test_pages_repeat_and_leave_out_nothing_whichever_way_they_are_walked(
    reported: Server, limit: int
) -> None:
    for name in FIELDS:
        first = reported.http.get(f"/api/{name}/?limit={limit}").json()
        ids = [row["id"] for row in walked(reported, f"/api/{name}/?limit={limit}")]
        assert ids == sorted(set(ids))
        assert first["count"] == len(ids)
        offsets = range(0, len(ids) + limit, max(limit, len(ids) // 3))
        for offset in offsets:
            page = reported.http.get(f"/api/{name}.json?limit={limit}&offset={offset}").json()
            assert [row["id"] for row in page["results"]] == ids[offset : offset + limit]
            assert (page["previous"] is None) == (offset == 0)
            if offset:
                before = reported.http.get(page["previous"]).json()
                start = max(0, offset - limit)
                assert [row["id"] for row in before["results"]] == ids[start : start + limit]


def test_a_page_has_ten_rows_and_phases_with_their_logs_never_more(reported: Server) -> None:
    page = reported.http.get("/api/installfiles/").json()
    assert len(page["results"]) == 10
    assert len(reported.http.get("/api/buildphases/?limit=1000").json()["results"]) == 10
    assert "limit=10&offset=10" in page["next"]
    back = reported.http.get(reported.http.get(page["next"]).json()["next"]).json()["previous"]
    assert reported.http.get(back).json()["results"] == reported.http.get(page["next"]).json()["results"]


def test_the_ids_in_a_row_lead_to_rows(reported: Server) -> None:
    def row(name: str, row_id: int) -> dict[str, Any]:
        answer = reported.http.get(f"/api/{name}/{row_id}/")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    bodies = [e["request_body"] for e in exchanges("0.17-analyze") if e["path"].endswith("analyze/builds/")]
    sent = next(body for body in bodies if "environment_variables" in body)
    variables = json.loads(sent)["metadata"]["environment_variables"]
    (build,) = [one for one in walked(reported, "/api/builds/") if one["envars"]]
    named = [row("environmentvariable", one) for one in build["envars"]]
    assert {one["name"]: one["value"] for one in named} == variables
    spec = row("specs", build["spec"])
    assert spec["name"] == "zapp"
    needed = [row("dependencies", edge) for edge in spec["dependencies"]]
    assert {row("specs", edge["spec"])["name"] for edge in needed} == {"autodemo", "cmakedemo", "libzeta"}
    assert row("buildenvironments", build["build_environment"])["hostname"] == "build-host-1"
    (zen,) = [one for one in walked(reported, "/api/targets/") if one["name"] == "zen3"]
    assert [row("features", one)["name"] for one in zen["features"]] == ZEN["features"]
    (parent,) = [row("targets", one) for one in zen["parents"]]
    assert (parent["name"], parent["features"]) == ("zen2", [])
    error = reported.http.get("/api/builderrors/").json()["results"][0]
    assert row("buildphases", error["phase"])["status"] == "ERROR"
    assert reported.http.get(f"/api/buildwarnings/{error['id']}/").status_code == 404


def test_specs_by_name_are_rows_of_the_same_shape_the_oldest_first(reported: Server) -> None:
    named = reported.http.get("/ms1/specs/name/libzeta/").json()
    assert len(named) > 1
    assert named == [one for one in walked(reported, "/api/specs/") if one["name"] == "libzeta"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=x", "LIMIT_INVALID"), ("limit=-1", "LIMIT_INVALID"), ("limit=0", "LIMIT_INVALID"),
        ("limit=1e3", "LIMIT_INVALID"), ("limit=٣", "LIMIT_INVALID"), ("offset=-1", "OFFSET_INVALID"),
        ("offset=" + "9" * 17, "OFFSET_TOO_LARGE"), ("offset=" + "9" * 40, "OFFSET_INVALID"),
        ("after=x", "CURSOR_INVALID"), ("before=5b5d", "CURSOR_INVALID"), ("after=%00", "CURSOR_INVALID"),
        ("after=.99999999", "CURSOR_INVALID"), ("after=5b315d&before=5b315d", "PAGE_INVALID"),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_meant_is_refused_with_a_code(
    long_server: Server, query: str, code: str
) -> None:
    for name in ("compilers", "environmentvariable"):
        answer = long_server.http.get(f"/api/{name}/?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    "path", ["builds/x/", "builds/0/", "builds/٣/", f"specs/{10**30}/", "compilers/-1/", "builds/?format=xml"]
)
def test_what_is_not_there_is_not_found_in_the_old_words(long_server: Server, path: str) -> None:
    for name in FIELDS:
        answer = long_server.http.get(f"/api/{path.replace(path.split('/')[0], name, 1)}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


def test_the_data_api_is_read_only(long_server: Server) -> None:
    for path in ("/api/", "/api/specs/", "/api/specs.json", "/api/specs/1/"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = long_server.http.request(method, path, json={})
            assert answer.status_code == 405
            assert answer.json() == {"detail": f'Method "{method}" not allowed.'}
        head = long_server.http.head(path)
        assert (head.headers["content-type"], head.content) == ("application/json", b"")
