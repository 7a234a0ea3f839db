"""Groups and tables count what a plain loop over the listed rows counts."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from spackmon.graph.spec import Edge, SpecNode, TargetDescription
from spackmon.history.rounded_durations import rounded
from spackmon.ingest.tables import facets, totals
from spackmon.ingest.tables.facet_durations import recount_durations
from spackmon.models import Build, BuildFacet
from spackmon.query.groups import histograms
from tests.ingest.reports import LINK, build_report, spec, spec_report
from tests.query.conftest import AskedSite
from tests.query.installs import install_report
from tests.query.plain_loops import (
    LANGUAGES,
    Row,
    all_labels,
    counted,
    grouped,
    key_fields,
    measured,
    spec_labels,
    table,
    tagged,
)
from tests.query.totals import KNOWN, assert_totals, filters

BUILD_KEYS = [
    "PACKAGE", "VERSION", "COMPILER", "TARGET", "OS", "STATUS", "TAG", "OWNER", "DAY", "WEEK",
    "MONTH", "INSTALLED_FROM", "HOSTNAME",
    "ERROR_GROUP",
]  # fmt: skip
SPEC_KEYS = BUILD_KEYS[:5]
# What is counted as reports come.
FACET_KEYS = [*SPEC_KEYS, "STATUS", "INSTALLED_FROM"]
DAY_KEYS = ["DAY", "WEEK", "MONTH", "STATUS", "INSTALLED_FROM"]
# What builds refer to.
REFERENCE_KEYS = ["TAG", "OWNER", "HOSTNAME", "ERROR_GROUP", "STATUS", "INSTALLED_FROM"]

SPEC_FACTS = """fragment spec on Spec {
  name version compiler { name version } namesCompiler architecture { operatingSystem target { name } }
  dependencies { nodes { virtuals child { id name version } } } }"""
BUILD_FACTS = """{ builds(first: 100) { nodes {
  status startedAt durationSeconds cpuSeconds peakMemoryBytes installedFrom package { name } spec { ...spec }
  environment { hostname }
  owner { name } tags { nodes { name } } id
  events(where: {kind: {eq: ERROR}}, orderBy: {position: ASC}, first: 1) {
    nodes { errorGroup { fingerprint text } } } } } }"""

MEASURED = """durations { p50Seconds p95Seconds meanSeconds isRounded }
  cpuTimes { p50Seconds p95Seconds meanSeconds totalSeconds } peakMemory { p50Bytes p95Bytes maximumBytes }"""


def furnish(site: AskedSite) -> None:
    """A random site, the same one every time: 40 builds, compilers named and compilers that are nodes; and 16
    of other sources, half of them of no known spec.
    """
    dice = random.Random(7)
    compilers = [spec("gcc", "9.4.0"), spec("gcc", "12.1.0"), spec("llvm", "17.0.1")]
    for compiler in compilers:
        site.apply(spec_report(compiler))
    for number in range(30):
        node = made(dice, number, compilers)
        below = [c for c in compilers if any(edge.child == c.hash for edge in node.edges)]
        site.apply(spec_report(node, *below))
        for host in dice.sample(["node-1", "node-2", "node-10"], dice.choice([1, 1, 2])):
            tags = tuple(dice.sample(["nightly", "release", "é"], dice.choice([0, 0, 1, 2, 3])))
            person = dice.choice([site.ada, site.bob])
            build_id = site.apply(build_report(node.hash, host=host, tags=tags), person).build_id
            conclude(site, dice, build_id, person)
    for number in range(16):
        spec_hash = compilers[0].hash if number % 2 else None
        build_id = site.apply(install_report(dice, number, spec_hash)).build_id
        conclude(site, dice, build_id, site.ada)
    site.database.write_once(count)


def count(connection: Connection) -> None:
    """Facets and days are counted as builds are now."""
    facets.count_builds(connection, connection.scalars(select(Build.id)).all())
    facet_ids = connection.scalars(select(BuildFacet.id)).all()
    facets.recount(connection, facet_ids)
    recount_durations(connection, facet_ids)
    facets.recount_days(connection)
    totals.recount_totals(connection)


def made(dice: random.Random, number: int, compilers: Sequence[SpecNode]) -> SpecNode:
    """A spec of any format."""
    node = spec(
        dice.choice(["zlib", "hdf5", "éclair"]),
        dice.choice(["1.9", "1.10", "1-10", "develop"]),
        target=f"{dice.choice(['zen3', 'x86_64'])}-{number}",
        operating_system=dice.choice(["debian12", "rhel8"]),
        compiler=dice.choice([None, ("gcc", "9.4.0"), ("gcc", "12.1.0"), ("clang", "9.4")]),
    )
    name = node.target.name.partition("-")[0]
    edges = []
    if node.compiler is None:
        for compiler in dice.sample(list(compilers), dice.choice([0, 1, 2, 3])):
            edges.append(Edge(compiler.hash, LINK, tuple(dice.sample(LANGUAGES, dice.choice([0, 1, 2])))))
    return replace(node, target=TargetDescription(name, f'"{name}"'), edges=tuple(edges))


def conclude(site: AskedSite, dice: random.Random, build_id: int, person: int) -> None:
    """A build's status, the moment it began at, and how long it took."""
    status = dice.choice(["NOTRUN", "RUNNING", "SUCCESS", "SUCCESS", "FAILED", "CANCELLED"])
    # The days around New Year belong to weeks of either year.
    began = datetime(2026, 12, 29, 23, 59, tzinfo=UTC) + timedelta(hours=dice.randrange(150))
    if dice.random() < 0.4:
        began = began.replace(year=dice.choice([2020, 2021, 2024]), month=1, day=dice.randrange(1, 8))
    seconds = dice.choice([None, 0.1, 0.2, 0.3, round(dice.random() * 1000, 6)])
    values = {
        "status": status, "started_at": began, "duration_seconds": seconds,
        "cpu_seconds": None if seconds is None else seconds * 2,
        "peak_memory_bytes": dice.choice([None, 4096, 2**40]),
    }  # fmt: skip
    change = update(Build).where(Build.id == build_id).values(values)
    site.database.write_once(lambda connection: connection.execute(change))


