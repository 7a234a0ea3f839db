"""Walks, formats, trees, paths and differences of stored specs are Spack's own."""

from typing import Any

import pytest
from sqlalchemy import Connection, select

from spackmon.formats.specs import spec_json
from spackmon.ingest.checking import check_database
from spackmon.ingest.tables.facets import count_builds
from spackmon.ingest.tables.package_sets import learn_some
from spackmon.models import Build
from spackmon.query.graph import gathering
from spackmon.submission import SpecReport
from tests.graph import oracle
from tests.ingest.reports import spec, spec_report
from tests.query.conftest import AskedSite

LIBC = spec("libc", "2.36")
ZLIB = spec("zlib", "1.2.11", LIBC)
ZLIB_NEW = spec("zlib", "1.3", LIBC)
LIBPNG = spec("libpng", "1.6", ZLIB)
HDF5 = spec("hdf5", "1.12.2", ZLIB)
ROOT = spec("app", "1.0", HDF5, LIBPNG, LIBC)
ROOT_NEW = spec("app", "1.1", ZLIB_NEW, LIBC)


@pytest.fixture
def real(site: AskedSite) -> AskedSite:
    """A site that knows the oracle's specs."""
    for document in oracle.rows("documents"):
        site.apply(SpecReport(spec_json.read(document), "1.2"))
    return site


def test_walks_trees_formats_and_facts_are_those_of_spack(real: AskedSite) -> None:
    walk = """query($h: String!, $order: TraversalOrder!, $d: [Deptype!]) {
      spec(hash: $h) { walk(order: $order, deptypes: $d) { spec { hash } } } }"""

    def walked(identity: str, order: str, deptypes: list[str] | None = None) -> list[str]:
        found = real.ask(walk, h=identity, order=order, d=deptypes)["spec"]["walk"]
        return [visit["spec"]["hash"] for visit in found]

    for row in oracle.rows("traverse")[:3]:
        assert walked(row["hash"], "PRE") == row["pre_all"]
        assert walked(row["hash"], "POST") == row["post_all"]
        assert walked(row["hash"], "BREADTH") == row["breadth"]
        assert walked(row["hash"], "TOPOLOGICAL") == row["topo"]
        assert walked(row["hash"], "PRE", ["LINK", "RUN"]) == row["link_run"]
    tree = "query($h: String!) { spec(hash: $h) { tree plain: tree(hashes: true) } }"
    for row in oracle.rows("tree")[:5]:
        assert real.ask(tree, h=row["hash"])["spec"]["tree"] == row["tree_default"]
    form = "query($h: String!, $t: String!) { spec(hash: $h) { format format_as: format(template: $t) } }"
    for row in oracle.rows("format")[:10]:
        found = real.ask(form, h=row["hash"], t="{name}{@version}{/hash}")["spec"]
        assert found == {"format": row["format_default"], "format_as": row["str"]}
    difference = "query($a: String!, $b: String!, $i: [String!]) { diff(a: $a, b: $b, ignore: $i) { facts } }"
    for row in oracle.rows("diff")[:3]:
        facts = real.ask(difference, a=row["a"], b=row["b"], i=row["ignore"])["diff"]["facts"]
        for key in ("a_not_b", "b_not_a", "intersect"):
            assert sorted(facts[key]) == sorted(row["result"][key])


IN_FORMATS = [row for row in oracle.rows("attributes") if "#" in row["about"] or "splice" in row["about"]]


@pytest.mark.parametrize("row", IN_FORMATS[::3] + IN_FORMATS[-2:], ids=lambda row: row["about"])
def test_attributes_of_stored_specs_are_printed_as_by_spack(site: AskedSite, row: dict[str, Any]) -> None:
    graph = spec_json.read(row["document"])
    site.apply(SpecReport(graph, "1.2"))
    template = "|".join(
        one for one, printed in row["fmt"].items() if isinstance(printed, str) and "prefix" not in one
    )
    question = "query($h: String!, $t: String!) { spec(hash: $h) { format(template: $t) } }"
    printed = site.ask(question, h=graph.root, t=template)["spec"]["format"]
    assert [one.strip() for one in printed.split("|")] == [row["fmt"][one] for one in template.split("|")]
    if "spliced" in row["about"]:
        tree = site.ask(
            'query($h: String!) { spec(hash: $h) { tree(template: "{build_spec}") } }', h=graph.root
        )
        assert tree["spec"]["tree"].startswith(f"{row['fmt']['{build_spec}']}\n    ^")


@pytest.fixture
def small(site: AskedSite) -> AskedSite:
    """A site that knows two versions of an application."""
    site.apply(spec_report(ROOT, HDF5, LIBPNG, ZLIB, LIBC))
    site.apply(spec_report(ROOT_NEW, ZLIB_NEW, LIBC))
    return site


def names(specs: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in specs]


