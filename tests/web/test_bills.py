"""Bills of materials, judged by the validators of those who make the formats."""

import json
from pathlib import Path
from typing import Any

import pytest
from packageurl import PackageURL
from spdx_tools.spdx.model import RelationshipType
from spdx_tools.spdx.parser.json.json_parser import parse_from_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from tests.server import Server
from tests.web.reading import build_of, report, with_installs

TOP = "6rcmw52vm4qyk2aaajnnhxhzklacqugr"
LOCKED = {
    "type": "environment", "name": "stack", "lock_file_version": 7,
    "roots": [{"spec_hash": TOP, "abstract_spec": "demo-top"}, {"spec_hash": "0" * 32}],
}  # fmt: skip


@pytest.fixture
def reported(server: Server) -> Server:
    """A server that knows specs of several formats, builds of them and an environment."""
    with_installs(server)
    report(server, json.dumps(LOCKED).encode())
    return server


def document_of(server: Server, address: str, form: str) -> tuple[str, dict[str, Any]]:
    """A bill's text and what it says."""
    answer = server.http.get(f"{address}/sbom.{form}.json")
    assert answer.status_code == 200, answer.text
    return answer.text, answer.json()


def graph_of(server: Server) -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    """The names and versions below TOP, and its edges by their types."""
    asked = "nodes { name version } edges { deptypes parent { name } child { name } }"
    graph = server.ask(f'{{ spec(hash: "{TOP}") {{ graph {{ {asked} }} }} }}')["spec"]["graph"]
    edges = {
        (edge["parent"]["name"], deptype, edge["child"]["name"])
        for edge in graph["edges"]
        for deptype in edge["deptypes"]
    }
    return {(node["name"], node["version"]) for node in graph["nodes"]}, edges


def test_a_bill_has_the_whole_graph_in_the_forms_own_schemas(reported: Server, tmp_path: Path) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    nodes, edges = graph_of(reported)
    build = build_of(reported, "demo-top")
    for address in (f"/specs/{TOP}", f"/specs/{TOP[:7]}", build, "/environments/stack"):
        text, said = document_of(reported, address, "cdx")
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
        assert {(one["name"], one["version"]) for one in said["components"]} == nodes
        names = {one["bom-ref"]: one["name"] for one in said["components"]}
        above = {one["ref"]: set(one["dependsOn"]) for one in said["dependencies"]}
        assert {(names[ref], names[child]) for ref in names for child in above[ref]} == {
            (parent, child) for parent, _, child in edges
        }
        text, said = document_of(reported, address, "spdx")
        (tmp_path / "bill.spdx.json").write_text(text)
        parsed = parse_from_file(str(tmp_path / "bill.spdx.json"))
        assert validate_full_spdx_document(parsed, "SPDX-2.3") == []
        assert {(one.name, one.version) for one in parsed.packages} == nodes
        purls = [PackageURL.from_string(one.external_references[0].locator) for one in parsed.packages]
        assert {(one.name, one.version) for one in purls} == nodes
        kinds = [one.relationship_type for one in parsed.relationships]
        assert kinds.count(RelationshipType.DESCRIBES) == 1
        assert len(kinds) == 1 + len(edges)


def test_what_only_builds_need_is_excluded_from_what_runs(reported: Server) -> None:
    _, edges = graph_of(reported)
    running = {"demo-top"}
    for _ in edges:
        running |= {child for parent, kind, child in edges if parent in running and kind in ("LINK", "RUN")}
    _, said = document_of(reported, f"/specs/{TOP}", "cdx")
    required = {one["name"] for one in said["components"] if one["scope"] == "required"}
    assert required == running
    assert required < {one["name"] for one in said["components"]}


@pytest.mark.parametrize(
    "path",
    ["/specs/nothing/sbom.cdx.json", "/builds/x/sbom.spdx.json", "/builds/99/sbom.cdx.json",
     "/environments/none/sbom.cdx.json", f"/specs/{TOP}/sbom.xml.json"],
)  # fmt: skip
def test_of_what_is_not_known_there_is_no_bill(long_server: Server, path: str) -> None:
    answer = long_server.http.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


def answered(server: Server, *lines: dict[str, Any]) -> list[dict[str, Any]]:
    body = "\n".join(map(json.dumps, lines)).encode()
    return [json.loads(line) for line in server.post("/api/submissions", body).text.splitlines()]