def selection(keys: Sequence[str]) -> str:
    return (
        "{" + " ".join(name for key in keys for name in key_fields(key)) + "}" if keys else "{ __typename }"
    )


def without_types(groups: Sequence[Row]) -> list[Row]:
    return [
        {**group, "keys": {name: value for name, value in group["keys"].items() if name != "__typename"}}
        for group in groups
    ]


MANY = settings(max_examples=40)


def test_groups_of_builds_are_those_of_a_plain_loop(site: AskedSite) -> None:
    furnish(site)
    builds = site.ask(BUILD_FACTS + SPEC_FACTS)["builds"]["nodes"]

    @MANY
    @given(
        st.sampled_from([BUILD_KEYS, FACET_KEYS, DAY_KEYS, REFERENCE_KEYS]).flatmap(
            lambda keys: st.lists(st.sampled_from(keys), unique=True, max_size=4)
        ),
        st.sampled_from([1, 3, 500]),
        st.booleans(), st.booleans(),
    )  # fmt: skip
    def check(keys: list[str], first: int, all_: bool, has_durations: bool) -> None:
        durations = MEASURED if has_durations else ""
        asked = site.ask(
            "query($keys: [BuildGroupKey!]!, $first: Int!, $all: Boolean!) { builds { totalCount"
            "  groupBy(keys: $keys, first: $first, includeInstalled: $all) { count successRate keys "
            + selection(keys)
            + durations
            + " } } }",
            keys=keys,
            first=first,
            all=all_,
        )["builds"]
        groups = without_types(asked["groupBy"])
        chosen = counted(builds, all_=all_)
        expected = grouped(tagged(chosen, keys), keys, measured)[:first]
        if not has_durations:
            expected = [{name: group[name] for name in group if name not in MEASURED} for group in expected]
        assert groups == expected
        assert asked["totalCount"] == len(builds)
        if "TAG" not in keys and first == 500:
            assert sum(group["count"] for group in groups) == len(chosen)

    check()


