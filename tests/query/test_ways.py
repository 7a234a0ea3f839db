"""By which path one spec is connected with another: what it was built with, and what it runs with."""

import json
from dataclasses import replace
from typing import Any

import pytest

from spackmon.graph.spec import Deptype, Edge, SpecNode
from tests.ingest.reports import build_report, spec, spec_report
from tests.query.conftest import AskedSite

BUILD, LINK, RUN = Deptype.BUILD, Deptype.LINK, Deptype.RUN
ZLIB_OLD, ZLIB_NEW = spec("zlib", "1.2.11"), spec("zlib", "1.3")


def needing(name: str, *needed: tuple[SpecNode, Deptype]) -> SpecNode:
    """A spec that depends on others in several ways."""
    edges = tuple(Edge(child.hash, deptypes) for child, deptypes in needed)
    return replace(spec(name, "1", *(child for child, _ in needed)), edges=edges)


CMAKE = needing("cmake", (ZLIB_OLD, LINK | RUN))
HDF5 = needing("hdf5", (CMAKE, BUILD), (ZLIB_NEW, BUILD | LINK))
PYTHON = needing("python", (HDF5, RUN))
TOOL = needing("tool", (ZLIB_OLD, BUILD))


@pytest.fixture
def asked(site: AskedSite) -> AskedSite:
    """What is built with one zlib and runs with another, and what is so the other way round."""
    nodes = PYTHON, HDF5, CMAKE, ZLIB_OLD, ZLIB_NEW
    for graph in (nodes, (TOOL, ZLIB_OLD)):
        site.apply(spec_report(*graph))
        site.apply(build_report(graph[0].hash))
    return site


def names(site: AskedSite, where: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The packages of specs, and of builds, for which a condition holds."""
    query = """
        query($s: SpecFilter, $b: BuildFilter) {
            specs(where: $s, orderBy: [{name: ASC}]) { totalCount nodes { name } }
            builds(where: $b, orderBy: [{name: ASC}]) { totalCount nodes { spec { name } } }
        }
    """
    answer = site.ask(query, s=where, b=where)
    specs, builds = answer["specs"], answer["builds"]
    assert (specs["totalCount"], builds["totalCount"]) == (len(specs["nodes"]), len(builds["nodes"]))
    return [one["name"] for one in specs["nodes"]], [one["spec"]["name"] for one in builds["nodes"]]


def test_built_with_one_version_and_run_with_another(asked: AskedSite) -> None:
    built = {"dependency": {"name": "zlib", "version": "1.2.11", "way": "BUILD"}}
    runs = {"dependency": {"satisfying": "zlib@1.3:", "way": "LINK_RUN"}}
    assert names(asked, {"and": [built, runs]}) == (["hdf5", "python"], ["python"])
    assert names(asked, built) == (["hdf5", "python", "tool"], ["python", "tool"])
    runs["dependency"]["satisfying"] = "zlib@:1.2"
    assert names(asked, {"and": [built, runs]}) == ([], [])


@pytest.mark.parametrize(
    ("way", "found"),
    [
        ({}, ["cmake", "hdf5", "python", "tool"]),
        ({"way": "LINK_RUN"}, ["cmake"]),
        ({"way": "DIRECT"}, ["cmake", "tool"]),
        ({"way": "DIRECT", "deptypes": ["LINK", "RUN"]}, ["cmake"]),
        ({"way": "DIRECT", "deptypes": ["TEST"]}, []),
        ({"way": "BUILD"}, ["hdf5", "python", "tool"]),
        ({"way": "BUILD", "deptypes": ["BUILD", "LINK"]}, ["hdf5", "tool"]),
        ({"way": "LINK_RUN", "deptypes": ["LINK"]}, ["cmake"]),
        ({"deptypes": ["BUILD"]}, ["tool"]),
        ({"deptypes": []}, []),
        ({"version": None, "deptypes": None, "satisfying": "@1.2.11"}, ["cmake", "hdf5", "python", "tool"]),
    ],
)
def test_the_paths_that_count_are_chosen(asked: AskedSite, way: dict[str, Any], found: list[str]) -> None:
    sought = {"name": "zlib", "version": "1.2.11", **way}
    assert names(asked, {"dependency": sought})[0] == found


def test_the_same_is_asked_from_below(asked: AskedSite) -> None:
    def below(**sought: str) -> tuple[list[str], list[str]]:
        return names(asked, {"dependent": sought})

    assert below(name="python")[0] == ["cmake", "hdf5", "zlib", "zlib"]
    assert below(name="python", way="LINK_RUN")[0] == ["hdf5", "zlib"]
    assert below(satisfying="python", way="BUILD")[0] == ["cmake", "zlib", "zlib"]
    asked.apply(build_report(HDF5.hash))
    assert below(satisfying="python ^hdf5", way="DIRECT") == (["hdf5"], ["hdf5"])


def test_what_is_above_is_a_list_of_its_own(asked: AskedSite) -> None:
    query = """
        query($hash: String!) {
            spec(hash: $hash) {
                dependentCount
                allDependents(where: {name: {ne: "tool"}}, orderBy: [{name: ASC}]) {
                    totalCount
                    nodes { name }
                }
            }
        }
    """
    found = asked.ask(query, hash=ZLIB_OLD.hash)["spec"]
    assert found["dependentCount"] == 4
    assert found["allDependents"]["totalCount"] == 3
    assert [one["name"] for one in found["allDependents"]["nodes"]] == ["cmake", "hdf5", "python"]


@pytest.mark.parametrize(
    ("sought", "code"),
    [
        ({}, "ARGUMENT_INVALID"),
        ({"version": "1.3", "satisfying": "zlib"}, "ARGUMENT_INVALID"),
        ({"name": None, "way": "BUILD"}, "ARGUMENT_INVALID"),
        ({"satisfying": "zlib@"}, "SPEC_SYNTAX"),
        ({"satisfying": "z" * 4_001}, "ARGUMENT_TOO_LONG"),
        ({"name": "zlib", "deptypes": ["BUILD"] * 201}, "QUERY_TOO_LARGE"),
    ],
)
def test_what_is_not_said_well_is_refused(site: AskedSite, sought: dict[str, Any], code: str) -> None:
    query = "query($d: ContainedFilter) { specs(where: {dependency: $d}) { totalCount } }"
    (error,) = json.loads(site.answer(query, {"d": sought}).body)["errors"]
    assert error["extensions"]["code"] == code


def test_one_plan_serves_other_names_and_another_way_has_its_own(asked: AskedSite) -> None:
    query = """
        query($name: String, $way: DependencyWay!, $type: Deptype!) {
            specs(where: {dependency: {name: $name, way: $way, deptypes: [LINK, $type]}}) { totalCount }
        }
    """

    def count(name: str, way: str, type_: str) -> int:
        found: int = asked.ask(query, name=name, way=way, type=type_)["specs"]["totalCount"]
        return found

    # cmake needs the one zlib by link, hdf5 the other; python needs hdf5 by run, and tool zlib by build.
    assert count("zlib", "ANY", "TEST") == 2
    assert count("zlib", "ANY", "RUN") == 3
    assert count("zlib", "ANY", "BUILD") == 3
    assert count("cmake", "ANY", "BUILD") == 1
    assert count("zlib", "DIRECT", "RUN") == 2
