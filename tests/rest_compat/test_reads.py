"""The reads of the old server, as scripts use them: specs of a package, their findings, a finding's value."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.player import MACHINE, Player, exchanges
from tests.server import Server

SYMBOLATOR = Path(__file__).parents[1] / "data" / "symbolator"


@pytest.fixture
def analyzed(server: Server) -> Server:
    """What `spack analyze` of 0.16 and 0.17 reported is there."""
    for name in ("0.16-libabigail", "0.17-analyze", "0.17-success"):
        assert Player(server.url, server.user, server.token).play(name) == []
    return server


def test_the_service_info_has_what_the_old_servers_had(server: Server) -> None:
    recorded = json.loads(next(exchanges("0.17-success"))["response_body"])
    info = server.http.get("/ms1/").json()
    assert info.keys() == recorded.keys()
    assert (info["id"], info["status"], info["environment"]) == ("spackmon", "running", "test")


def test_specs_are_found_by_name_in_the_shape_scripts_read(analyzed: Server) -> None:
    specs = analyzed.http.get("/ms1/specs/name/zapp/").json()
    assert [spec["version"] for spec in specs] == ["1.2"]
    assert specs[0]["full_hash"] == "ppcguxnb7y5mic7impxieztzoiwugrn5"
    assert specs[0].keys() == {
        "id", "name", "version", "full_hash", "build_hash", "hash", "package_hash", "namespace",
        "spack_version", "arch", "compiler", "parameters", "dependencies", "add_date", "modify_date", "label",
    }  # fmt: skip
    assert len(analyzed.http.get("/ms1/specs/name/libzeta").json()) == 2
    assert analyzed.http.get("/ms1/specs/name/nobody/").json() == []


def test_findings_are_listed_and_downloaded_as_they_were_sent(analyzed: Server) -> None:
    sent = next(e for e in exchanges("0.16-libabigail") if e["path"].endswith("analyze/builds/"))
    (finding,) = json.loads(sent["request_body"])["metadata"]["libabigail"]
    specs = analyzed.http.get("/ms1/specs/name/libzeta/").json()
    listed = [
        attribute
        for spec in specs
        for attribute in analyzed.http.get(f"/ms1/specs/{spec['id']}/attributes/libabigail/").json()
    ]
    assert [(one["filename"], one["analyzer"], one["name"]) for one in listed] == [
        (finding["install_file"], "libabigail", finding["name"])
    ]
    value = analyzed.http.get(f"/ms1/attributes/{listed[0]['id']}/download/")
    assert value.json() == finding["value"]
    for spec in specs:
        assert analyzed.http.get(f"/ms1/specs/{spec['id']}/attributes/other/").json() == []


def test_json_and_binary_findings_come_back_as_they_were_sent(analyzed: Server) -> None:
    spec = analyzed.http.get("/ms1/specs/name/zapp/").json()[0]
    build_id = analyzed.post(
        "/ms1/builds/new/", {**MACHINE, "full_hash": spec["full_hash"], "spack_version": "0.17.0"}
    ).json()["data"]["build"]["build_id"]
    found = [
        {"install_file": "bin/zapp", "name": "symbolator-json", "json_value": {"b": [1, None], "a": "é"}},
        {"install_file": "bin/zapp", "name": "raw", "binary_value": "half \ud800 a pair"},
    ]
    body = {"build_id": build_id, "metadata": {"symbolator": found}}
    assert analyzed.post("/ms1/analyze/builds/", json.dumps(body).encode()).status_code == 200
    listed = analyzed.http.get(f"/ms1/specs/{spec['id']}/attributes/symbolator").json()
    values = {
        one["name"]: analyzed.http.get(f"/ms1/attributes/{one['id']}/download").json() for one in listed
    }
    assert values == {"symbolator-json": found[0]["json_value"], "raw": found[1]["binary_value"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("specs/x/splices/contenders/", 400), ("specs/x/attributes/", 400),
        (f"specs/{10**20}/attributes/", 400), ("attributes/999/download/", 404),
        ("attributes/x/download/", 400), ("attributes/x/splice/contenders/", 400),
        ("analysis/splices/attribute/x/spec/1/", 400), ("analysis/splices/attribute/1/spec/x/", 400),
        ("specs/name/%00/", 400),
    ],
)  # fmt: skip
def test_what_is_not_there_is_answered_with_a_code(long_server: Server, path: str, status: int) -> None:
    answer = long_server.http.get(f"/ms1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, status)


@pytest.mark.parametrize(
    "path",
    [
        "specs/999/attributes/", "specs/999/splices/contenders/", "attributes/999/splice/contenders/",
        "analysis/splices/attribute/999/spec/999/",
    ],
)  # fmt: skip
def test_scripts_get_a_list_of_what_is_not_there(long_server: Server, path: str) -> None:
    answer = long_server.http.get(f"/ms1/{path}")
    assert (answer.status_code, answer.json()) == (200, [])


def test_splices_are_predicted_as_the_old_server_did(analyzed: Server) -> None:
    def corpora(name: str) -> str:
        return gzip.decompress((SYMBOLATOR / f"{name}.json.gz").read_bytes()).decode()

    def finding(spec: dict[str, Any], file: str, value: str) -> int:
        new = {**MACHINE, "full_hash": spec["full_hash"], "spack_version": "0.17.0"}
        build = analyzed.post("/ms1/builds/new/", new).json()["data"]["build"]["build_id"]
        found = [{"install_file": file, "name": "symbolator-json", "json_value": value}]
        body = {"build_id": build, "metadata": {"symbolator": found}}
        assert analyzed.post("/ms1/analyze/builds/", json.dumps(body).encode()).status_code == 200
        (listed,) = analyzed.http.get(f"/ms1/specs/{spec['id']}/splices/contenders/").json()
        assert (listed["filename"], listed["analyzer"], listed["name"]) == (
            file,
            "symbolator",
            found[0]["name"],
        )
        return int(listed["id"])

    (program,) = analyzed.http.get("/ms1/specs/name/zapp/").json()
    library = analyzed.http.get("/ms1/specs/name/libzeta/").json()[0]
    assert analyzed.http.get(f"/ms1/specs/{library['id']}/splices/contenders/").json() == []
    result = finding(program, "bin/zlegacy", corpora("zlegacy-with-libzeta-1.0"))
    address = f"/ms1/analysis/splices/attribute/{result}/spec/{library['id']}/"
    assert analyzed.http.get(address).json() == []
    finding(library, "lib/libzeta.so.1", corpora("libzeta-2.0"))
    (splice,) = analyzed.http.get(address).json()
    missing = json.loads((SYMBOLATOR / "missing.json").read_text())["2.0"]
    assert (sorted(splice["missing"]), splice["selected"]) == (
        sorted(missing),
        [["libzeta.so.1", "libzeta.so.1"]],
    )
    assert (splice["A_id"], splice["B_id"]) == (program["id"], library["id"])
    assert splice["A"].startswith("zapp@1.2/")
    contenders = analyzed.http.get(f"/ms1/attributes/{result}/splice/contenders/").json()
    assert {one["name"] for one in contenders} >= {"libzeta"}
    assert contenders[0].keys() == program.keys()