ASKED = """query($build: ID!) { build(id: $build) { analysisResults(where: {analyzer: {eq: "%s"}}) { nodes {
  name kind path billOfMaterials { componentCount components { name version licenses purl } }
} } } }"""


def test_what_is_given_out_is_read_in_again(reported: Server) -> None:
    nodes, _ = graph_of(reported)
    build = build_of(reported, "demo-top")
    number = build.removeprefix("/builds/")
    for address in (f"/specs/{TOP}", build, "/environments/stack"):
        for form, analyzer in (("cdx", "cyclonedx"), ("spdx", "spdx")):
            text, _ = document_of(reported, address, form)
            line = {"type": "document", "name": f"sbom.{form}.json", "text": text}
            (first,) = answered(reported, line)
            assert (first["status"], first["build"], first["spec"]) == ("changed", number, TOP)
            (again,) = answered(reported, line)
            assert (again["status"], again["build"]) == ("known", number)
            found = reported.ask(ASKED % analyzer, {"build": number})["build"]["analysisResults"]["nodes"]
            (result,) = found
            assert (result["name"], result["kind"], result["path"]) == (f"{analyzer}-json", "JSON", None)
            bill = result["billOfMaterials"]
            assert bill["componentCount"] == len(nodes)
            assert {(one["name"], one["version"]) for one in bill["components"]} == nodes


def test_others_bills_are_listed_as_far_as_they_have_the_shape(reported: Server) -> None:
    number = build_of(reported, "demo-top").removeprefix("/builds/")
    data = Path(__file__).parents[1] / "data" / "bills"
    bills = {form: json.loads((data / f"libgreet.{form}.json").read_text()) for form in ("spdx", "cdx")}
    bills["odd"] = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            3, {"name": {}},
            {"name": "a", "version": 1, "licenses": [[], {"license": {"id": {}}}], "purl": []},
        ],
    }  # fmt: skip
    listed = {}
    for form, bill in bills.items():
        (answer,) = answered(reported, {"type": "bill", "spec_hashes": ["a" * 32, TOP], "document": bill})
        assert (answer["status"], answer["build"]) == ("changed", number)
        analyzer = "spdx" if form == "spdx" else "cyclonedx"
        (result,) = reported.ask(ASKED % analyzer, {"build": number})["build"]["analysisResults"]["nodes"]
        listed[form] = [tuple(one.values()) for one in result["billOfMaterials"]["components"]]
    purl = bills["spdx"]["packages"][0]["externalRefs"][0]["referenceLocator"]
    assert listed == {
        "spdx": [("libgreet", "2.0", ["MIT"], purl), ("other", "1", [], None)],
        "cdx": [
            ("libgreet", "2.0", ["MIT", "its own"], "pkg:generic/libgreet@2.0"),
            ("libgreet.so", None, ["MIT OR Zlib"], None), ("other", None, [], None),
        ],
        "odd": [("a", None, [], None)],
    }  # fmt: skip
    results = reported.ask("{ analysisResults { nodes { analyzer billOfMaterials { componentCount } } } }")
    for one in results["analysisResults"]["nodes"]:
        assert (one["billOfMaterials"] is None) == (one["analyzer"] not in ("spdx", "cyclonedx"))


def test_a_bill_of_what_is_not_known_waits_in_the_inbox(reported: Server) -> None:
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6"}
    unbuilt = next(
        one["hash"]
        for one in reported.ask("{ specs { nodes { hash builds { totalCount } } } }")["specs"]["nodes"]
        if not one["builds"]["totalCount"]
    )
    lines = [
        {"type": "bill", "document": bill, "spec_hashes": ["a" * 32]},
        {"type": "bill", "document": bill, "spec_hashes": [unbuilt]},
        {"type": "bill", "document": bill},
        {"type": "bill", "document": {}},
        {"type": "bill", "document": bill, "spec_hashes": [3]},
    ]
    answers = answered(reported, *lines)
    assert [one["code"] for one in answers] == [
        "SPEC_UNKNOWN", "BUILD_UNKNOWN", "BILL_UNNAMED", "FIELD_INVALID", "FIELD_INVALID",
    ]  # fmt: skip
    assert all(one["inbox"] for one in answers)