def test_a_graph_ends_where_its_limits_say(small: AskedSite) -> None:
    query = """query($h: String!, $n: Int, $d: [Deptype!]) { spec(hash: $h) { graph(depth: $n, deptypes: $d) {
      nodes { name } edges { parent { name } child { name } } } } }"""

    def graph(**limits: Any) -> dict[str, Any]:
        return small.ask(query, h=ROOT.hash, **limits)["spec"]["graph"]  # type: ignore[no-any-return]

    assert graph() == graph(n=3) == graph(d=["BUILD", "RUN"]) == graph(n=2, d=["LINK"])
    assert names(graph()["nodes"]) == ["app", "hdf5", "libc", "libpng", "zlib"]
    near = graph(n=1)
    assert names(near["nodes"]) == ["app", "hdf5", "libc", "libpng"]
    assert {edge["parent"]["name"] for edge in near["edges"]} == {"app"}
    assert graph(n=0) == graph(d=["TEST"]) == graph(d=[]) == {"nodes": [{"name": "app"}], "edges": []}
    written = "query($h: String!) { spec(hash: $h) { graph(depth: 1, deptypes: [LINK]) { nodes { name } } } }"
    assert small.ask(written, h=ROOT.hash)["spec"]["graph"]["nodes"] == near["nodes"]


def test_a_path_says_why_a_spec_is_in_a_graph(small: AskedSite) -> None:
    query = """query($from: String!, $to: String!, $d: [Deptype!], $n: Int!) {
      path(from: $from, to: $to, deptypes: $d, first: $n) { length specs { name builds { totalCount } } } }"""
    found = small.ask(query, **{"from": ROOT.hash, "to": "zlib", "d": None, "n": 10})["path"]
    assert [names(path["specs"]) for path in found] == [["app", "hdf5", "zlib"], ["app", "libpng", "zlib"]]
    assert [path["length"] for path in found] == [2, 2]
    (direct,) = small.ask(query, **{"from": ROOT.hash, "to": LIBC.hash, "d": ["LINK"], "n": 10})["path"]
    assert names(direct["specs"]) == ["app", "libc"]
    assert small.ask(query, **{"from": ROOT.hash, "to": "zlib", "d": ["TEST"], "n": 10})["path"] == []
    assert len(small.ask(query, **{"from": ROOT.hash, "to": "zlib", "d": None, "n": 1})["path"]) == 1
    small.reader.statements.clear()
    error = small.error(query, **{"from": "zzzzzzz", "to": "zlib", "d": None, "n": 1})
    assert error["extensions"]["code"] == "SPEC_UNKNOWN"
    assert len(small.reader.statements) == 1


def test_a_difference_pairs_the_specs_of_two_graphs(small: AskedSite) -> None:
    query = """query($a: String!, $b: String!) { diff(a: $a, b: $b) {
      __typename a { version } b { version }
      nodes { name status before { version } after { version format(template: "{name}{@version}") }
              changes { kind name before after } } } }"""
    found = small.ask(query, a=ROOT.hash, b=ROOT_NEW.hash)["diff"]
    assert (found["__typename"], found["a"], found["b"]) == (
        "GraphDifference",
        {"version": "1.0"},
        {"version": "1.1"},
    )
    statuses = {node["name"]: node["status"] for node in found["nodes"]}
    assert statuses == {
        "app": "CHANGED", "hdf5": "REMOVED", "libc": "UNCHANGED", "libpng": "REMOVED", "zlib": "CHANGED"
    }  # fmt: skip
    zlib = found["nodes"][-1]
    assert (zlib["before"], zlib["after"]) == (
        {"version": "1.2.11"},
        {"version": "1.3", "format": "zlib@1.3"},
    )
    assert {"kind": "VERSION", "name": "version", "before": "1.2.11", "after": "1.3"} in zlib["changes"]


def test_common_dependencies_are_what_all_of_several_specs_need(small: AskedSite) -> None:
    query = """query($h: [String!]!) { commonDependencies(hashes: $h) {
      name sharedVersions specs { version } sharedSpecs { hash } } }"""
    libc, zlib = small.ask(query, h=[ROOT.hash, ROOT_NEW.hash])["commonDependencies"]
    assert libc == {
        "name": "libc", "sharedVersions": ["2.36"], "specs": [{"version": "2.36"}],
        "sharedSpecs": [{"hash": LIBC.hash}],
    }  # fmt: skip
    assert (zlib["name"], zlib["sharedVersions"], len(zlib["specs"])) == ("zlib", [], 2)
    assert small.error(query, h=[ROOT.hash, "nothing"])["extensions"]["code"] == "SPEC_UNKNOWN"
    assert small.error(query, h=[])["extensions"]["code"] == "ARGUMENT_INVALID"


def test_a_dependency_s_attribute_may_have_a_sigil(small: AskedSite) -> None:
    query = "query($h: String!, $t: String!) { spec(hash: $h) { format(template: $t) } }"
    template = "{@^zlib.version} {/^libc.hash:3} { libc=^libc.name}"
    assert small.ask(query, h=ROOT.hash, t=template)["spec"]["format"] == (
        f"@{ZLIB.version} /{LIBC.hash[:3]}  libc={LIBC.name}"
    )