def test_durations_of_many_builds_are_rounded(site: AskedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histograms, "MOST_EXACT", 40)
    furnish(site)
    builds = site.ask(BUILD_FACTS + SPEC_FACTS)["builds"]["nodes"]
    query = """query($keys: [BuildGroupKey!]!, $where: BuildFilter, $all: Boolean!) {
      builds(where: $where) { groupBy(keys: $keys, includeInstalled: $all) { count successRate keys %s
        durations { p50Seconds p95Seconds meanSeconds isRounded } } } }"""

    @settings(max_examples=15)
    @given(
        st.lists(st.sampled_from(FACET_KEYS), unique=True, max_size=3),
        st.sampled_from([None, "NOTRUN", "SUCCESS"]),
        st.booleans(),
    )
    def check(keys: list[str], without: str | None, all_: bool) -> None:
        where = without and {"status": {"ne": without}}
        asked = site.ask(query % selection(keys), keys=keys, where=where, all=all_)["builds"]["groupBy"]
        found = [build for build in builds if build["status"] != without]
        expected = grouped(tagged(counted(found, all_=all_), keys), keys, measured)
        for group in expected:
            del group["cpuTimes"], group["peakMemory"]
        for group in expected if len(found) > 40 else ():
            durations = group["durations"]
            if durations is not None:
                percentiles = {name: rounded(durations[name]) for name in ("p50Seconds", "p95Seconds")}
                group["durations"] = {**durations, **percentiles, "isRounded": True}
        assert without_types(asked) == expected

    check()


def test_groups_of_specs_are_those_of_a_plain_loop(site: AskedSite) -> None:
    furnish(site)
    nodes = site.ask("{ specs(first: 100) { nodes { ...spec } } }" + SPEC_FACTS)["specs"]["nodes"]
    specs = [(one, spec_labels(one)) for one in nodes]

    @MANY
    @given(st.lists(st.sampled_from(SPEC_KEYS), unique=True, max_size=5))
    def check(keys: list[str]) -> None:
        query = "{ specs { totalCount groupBy(keys: [%s], first: 500) { keys %s count } } }"
        asked = site.ask(query % (" ".join(keys), selection(keys)))["specs"]
        assert without_types(asked["groupBy"]) == grouped(specs, keys, lambda _: {})
        assert sum(group["count"] for group in asked["groupBy"]) == asked["totalCount"]

    check()


def test_the_cells_of_a_table_are_those_of_a_plain_loop(site: AskedSite) -> None:
    furnish(site)
    builds = site.ask(BUILD_FACTS + SPEC_FACTS)["builds"]["nodes"]
    keys = st.sampled_from(BUILD_KEYS) | st.sampled_from(FACET_KEYS)

    @MANY
    @given(keys, keys, st.sampled_from([1, 2, 500]), st.sampled_from([None, "zlib"]), st.booleans())
    def check(row: str, column: str, first: int, package: str | None, all_: bool) -> None:
        asked = site.ask(
            """query(
              $row: BuildGroupKey!, $column: BuildGroupKey!, $first: Int!, $package: String, $all: Boolean!
            ) {
              matrix(rows: $row, columns: $column, first: $first, package: $package, includeInstalled: $all) {
                rows columns cells {
                  row column count succeeded failed successRate latestStatus failedToConcretize
                  builds(first: 200, orderBy: [{startedAt: ASC}]) { totalCount nodes { id } }
                  concretizationFailures { totalCount } } } }""",
            row=row, column=column, first=first, package=package, all=all_,
        )["matrix"]  # fmt: skip
        built = counted(builds, all_=all_)
        chosen = [build for build in built if package is None or build["package"] == {"name": package}]
        expected = table([(build, all_labels(build)) for build in chosen], row, column, first)
        for cell in asked["cells"]:
            assert cell.pop("concretizationFailures") == {"totalCount": 0}
            cell["builds"]["nodes"] = sorted(cell["builds"]["nodes"], key=lambda one: int(one["id"]))
        for cell in expected["cells"]:
            del cell["failures"]
            ids = sorted({int(build["id"]) for build in cell.pop("all")})
            cell["builds"] = {"totalCount": len(ids), "nodes": [{"id": str(one)} for one in ids]}
        assert asked == expected

    check()


