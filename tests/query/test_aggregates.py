"""Groups and tables count what a plain loop over the listed rows counts."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from spackmon.graph.spec import Edge, SpecNode, TargetDescription
from spackmon.graph.versions import version_key
from spackmon.models import Build
from tests.ingest.reports import LINK, build_report, spec, spec_report
from tests.query.conftest import AskedSite
from tests.query.installs import install_report

BUILD_KEYS = [
    "PACKAGE", "VERSION", "COMPILER", "TARGET", "OS", "STATUS", "TAG", "OWNER", "DAY", "WEEK", "HOSTNAME",
    "ERROR_GROUP",
]  # fmt: skip
SPEC_KEYS = BUILD_KEYS[:5]
FINISHED = {"SUCCESS", "FAILED", "CANCELLED"}
LANGUAGES = ("c", "cxx", "fortran")

SPEC_FACTS = """fragment spec on Spec {
  name version compiler { name version } architecture { operatingSystem target { name } }
  dependencies { virtuals child { id name version } } }"""
BUILD_FACTS = """{ builds(first: 100) { nodes {
  status createdAt updatedAt durationSeconds package { name } spec { ...spec } environment { hostname }
  owner { name } tags { name } id
  events(where: {kind: {eq: ERROR}}, orderBy: {position: ASC}, first: 1) {
    nodes { errorGroup { fingerprint text } } } } } }"""

Row = Mapping[str, Any]
# A label, and before it what it is sorted by.
Label = tuple[Any, ...]

# Of a build whose spec is not known.
UNKNOWN: Mapping[str, Label] = {
    "VERSION": (None,) * 2, "COMPILER": (None,) * 3, "TARGET": (None,), "OS": (None,),
}  # fmt: skip


def spec_labels(one: Row) -> dict[str, Label]:
    """What a spec is grouped by."""
    architecture = one["architecture"]
    return {
        "PACKAGE": (one["name"],),
        "VERSION": (version_key(one["version"]), one["version"]),
        "COMPILER": compiler_label(one),
        "TARGET": (architecture["target"]["name"],),
        "OS": (architecture["operatingSystem"],),
    }


def compiler_label(one: Row) -> Label:
    """The compiler that a spec names, or else the dependency that is one."""
    found = one["compiler"]
    for language in LANGUAGES:
        providers = [edge["child"] for edge in one["dependencies"] if language in edge["virtuals"]]
        if found is None and providers:
            found = min(providers, key=lambda child: int(child["id"].partition(":")[2]))
    if found is None:
        return (None,) * 3
    name, version = found["name"], found["version"]
    return name, version_key(version), f"{name}@{version}"


def build_labels(build: Row, tag: str | None) -> dict[str, Label]:
    """What a build is grouped by, under one of its tags."""
    began = datetime.fromisoformat(build["createdAt"])
    year, week, _ = began.isocalendar()
    errors = [event["errorGroup"] for event in build["events"]["nodes"]]
    return {
        **(UNKNOWN if build["spec"] is None else spec_labels(build["spec"])),
        "PACKAGE": (None if build["package"] is None else build["package"]["name"],),
        "ERROR_GROUP": (errors[0]["fingerprint"], errors[0]["text"]) if errors else (None, None),
        "STATUS": (build["status"],), "TAG": (tag,),
        "OWNER": (build["owner"]["name"],), "DAY": (began.strftime("%Y-%m-%d"),),
        "WEEK": (f"{year}-W{week:02}",), "HOSTNAME": (build["environment"]["hostname"],),
    }  # fmt: skip


def tagged(builds: Iterable[Row], keys: Sequence[str]) -> Iterator[tuple[Row, dict[str, Label]]]:
    """Each build, once for every tag if that is among the keys."""
    for build in builds:
        tags = [tag["name"] for tag in build["tags"]] if "TAG" in keys else []
        for tag in tags or [None]:
            yield build, build_labels(build, tag)


def in_order(labels: Iterable[Label]) -> tuple[Any, ...]:
    """Sorts as groups are: what is missing comes last."""
    return tuple((part is None, 0 if part is None else part) for label in labels for part in label)


def grouped(
    rows: Iterable[tuple[Row, dict[str, Label]]], keys: Sequence[str], measure: Callable[[list[Row]], Row]
) -> list[Row]:
    """The groups of rows, by a plain loop."""
    groups: dict[tuple[Label, ...], list[Row]] = defaultdict(list)
    for row, labels in rows:
        groups[tuple(labels[key] for key in keys)].append(row)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), in_order(group[0])))
    return [
        {
            "keys": {shown(key): label[-1] for key, label in zip(keys, labels, strict=True)},
            "count": len(members),
            **measure(members),
        }
        for labels, members in ordered
    ]


def shown(key: str) -> str:
    """The field that shows a key."""
    return "errorGroup" if key == "ERROR_GROUP" else key.lower()


def measured(builds: list[Row]) -> Row:
    """The success rate and the durations of builds."""
    finished = [build["status"] == "SUCCESS" for build in builds if build["status"] in FINISHED]
    seconds = sorted(b["durationSeconds"] for b in builds if b["durationSeconds"] is not None)
    durations = None
    if seconds:
        microseconds = sum(round(one * 1_000_000) for one in seconds)
        durations = {
            "p50Seconds": seconds[-(-len(seconds) * 50 // 100) - 1],
            "p95Seconds": seconds[-(-len(seconds) * 95 // 100) - 1],
            "meanSeconds": microseconds / (len(seconds) * 1_000_000),
        }
    return {"successRate": sum(finished) / len(finished) if finished else None, "durations": durations}


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
    values = {"status": status, "created_at": began, "duration_seconds": seconds}
    change = update(Build).where(Build.id == build_id).values(values)
    site.database.write_once(lambda connection: connection.execute(change))


def selection(keys: Sequence[str]) -> str:
    return "{" + " ".join(map(shown, keys)) + "}" if keys else "{ __typename }"


def without_types(groups: Sequence[Row]) -> list[Row]:
    return [
        {**group, "keys": {name: value for name, value in group["keys"].items() if name != "__typename"}}
        for group in groups
    ]


MANY = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip


def test_groups_of_builds_are_those_of_a_plain_loop(site: AskedSite) -> None:
    furnish(site)
    builds = site.ask(BUILD_FACTS + SPEC_FACTS)["builds"]["nodes"]

    @MANY
    @given(st.lists(st.sampled_from(BUILD_KEYS), unique=True, max_size=4), st.sampled_from([1, 3, 500]))
    def check(keys: list[str], first: int) -> None:
        asked = site.ask(
            "query($keys: [BuildGroupKey!]!, $first: Int!) { builds { totalCount"
            "  groupBy(keys: $keys, first: $first) { count successRate keys " + selection(keys) + ""
            "  durations { p50Seconds p95Seconds meanSeconds } } } }",
            keys=keys,
            first=first,
        )["builds"]
        groups = without_types(asked["groupBy"])
        assert groups == grouped(tagged(builds, keys), keys, measured)[:first]
        if "TAG" not in keys and first == 500:
            assert sum(group["count"] for group in groups) == asked["totalCount"] == len(builds)

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
    keys = st.sampled_from(BUILD_KEYS)

    @MANY
    @given(keys, keys, st.sampled_from([1, 2, 500]), st.sampled_from([None, "zlib"]))
    def check(row: str, column: str, first: int, package: str | None) -> None:
        asked = site.ask(
            """query($row: BuildGroupKey!, $column: BuildGroupKey!, $first: Int!, $package: String) {
              matrix(rows: $row, columns: $column, first: $first, package: $package) {
                rows columns cells { row column count succeeded failed latestStatus } } }""",
            row=row, column=column, first=first, package=package,
        )["matrix"]  # fmt: skip
        chosen = [build for build in builds if package is None or build["package"] == {"name": package}]
        assert asked == table(chosen, row, column, first)

    check()


def table(builds: Sequence[Row], row: str, column: str, first: int) -> Row:
    """A table by a plain loop."""
    cells: dict[tuple[Label, Label], list[Row]] = defaultdict(list)
    for build in builds:
        for _, across in tagged([build], [row]):
            for _, down in tagged([build], [column]):
                cells[across[row], down[column]].append(build)
    each = [key for key, found in cells.items() for _ in found]
    rows, columns = (largest([key[axis] for key in each], first) for axis in (0, 1))
    found = [key for key in cells if key[0] in rows and key[1] in columns]
    return {
        "rows": names(key[0] for key in found),
        "columns": names(key[1] for key in found),
        "cells": [
            {"row": key[0][-1], "column": key[1][-1], "count": len(cells[key]), **stand(cells[key])}
            for key in sorted(found, key=in_order)
        ],
    }


def names(labels: Iterable[Label]) -> list[Any]:
    return [label[-1] for label in sorted(set(labels), key=lambda label: in_order([label]))]


def largest(labels: Sequence[Label], first: int) -> list[Label]:
    return sorted(set(labels), key=lambda label: (-labels.count(label), in_order([label])))[:first]


def stand(builds: Sequence[Row]) -> Row:
    latest = max(builds, key=lambda build: (build["updatedAt"], int(build["id"])))
    statuses = [build["status"] for build in builds]
    return {
        "succeeded": statuses.count("SUCCESS"),
        "failed": statuses.count("FAILED"),
        "latestStatus": latest["status"],
    }


def test_groups_inherit_the_filters_of_their_connection_in_one_statement(site: AskedSite) -> None:
    furnish(site)
    site.reader.statements.clear()
    asked = site.ask(
        """{ builds(where: {spec: {name: {eq: "zlib"}}, status: {ne: NOTRUN}}, first: 1) {
          nodes { id } totalCount pageInfo { hasNextPage }
          byTag: groupBy(keys: [TAG]) { count }
          byPackage: groupBy(keys: [PACKAGE]) { keys { package } count } }
        dependent: builds(where: {dependency: {name: "gcc"}}) { totalCount groupBy(keys: []) { count } }
        all: builds { totalCount }
        nameless: builds(where: {not: {package: {}}}) { totalCount }
        packages(first: 100) { nodes { name builds {
          totalCount groupBy(keys: [PACKAGE]) { keys { package } count } } } }
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
def test_what_cannot_be_counted_is_a_coded_error(site: AskedSite, query: str, code: str) -> None:
    assert site.error(query)["extensions"]["code"] == code
