"""What is counted of a list of builds, beside how long it is."""

from typing import Any

from hypothesis import strategies as st

from tests.query.conftest import AskedSite

KNOWN: list[dict[str, Any]] = [
    {}, {"spec": {}}, {"package": {}}, {"installedFrom": {"isNull": True}},
    {"status": {"eq": "FAILED"}}, {"status": {"in": ["SUCCESS", "CANCELLED"]}},
    {"installedFrom": {"eq": "SOURCE"}}, {"installedFrom": {"ne": "EXTERNAL"}},
    {"package": {"name": {"in": ["zlib", "hdf5"]}}}, {"spec": {"name": {"eq": "zlib"}}},
    {"spec": {"package": {"name": {"startsWith": "z"}}}}, {"spec": {"version": {"le": "1.3"}}},
    {"spec": {"packageVersion": {"version": {"eq": "1.3"}}}},
    {"spec": {"architecture": {"target": {"name": {"ne": "zen2"}}}}},
    {"spec": {"architecture": {"operatingSystem": {"eq": "debian12"}}}},
]  # fmt: skip
"""Filters that facets answer."""
COMPILED: dict[str, Any] = {"spec": {"compiler": {"name": {"eq": "gcc"}}}}
"""One that they answer unless a spec has another compiler for another language."""
CONTAINED: dict[str, Any] = {"dependency": {"name": "cmake"}}
"""One that they answer unless it is not known yet which packages are below an older spec."""
OF_OWNERS_AND_TAGS: list[dict[str, Any]] = [
    {"owner": {"name": {"eq": "bob"}}},
    {"owner": {"name": {"in": ["bob", "nobody"]}}},
    {"tags": {"some": {"name": {"eq": "nightly"}}}},
    {"tags": {"some": {"name": {"eq": "ci"}}}},
    {"tags": {"some": {"name": {"in": ["ci", "nightly"]}}}},
    {"tags": {"none": {"name": {"eq": "ci"}}}},
    {"errorCount": {"gt": 0}}, {"errorCount": {"le": 1}}, {"warningCount": {"eq": 0}},
]  # fmt: skip
"""Filters that totals of owners, tags and errors answer, alone and with some of those."""
OTHERS: list[dict[str, Any]] = [
    {"startedAt": {"ge": "2026-03-01T10:00:00Z"}}, {"owner": {"name": {"ne": "bob"}}},
    {"spec": {"hash": {"startsWith": "a"}}}, {"events": {"some": {}}},
    {"environment": {"platform": {"eq": "linux"}}},
]  # fmt: skip
"""And some that they do not know."""
_TOTALS = """query ($where: BuildFilter!) { builds(first: 500, where: $where) {
    totalCount groupBy(keys: [VERSION], includeInstalled: true) { count } nodes { id }
    errors: groupBy(keys: [ERROR_GROUP, STATUS], includeInstalled: true) { count }
    times: groupBy(keys: [OS], includeInstalled: true) { count durations { p95Seconds } }
    owners: groupBy(keys: [OWNER], includeInstalled: true) { count } }
  matrix(where: $where, rows: PACKAGE, columns: STATUS, includeInstalled: true) { cells { count } }
  people { nodes { id builds(where: $where) { totalCount nodes { id } } } }
  tags { nodes { id builds(where: $where) { totalCount nodes { id } } } } }"""
_OF_ONE = """query ($id: ID!, $where: BuildFilter!) { node(id: $id) {
  ... on Person { builds(where: $where) { groupBy(keys: [PACKAGE], includeInstalled: true) { count } } }
  ... on Tag { builds(where: $where) { groupBy(keys: [PACKAGE], includeInstalled: true) { count } } } } }"""


def filters() -> st.SearchStrategy[dict[str, Any]]:
    """Filters of these, and what can be made of some."""
    return st.recursive(
        st.sampled_from([*KNOWN, COMPILED, CONTAINED, *OF_OWNERS_AND_TAGS, *OTHERS]),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2).map(lambda ones: {"and": ones}),
            st.lists(inner, max_size=2).map(lambda ones: {"or": ones}),
            inner.map(lambda one: {"not": one}),
        ),
        max_leaves=4,
    )


def assert_totals(site: AskedSite, where: dict[str, Any]) -> None:
    """A list's total and the sum of its groups are how long it is, whatever is folded."""
    answer = site.ask(_TOTALS, where=where)
    people, tags = answer["people"]["nodes"], answer["tags"]["nodes"]
    for one in (*people, *tags):
        assert one["builds"]["totalCount"] == len(one["builds"]["nodes"])
    for one in (*people[-1:], *tags[-1:]):
        grouped = site.ask(_OF_ONE, id=one["id"], where=where)["node"]["builds"]["groupBy"]
        assert one["builds"]["totalCount"] == sum(group["count"] for group in grouped)
    builds = answer["builds"]
    assert sum(cell["count"] for cell in answer["matrix"]["cells"]) == builds["totalCount"]
    for groups in ("groupBy", "errors", "times", "owners"):
        counts = [group["count"] for group in builds[groups]]
        assert builds["totalCount"] == sum(counts) == len(builds["nodes"])