def test_the_latest_status_is_that_of_the_build_that_began_last_by_however_little(site: AskedSite) -> None:
    ids = [site.build(spec("zlib", "1.3"), host=f"node-{number}") for number in range(6)]
    dice = random.Random(7)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    near = [begin + timedelta(seconds=seconds) for seconds in (0, 0.000001, 40, 63.999999, 64, 64.5, 128)]
    extremes = [datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1969, 9999)]
    for _ in range(30):
        moments = dice.choice([[None], [None, *near], near, [None, *near, *extremes]])
        rows = [(dice.choice(moments), one, dice.choice(["SUCCESS", "FAILED"])) for one in ids]

        def write(connection: Connection, rows: list[Any] = rows) -> None:
            for began, one, status in rows:
                change = update(Build).where(Build.id == one)
                connection.execute(change.values(started_at=began, status=status))
            count(connection)

        site.database.write_once(write)
        asked = site.ask("{ matrix(rows: PACKAGE, columns: COMPILER) { cells { count latestStatus } } }")
        *_, latest = max((began is not None, began or begin, one, status) for began, one, status in rows)
        assert asked["matrix"]["cells"] == [{"count": 6, "latestStatus": latest}]


def test_what_facets_know_is_counted_without_looking_at_builds(site: AskedSite) -> None:
    furnish(site)

    @settings(max_examples=25)
    @given(filters())
    def check(where: dict[str, Any]) -> None:
        assert_totals(site, where)

    check()
    total = "query ($where: BuildFilter!) { builds(where: $where) { totalCount } }"
    for where in [*KNOWN, {"and": [{"not": one} for one in KNOWN]}]:
        site.ask(total, where=where)
        assert "FROM build AS" not in site.reader.statements[-1]
    site.ask("""{ builds { byStatus: groupBy(keys: [STATUS]) { count }
        byPackage: groupBy(keys: [PACKAGE]) { count } byTarget: groupBy(keys: [TARGET]) { count } } }""")
    assert site.reader.statements[-1].count("build_facet AS") == 1


def test_the_walk_of_a_page_begins_where_its_groups_have_met_the_newest(site: AskedSite) -> None:
    furnish(site)
    page = "nodes { id } pageInfo { hasNextPage }"
    groups = "a: groupBy(keys: [STATUS]) { count } b: groupBy(keys: [PACKAGE]) { count }"
    for where, walks in (
        ({"environment": {"hostname": {"eq": "node-2"}}}, True),
        ({"startedAt": {"ge": "2020-01-01T00:00:00Z", "lt": "2025-01-01T00:00:00Z"}}, True),
        ({"durationSeconds": {"gt": 1e9}}, True),
        # It has several forms, which stand before the statement.
        ({"errorCount": {"ge": 1}}, False),
    ):
        for place in ("first: 3", "first: 100", "last: 3"):
            query = f"query ($where: BuildFilter!) {{ builds(where: $where, {place}) {{ {page} %s }} }}"
            alone, beside = (site.ask(query % more, where=where)["builds"] for more in ("", groups))
            assert {name: beside[name] for name in alone} == alone
            is_bounded = "AS newest" in site.reader.statements[-1]
            assert is_bounded == (walks and "last" not in place)


def test_groups_inherit_the_filters_of_their_connection_in_one_statement(site: AskedSite) -> None:
    furnish(site)
    site.reader.statements.clear()
    asked = site.ask(
        """{ builds(where: {spec: {name: {eq: "zlib"}}, status: {ne: NOTRUN}}, first: 1) {
          nodes { id } totalCount pageInfo { hasNextPage }
          byTag: groupBy(includeInstalled: true, keys: [TAG]) { count }
          byPackage: groupBy(includeInstalled: true, keys: [PACKAGE]) { keys { package } count } }
        dependent: builds(where: {dependency: {name: "gcc"}}) {
          totalCount groupBy(includeInstalled: true, keys: []) { count } }
        all: builds { totalCount }
        nameless: builds(where: {not: {package: {}}}) { totalCount }
        packages(first: 100) { nodes { name builds {
          totalCount groupBy(includeInstalled: true, keys: [PACKAGE]) { keys { package } count } } } }
        }"""
    )
    assert len(site.reader.statements) == 1
    builds = asked["builds"]
    assert builds["byPackage"] == [{"keys": {"package": "zlib"}, "count": builds["totalCount"]}]
    assert sum(group["count"] for group in builds["byTag"]) > builds["totalCount"] > len(builds["nodes"]) == 1
    assert asked["dependent"]["groupBy"] == [{"count": asked["dependent"]["totalCount"]}]
    assert 0 < asked["dependent"]["totalCount"] < asked["all"]["totalCount"]
    of_packages = {one["name"]: one["builds"] for one in asked["packages"]["nodes"]}
    assert of_packages["llvm"] == {"totalCount": 0, "groupBy": []}
    counts = [group["count"] for one in of_packages.values() for group in one["groupBy"]]
    assert (
        sum(counts)
        == asked["all"]["totalCount"] - asked["nameless"]["totalCount"]
        < asked["all"]["totalCount"]
    )


