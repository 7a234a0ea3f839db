"""By which path one spec is connected with another: what it was built with, and what it runs with."""

import json
from dataclasses import replace
from typing import Any

import pytest

from spackmon.graph.spec import Deptype, Edge, SpecNode
from spackmon.query.graph import walks
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


def test_a_dependency_is_judged_by_the_rules_of_the_spack_that_is_named(asked: AskedSite) -> None:
    # hdf5 needs this zlib to be linked, not to run: Spack 1.2 reads these deptypes and asks nothing by them.
    def above(spack: str | None) -> list[str]:
        sought = {"satisfying": "hdf5 ^[deptypes=run] zlib@1.3", "as": spack}
        return names(asked, {"dependency": sought})[0]

    judged = {spack: above(spack) for spack in ("SPACK_1_2", "SPACK_1_3", None)}
    assert judged == {"SPACK_1_2": ["python"], "SPACK_1_3": [], None: ["python"]}


def test_what_is_above_comes_nearest_first_by_pages_and_says_by_which_way(asked: AskedSite) -> None:
    query = """
        query($hash: String!, $after: String, $where: TransitiveDependencyFilter) {
            spec(hash: $hash) {
                transitiveDependents(first: 2, after: $after, where: $where) {
                    totalCount
                    pageInfo { hasNextPage endCursor }
                    nodes { depth byLinkRun byBuild parent { name } child { hash } }
                }
            }
        }
    """
    found: list[tuple[Any, ...]] = []
    after, more = None, True
    while more:
        page = asked.ask(query, hash=ZLIB_OLD.hash, after=after)["spec"]["transitiveDependents"]
        assert page["totalCount"] == 4
        assert {one["child"]["hash"] for one in page["nodes"]} == {ZLIB_OLD.hash}
        found += [
            (one["depth"], one["parent"]["name"], one["byLinkRun"], one["byBuild"]) for one in page["nodes"]
        ]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert found == sorted(found, key=lambda one: one[0])
    assert set(found) == {
        (1, "cmake", True, False), (1, "tool", False, True),
        (2, "hdf5", False, True), (3, "python", False, True),
    }  # fmt: skip
    where = {"parent": {"name": {"ne": "tool"}}, "depth": {"le": 2}, "byBuild": {"eq": True}}
    only = asked.ask(query, hash=ZLIB_OLD.hash, where=where)["spec"]["transitiveDependents"]
    assert [one["parent"]["name"] for one in only["nodes"]] == ["hdf5"]


WALK = """
    query($hash: String!, $order: TraversalOrder, $deptypes: [Deptype!], $most: Int) {
        spec(hash: $hash) {
            walk(order: $order, deptypes: $deptypes, maximumDepth: $most, direction: DEPENDENTS) {
                depth deptypes spec { name } parent { name }
            }
        }
    }
"""


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"order": "PRE"}, [("zlib", 0), ("cmake", 1), ("hdf5", 2), ("python", 3), ("tool", 1)]),
        ({"order": "POST"}, [("python", 3), ("hdf5", 2), ("cmake", 1), ("tool", 1), ("zlib", 0)]),
        ({"order": "BREADTH"}, [("zlib", 0), ("cmake", 1), ("tool", 1), ("hdf5", 2), ("python", 3)]),
        ({"order": "PRE", "deptypes": ["LINK", "RUN"]}, [("zlib", 0), ("cmake", 1)]),
        ({"order": "PRE", "most": 2}, [("zlib", 0), ("cmake", 1), ("hdf5", 2), ("tool", 1)]),
        ({"order": "TOPOLOGICAL", "most": 0}, [("zlib", 0)]),
    ],
)
def test_a_walk_leads_up(asked: AskedSite, arguments: dict[str, Any], found: list[tuple[str, int]]) -> None:
    visits = asked.ask(WALK, hash=ZLIB_OLD.hash, **arguments)["spec"]["walk"]
    assert [(one["spec"]["name"], one["depth"]) for one in visits] == found
    reached = {one["spec"]["name"]: (one["parent"], one["deptypes"]) for one in visits}
    assert reached["zlib"] == (None, [])
    if "hdf5" in reached:
        assert reached["hdf5"] == ({"name": "cmake"}, ["BUILD"])


def test_a_walk_up_visits_only_so_many(asked: AskedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "MAXIMUM_DEPENDENTS", 3)
    with pytest.raises(AssertionError, match=r"QUERY_TOO_LARGE") as refused:
        asked.ask(WALK, hash=ZLIB_OLD.hash, order="POST")
    assert "here are 4" in str(refused.value)
    assert len(asked.ask(WALK, hash=ZLIB_OLD.hash, order="POST", most=2)["spec"]["walk"]) == 4


def test_what_is_below_comes_nearest_first(asked: AskedSite) -> None:
    query = """
        query($hash: String!) {
            spec(hash: $hash) {
                transitiveDependencies(orderBy: [{depth: DESC}]) { nodes { depth child { name version } } }
            }
        }
    """
    nodes = asked.ask(query, hash=PYTHON.hash)["spec"]["transitiveDependencies"]["nodes"]
    depths = [(one["depth"], one["child"]["name"], one["child"]["version"]) for one in nodes]
    assert [depth for depth, *_ in depths] == [3, 2, 2, 1]
    assert set(depths) == {(3, "zlib", "1.2.11"), (2, "zlib", "1.3"), (2, "cmake", "1"), (1, "hdf5", "1")}


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


def test_specs_are_found_by_what_is_above_them(asked: AskedSite) -> None:
    every = asked.ask("{ specs { nodes { hash allDependents { nodes { name } } } } }")["specs"]["nodes"]
    above = {one["hash"]: [spec["name"] for spec in one["allDependents"]["nodes"]] for one in every}
    query = "query($above: SpecListFilter!) { specs(where: {allDependents: $above}) { nodes { hash } } }"

    def found(quantifier: str, name: str) -> set[str]:
        nodes = asked.ask(query, above={quantifier: {"name": {"eq": name}}})["specs"]["nodes"]
        return {one["hash"] for one in nodes}

    for name in ("hdf5", "python", "zlib"):
        some = {hash_ for hash_, names in above.items() if name in names}
        assert found("some", name) == some
        assert found("none", name) == above.keys() - some
        assert found("every", name) == {one for one, names in above.items() if {name}.issuperset(names)}
    assert found("some", "hdf5")


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
def test_what_is_not_said_well_is_refused(furnished: AskedSite, sought: dict[str, Any], code: str) -> None:
    query = "query($d: ContainedFilter) { specs(where: {dependency: $d}) { totalCount } }"
    (error,) = json.loads(furnished.answer(query, {"d": sought}).body)["errors"]
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