def test_a_format_string_that_spack_refuses_is_a_coded_error(small: AskedSite) -> None:
    query = "query($t: String!) { specs(first: 2) { nodes { format(template: $t) } } }"
    assert small.error(query, t="{name")["extensions"]["code"] == "FORMAT_INVALID"
    assert small.ask(query, t="{name}{@version}")["specs"]["nodes"][0]["format"].startswith("app@")


def test_builds_of_an_impact_are_the_same_however_they_are_found(
    small: AskedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("a", "b"):
        small.build(ROOT, HDF5, LIBPNG, ZLIB, LIBC, host=host)
        small.build(ROOT_NEW, ZLIB_NEW, LIBC, host=host)
        small.build(LIBC, host=host)
    query = """query($of: String!) { impact(of: $of) { builds(first: 3) {
      totalCount nodes { id spec { name } } pageInfo { hasNextPage }
      groupBy(keys: [HOSTNAME]) { keys { hostname } count } } } }"""
    by_package = small.ask(query, of="zlib")["impact"]["builds"]
    assert by_package["totalCount"] == 4
    assert [build["spec"]["name"] for build in by_package["nodes"]] == ["app"] * 3
    assert by_package["pageInfo"] == {"hasNextPage": True}
    assert small.ask(query, of="zlib@0:")["impact"]["builds"] == by_package
    monkeypatch.setattr(gathering, "FEW_BY_THEMSELVES", 1)
    assert small.ask(query, of="zlib@0.0:")["impact"]["builds"] == by_package


def test_what_older_versions_stored_is_found_before_and_after_it_is_known_what_it_contains(
    small: AskedSite,
) -> None:
    other = spec("app", ROOT.version, ZLIB)
    for host in ("a", "b", "c"):
        small.build(ROOT, HDF5, LIBPNG, ZLIB, LIBC, host=host)
    small.build(other, ZLIB, LIBC)
    query = """{ impact(of: "hdf5") { specs { totalCount nodes { hash } }
        builds { totalCount groupBy(keys: [PACKAGE, STATUS]) { count }
            times: groupBy(keys: [PACKAGE]) { count durations { p50Seconds } } } }
      specs(where: {dependency: {name: "libpng"}}) { totalCount nodes { hash } } }"""
    known = small.ask(query)
    assert known["impact"]["builds"]["totalCount"] == 3
    small.database.write_once(_forget_package_sets)
    assert small.ask(query) == known
    assert len(small.rows("SELECT id FROM build_facet")) == 1
    while small.database.write_once(learn_some):
        assert small.ask(query) == known
    assert len(small.rows("SELECT id FROM build_facet")) == 2
    found = [one.differences for one in check_database(small.database, repair=False)]
    assert not any(any(one.values()) for one in found)


def _forget_package_sets(connection: Connection) -> None:
    """As the migration leaves them."""
    for statement in (
        "UPDATE spec SET package_set_id = NULL", "DELETE FROM package_set_member", "DELETE FROM package_set",
        "UPDATE build SET facet_id = NULL", "DELETE FROM build_facet", "DELETE FROM build_facet_change",
        "DELETE FROM build_total_change", "DELETE FROM build_day", "DELETE FROM build_total",
        "DELETE FROM build_facet_total",
    ):  # fmt: skip
        connection.exec_driver_sql(statement)
    count_builds(connection, connection.scalars(select(Build.id)).all())


def test_an_impact_is_all_that_contains_what_changes(small: AskedSite) -> None:
    small.build(ROOT, HDF5, LIBPNG, ZLIB, LIBC)
    small.build(ROOT_NEW, ZLIB_NEW, LIBC)
    query = """query($of: String!) { impact(of: $of) {
      specs(orderBy: {name: ASC}) { totalCount nodes { name version } groupBy(keys: [PACKAGE]) { count } }
      builds(satisfying: "app") { totalCount nodes { spec { version } }
        groupBy(keys: [PACKAGE, STATUS, HOSTNAME]) { keys { package status hostname } count } } } }"""
    small.reader.statements.clear()
    old = small.ask(query, of="zlib@:1.2")["impact"]
    assert len(small.reader.statements) == 1
    assert [spec["name"] for spec in old["specs"]["nodes"]] == ["app", "hdf5", "libpng"]
    assert [group["count"] for group in old["specs"]["groupBy"]] == [1, 1, 1]
    assert [build["spec"] for build in old["builds"]["nodes"]] == [{"version": "1.0"}]
    keys = {"package": "app", "status": "NOTRUN", "hostname": "node-1"}
    assert old["builds"]["groupBy"] == [{"keys": keys, "count": 1}]
    assert small.ask(query, of="zlib")["impact"]["builds"]["totalCount"] == 2
    assert small.ask(query, of="nothing")["impact"]["specs"]["totalCount"] == 0
    assert small.error(query, of="zlib@")["extensions"]["code"] == "SPEC_SYNTAX"