def test_nothing_has_no_groups_and_an_empty_table(site: AskedSite) -> None:
    asked = site.ask(
        """{ builds { groupBy(keys: [STATUS]) { count } all: groupBy(keys: []) {
          count successRate durations { meanSeconds } } }
        matrix(rows: PACKAGE, columns: COMPILER) { rows columns cells { count } } }"""
    )
    assert asked["builds"] == {
        "groupBy": [], "all": [{"count": 0, "successRate": None, "durations": None}]
    }  # fmt: skip
    assert asked["matrix"] == {"rows": [], "columns": [], "cells": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ builds { groupBy(keys: [STATUS], first: 501) { count } } }", "GROUPS_INVALID"),
        ("{ builds { groupBy(keys: [STATUS], first: -1) { count } } }", "GROUPS_INVALID"),
        ("{ builds { groupBy(keys: [STATUS, STATUS]) { count } } }", "GROUPS_INVALID"),
        ("{ builds { groupBy(keys: [SOMETHING]) { count } } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ matrix(rows: DAY, columns: TAG, first: 501) { rows } }", "GROUPS_INVALID"),
        ('{ matrix(package: "\\u0000", rows: DAY, columns: TAG) { rows } }', "ARGUMENT_INVALID"),
    ],
)
def test_what_cannot_be_counted_is_a_coded_error(furnished: AskedSite, query: str, code: str) -> None:
    assert furnished.error(query)["extensions"]["code"] == code


def test_groups_are_kept_ordered_and_passed_over_as_is_asked(site: AskedSite) -> None:
    furnish(site)
    query = """query($having: BuildGroupFilter, $by: [BuildGroupOrder!], $first: Int!, $offset: Int!) {
      builds { groupBy(
        keys: [PACKAGE, HOSTNAME], having: $having, orderBy: $by, first: $first, offset: $offset
      ) {
        count successRate durations { meanSeconds } } } }"""

    def groups(**arguments: Any) -> list[Row]:
        given = {"first": 500, "offset": 0, **arguments}
        found: list[Row] = site.ask(query, **given)["builds"]["groupBy"]
        return found

    every = groups()
    assert [one["count"] for one in every] == sorted((one["count"] for one in every), reverse=True)
    several = groups(having={"count": {"ge": 2}, "successRate": {"isNull": False}})
    assert 0 < len(several) < len(every)
    assert several == [one for one in every if one["count"] >= 2 and one["successRate"] is not None]
    rates = [one["successRate"] for one in groups(by=[{"successRate": "ASC"}, {"count": "DESC"}])]
    known = [rate for rate in rates if rate is not None]
    assert rates == sorted(known) + [None] * (len(rates) - len(known))
    slow = groups(by=[{"meanSeconds": "DESC"}], having={"meanSeconds": {"gt": 1}})
    means = [one["durations"]["meanSeconds"] for one in slow]
    assert means == sorted(means, reverse=True)
    assert min(means) > 1
    assert groups(first=3, offset=2) == every[2:5]
    assert groups(offset=len(every)) == []
    assert site.error(query, first=1, offset=-1)["extensions"]["code"] == "GROUPS_INVALID"


def test_specs_that_are_the_same_but_for_their_parameters(site: AskedSite) -> None:
    for number, parameters in enumerate(['{"mpi":true}', '{"mpi":false}', '{"mpi":false,"level":3}']):
        site.apply(spec_report(replace(spec("zlib", "1.3"), hash=f"zlib-{number}", parameters=parameters)))
    site.apply(spec_report(spec("hdf5", "1.14")))
    asked = site.ask("""{ specs {
      twins: groupBy(keys: [PACKAGE, VERSION, TARGET, OS], having: {parameterSets: {ge: 2}}) {
        keys { package } count parameterSets }
      groupBy(keys: [PARAMETER], having: {count: {ge: 2}}) { keys { parameter } count } } }""")["specs"]
    assert asked["twins"] == [{"keys": {"package": "zlib"}, "count": 3, "parameterSets": 3}]
    assert {"keys": {"parameter": "mpi=false"}, "count": 2} in asked["groupBy"]
