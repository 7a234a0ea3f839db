"""What a spliced spec was built as, and what was built with one version and runs with another."""

import json
from typing import Any

import pytest

from spackmon.formats.specs import spec_json
from spackmon.submission import SpecReport
from tests.formats import documents as files
from tests.ingest.reports import build_report, spec, spec_report
from tests.query.conftest import AskedSite

DOCUMENT = json.loads(files.data("spliced.json"))
SPLICED, BUILT_AS = (node["hash"] for node in DOCUMENT["spec"]["nodes"][:2])

SPEC = """
    query($hash: String!) {
        spec(hash: $hash) {
            buildSpecHash
            buildSpec { hash version dependencies { nodes { child { name version } } } }
            splicedSpecs { totalCount nodes { hash } }
        }
    }
"""
SPECS = "query($where: SpecFilter) { specs(where: $where) { totalCount nodes { hash } } }"


def apply(site: AskedSite, *nodes: Any) -> None:
    document = {"spec": {**DOCUMENT["spec"], "nodes": [*nodes]}}
    site.apply(SpecReport(spec_json.read(document), "1.2.0"))


def found(site: AskedSite, where: dict[str, Any]) -> list[str]:
    answer = site.ask(SPECS, where=where)["specs"]
    hashes = [one["hash"] for one in answer["nodes"]]
    assert answer["totalCount"] == len(hashes)
    return sorted(hashes)


@pytest.fixture
def spliced(site: AskedSite) -> AskedSite:
    apply(site, *DOCUMENT["spec"]["nodes"])
    return site


def test_a_spliced_spec_names_what_it_was_built_as_and_that_names_it(spliced: AskedSite) -> None:
    one = spliced.ask(SPEC, hash=SPLICED)["spec"]
    assert one["buildSpecHash"] == one["buildSpec"]["hash"] == BUILT_AS
    children = [edge["child"] for edge in one["buildSpec"]["dependencies"]["nodes"]]
    assert {"name": "libgreet", "version": "1.0"} in children
    other = spliced.ask(SPEC, hash=BUILT_AS)["spec"]
    assert (other["buildSpecHash"], other["buildSpec"]) == (None, None)
    assert other["splicedSpecs"] == {"totalCount": 1, "nodes": [{"hash": SPLICED}]}
    assert one["splicedSpecs"] == {"totalCount": 0, "nodes": []}


def test_what_was_built_with_one_version_and_runs_with_another_is_one_question(spliced: AskedSite) -> None:
    old = {"name": "libgreet", "version": "1.0"}
    built = {"or": [{"dependency": {**old, "way": "BUILD"}}, {"buildSpec": {"dependency": old}}]}
    runs = {"dependency": {"satisfying": "libgreet@2:", "way": "LINK_RUN"}}
    assert found(spliced, {"and": [built, runs]}) == [SPLICED]
    assert found(spliced, built) == sorted([SPLICED, BUILT_AS])


def test_what_depends_on_a_spliced_spec_is_found_at_any_depth(spliced: AskedSite) -> None:
    one = spec("greet-cli", "1.0", hash=SPLICED)
    middle = spec("middle", "1", one)
    spliced.apply(spec_report(spec("top", "1", middle), middle, one))
    query = "query($where: SpecFilter) { specs(where: $where, orderBy: [{name: ASC}]) { nodes { name } } }"

    def names(where: dict[str, Any]) -> list[str]:
        return [found["name"] for found in spliced.ask(query, where=where)["specs"]["nodes"]]

    any_spliced = {"where": {"buildSpec": {}}}
    assert names({"dependency": any_spliced}) == ["middle", "top"]
    assert names({"dependency": {**any_spliced, "way": "DIRECT"}}) == ["middle"]
    assert names({"dependency": {**any_spliced, "name": "zlib"}}) == []
    assert names({"dependency": {"where": {"dependency": any_spliced}}}) == ["top"]
    assert "libgreet" in names({"dependent": any_spliced})
    assert names({"dependent": {"where": {"not": {"dependency": any_spliced}, "buildSpec": {}}}}) != []
    builds = "query($where: BuildFilter) { builds(where: $where) { totalCount } }"
    assert spliced.ask(builds, where={"dependency": any_spliced})["builds"]["totalCount"] == 0
    spliced.apply(build_report(middle.hash))
    assert spliced.ask(builds, where={"dependency": any_spliced})["builds"]["totalCount"] == 1


def test_specs_are_found_by_what_they_were_built_as(spliced: AskedSite) -> None:
    assert found(spliced, {"buildSpec": {}}) == [SPLICED]
    assert found(spliced, {"buildSpecHash": {"isNull": False}}) == [SPLICED]
    assert found(spliced, {"buildSpec": {"name": {"eq": "greet-cli"}}}) == [SPLICED]
    assert found(spliced, {"buildSpec": {"not": {"version": {"eq": "1.0"}}}}) == []
    assert found(spliced, {"splicedSpecs": {"some": {"dependency": {"satisfying": "libgreet@2"}}}}) == [
        BUILT_AS
    ]
    assert BUILT_AS not in found(spliced, {"splicedSpecs": {"none": {}}})


def test_a_build_of_a_spliced_spec_is_a_build_of_that_and_not_of_what_it_was_built_as(
    spliced: AskedSite,
) -> None:
    spliced.apply(build_report(SPLICED))
    query = """
        query($old: ContainedFilter!) {
            builds(where: {spec: {buildSpec: {dependency: $old}}}) {
                nodes { spec { hash buildSpec { hash builds { totalCount } } } }
            }
        }
    """
    answer = spliced.ask(query, old={"satisfying": "libgreet@1.0"})
    built_as = {"hash": BUILT_AS, "builds": {"totalCount": 0}}
    assert answer["builds"]["nodes"] == [{"spec": {"hash": SPLICED, "buildSpec": built_as}}]


def test_what_nobody_reported_yet_is_known_by_its_hash_alone(site: AskedSite) -> None:
    nodes = DOCUMENT["spec"]["nodes"]
    others = [node for node in nodes[2:] if node["name"] != "greet-cli"]
    apply(site, nodes[0], *others)
    one = site.ask(SPEC, hash=SPLICED)["spec"]
    assert (one["buildSpecHash"], one["buildSpec"]) == (BUILT_AS, None)
    assert found(site, {"buildSpec": {}}) == []
    assert found(site, {"buildSpecHash": {"eq": BUILT_AS}}) == [SPLICED]
    apply(site, nodes[1], *others)
    assert site.ask(SPEC, hash=SPLICED)["spec"]["buildSpec"]["hash"] == BUILT_AS


@pytest.mark.parametrize("stated", ["abc", [], {}, {"name": "x"}, {"hash": 7}, {"hash": "A B"}])
def test_a_build_spec_in_no_form_of_one_is_no_reason_to_refuse_a_build(site: AskedSite, stated: Any) -> None:
    first, *others = DOCUMENT["spec"]["nodes"]
    apply(site, {**first, "build_spec": stated}, *others)
    one = site.ask("query($hash: String!) { spec(hash: $hash) { buildSpecHash document } }", hash=SPLICED)
    assert one["spec"]["buildSpecHash"] is None
    assert one["spec"]["document"]["build_spec"] == stated
