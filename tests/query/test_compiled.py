"""Every answer comes from one SQL statement, the same on both databases, for all that GraphQL can write."""

import json
from typing import Any

import pytest

from spackmon.submission import AttributeValue, InstalledFile
from tests.ingest.reports import build_report, spec, spec_report
from tests.query.conftest import AskedSite

LIBC = spec("libc", "2.36", hashes=(("hash", "l" * 32), ("full_hash", "f" * 32)), hash="l" * 32)
ZLIB_OLD = spec("zlib", "1.2.11", LIBC)
ZLIB_NEW = spec("zlib", "1.3", LIBC)
HDF5 = spec("hdf5", "1.12.2", ZLIB_OLD)
NETCDF = spec("netcdf-c", "4.9.0", HDF5, ZLIB_OLD)
CURL = spec("curl", "8.0.1", ZLIB_NEW)


@pytest.fixture
def builds(site: AskedSite) -> dict[str, int]:
    """Builds by name, oldest first."""
    return {
        "zlib": site.build(ZLIB_OLD, LIBC),
        "hdf5": site.build(HDF5, ZLIB_OLD, LIBC),
        "netcdf": site.build(NETCDF, HDF5, ZLIB_OLD, LIBC),
        "curl": site.build(CURL, ZLIB_NEW, LIBC),
    }


DEEPER = "{ nodes { spec { builds "


def ids(connection: dict[str, Any]) -> list[int]:
    return [int(node["id"]) for node in connection["nodes"]]


def test_builds_are_found_by_a_dependency_version_at_any_depth(
    site: AskedSite, builds: dict[str, int]
) -> None:
    query = "query($d: ContainedFilter) { builds(where: {dependency: $d}) { totalCount nodes { id } } }"
    found = site.ask(query, d={"name": "zlib", "version": "1.2.11"})["builds"]
    # The build of zlib itself does not depend on zlib.
    assert ids(found) == [builds["netcdf"], builds["hdf5"]]
    assert found["totalCount"] == 2
    any_version = site.ask(query, d={"name": "zlib"})["builds"]
    assert ids(any_version) == [builds["curl"], builds["netcdf"], builds["hdf5"]]
    assert any_version["totalCount"] == 3
    assert ids(site.ask(query, d={"name": "zlib", "version": "9"})["builds"]) == []
    assert ids(site.ask(query, d=None)["builds"]) == sorted(builds.values(), reverse=True)


def test_specs_are_found_by_what_is_below_them(site: AskedSite, builds: dict[str, int]) -> None:
    query = "query($d: ContainedFilter!) { specs(where: {dependency: $d}) { totalCount nodes { name } } }"
    assert site.ask(query, d={"name": "zlib", "version": "1.3"}) == {
        "specs": {"totalCount": 1, "nodes": [{"name": "curl"}]}
    }
    assert site.ask(query, d={"name": "libc"})["specs"]["totalCount"] == 5
    named = site.ask(
        '{ specs(where: {name: {eq: "zlib"}, dependency: {name: "libc"}}) { nodes { version } } }'
    )
    assert sorted(node["version"] for node in named["specs"]["nodes"]) == ["1.2.11", "1.3"]


WHOLE = """
query Whole($first: Int, $log: Boolean!) {
  builds(first: $first) {
    totalCount
    edges { cursor node { ...build } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
fragment build on Build {
  id __typename status tags { nodes { name } } owner { name } configureArguments
  environment { hostname platform operatingSystem target kernelVersion }
  spec {
    hash name version namespace formatVersion packageHash external parameters document
    hashes { kind value } compiler { name version }
    architecture { platform operatingSystem target { name vendor generation features parents } }
    dependencies { nodes { deptypes virtuals child { name } } }
    graph { nodes { name version } edges { parent { name } child { name version } deptypes } }
  }
  attempts {
    nodes {
      number status spackVersion
      phases { nodes { name status position log @include(if: $log) { text sizeBytes } } }
    }
  }
  phases { nodes { name ... on BuildPhase { log { sizeBytes } } } }
  environmentVariables { name value }
  installFiles(first: 2) { totalCount nodes { path type mode hash destination } }
  analyses { analyzer results { nodes { name analyzer value binaryValue jsonValue installFile { path } } } }
}
"""


def test_one_operation_is_one_statement_and_tells_everything(site: AskedSite) -> None:
    site.apply(spec_report(HDF5, ZLIB_OLD, LIBC))
    build_id = site.apply(build_report(HDF5.hash, tags=("nightly", "a/b <i>"))).build_id
    site.phase(build_id, "configure", output=b"checking\n")
    output = 'zlib.h:1: error: ‘x’ \x00 \x1b[31m\t\\ "quoted"\n' * 3
    site.phase(build_id, "build", "ERROR", output.encode())
    site.phase(build_id, "install", "SUCCESS", None)
    site.status(build_id, "FAILED")
    site.analysis(
        build_id,
        install_files=(
            InstalledFile("/opt/lib.so", "file", 0o100755, 0, 0, "ABC", 17, 1795337792.0731182),
            InstalledFile("/opt/lib", "link", destination="lib.so"),
        ),
        environment_variables={"CC": "gcc", "Ünï": "\"'\\"},
        attributes={
            "symbolator": (AttributeValue("json", "/opt/lib.so", json_value='{"b":[1.50,null],"a":"é"}'),),
            "abi": (
                AttributeValue("text", None, value="x"),
                AttributeValue("raw", None, binary_value=b"\0\xff"),
            ),
        },
    )
    site.reader.statements.clear()
    (edge,) = site.ask(WHOLE, first=5, log=True)["builds"]["edges"]
    assert len(site.reader.statements) == 1
    build = edge["node"]
    assert (build["__typename"], build["status"], build["owner"]) == ("Build", "FAILED", {"name": "ada"})
    assert build["tags"]["nodes"] == [{"name": "a/b <i>"}, {"name": "nightly"}]
    failed = build["attempts"]["nodes"][0]["phases"]["nodes"][1]
    assert failed == {
        "name": "build", "status": "ERROR", "position": 2,
        "log": {"text": output, "sizeBytes": len(output.encode())},
    }  # fmt: skip
    assert [phase["log"] for phase in build["phases"]["nodes"]][2] is None
    assert build["spec"]["document"] == json.loads(HDF5.document)
    assert [node["name"] for node in build["spec"]["graph"]["nodes"]] == ["hdf5", "libc", "zlib"]
    assert {
        "parent": {"name": "zlib"},
        "child": {"name": "libc", "version": "2.36"},
        "deptypes": ["BUILD", "LINK"],
    } in (build["spec"]["graph"]["edges"])
    assert build["environmentVariables"] == [
        {"name": "CC", "value": "gcc"},
        {"name": "Ünï", "value": "\"'\\"},
    ]
    assert build["installFiles"]["totalCount"] == 2
    files = {file["path"]: file for file in build["installFiles"]["nodes"]}
    assert files["/opt/lib.so"] == {
        "path": "/opt/lib.so", "type": "file", "mode": 0o100755, "hash": "ABC", "destination": None
    }  # fmt: skip
    abi, symbolator = build["analyses"]
    assert symbolator["results"]["nodes"] == [
        {"name": "json", "analyzer": "symbolator", "value": None, "binaryValue": None,
         "jsonValue": {"b": [1.5, None], "a": "é"}, "installFile": {"path": "/opt/lib.so"}}
    ]  # fmt: skip
    assert [one["binaryValue"] for one in abi["results"]["nodes"]] == ["00ff", None]
    (unlogged,) = site.ask(WHOLE, first=5, log=False)["builds"]["edges"]
    assert "log" not in unlogged["node"]["attempts"]["nodes"][0]["phases"]["nodes"][1]


def test_pages_joined_are_the_whole_list_forward_and_backward(site: AskedSite) -> None:
    everything = sorted((site.build(spec("made", str(number))) for number in range(7)), reverse=True)
    query = """query($first: Int, $after: String, $last: Int, $before: String) {
      builds(first: $first, after: $after, last: $last, before: $before) {
        nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    for size in (1, 2, 3, 7, 100):
        seen: list[int] = []
        after = None
        while True:
            page = site.ask(query, first=size, after=after)["builds"]
            seen += ids(page)
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert seen == everything
        seen, before = [], None
        while True:
            page = site.ask(query, last=size, before=before)["builds"]
            seen = ids(page) + seen
            before = page["pageInfo"]["startCursor"]
            if not page["pageInfo"]["hasPreviousPage"]:
                break
        assert seen == everything
    empty = site.ask(query, first=0)["builds"]
    assert (empty["nodes"], empty["pageInfo"]["endCursor"]) == ([], None)


def test_a_spec_is_found_by_any_of_its_hashes_and_by_a_prefix_only_it_has(site: AskedSite) -> None:
    first = spec("one", "1", hash="abcdefgh" + "a" * 24, hashes=(("hash", "abcdefgh" + "a" * 24),))
    twin = spec(
        "two",
        "1",
        hash="abcdefgz" + "a" * 24,
        hashes=(("hash", "abcdefgz" + "a" * 24), ("full_hash", "q" * 32)),
    )
    site.apply(spec_report(first))
    site.apply(spec_report(twin))
    query = "query($hash: String!) { spec(hash: $hash) { name } }"
    assert site.ask(query, hash="q" * 32) == {"spec": {"name": "two"}}
    assert site.ask(query, hash="qqqqqqq") == {"spec": {"name": "two"}}
    assert site.ask(query, hash="abcdefgh") == {"spec": {"name": "one"}}
    assert site.ask(query, hash="zzzzzzz") == {"spec": None}
    assert site.error(query, hash="abcdefg")["extensions"]["code"] == "SPEC_HASH_AMBIGUOUS"
    assert site.error(query, hash="abcdef")["extensions"]["code"] == "HASH_TOO_SHORT"


def test_aliases_directives_fragments_and_introspection_share_one_operation(
    site: AskedSite, builds: dict[str, int]
) -> None:
    query = """query Mixed($skip: Boolean!, $id: ID!) {
      __typename
      schema: __schema { queryType { name } }
      one: build(id: $id) { ...named }
      other: build(id: 999999) { id }
      skipped: builds @skip(if: $skip) { totalCount }
      twice: builds(first: 1) { totalCount }
      twice: builds(first: 1) { nodes { id id again: id } }
    }
    fragment named on Build { spec { name ...version } spec { hash } }
    fragment version on Spec { version }"""
    data = site.ask(query, skip=True, id=builds["curl"])
    assert list(data) == ["__typename", "schema", "one", "other", "twice"]
    assert data["schema"] == {"queryType": {"name": "Query"}}
    assert data["one"] == {"spec": {"name": "curl", "version": "8.0.1", "hash": CURL.hash}}
    assert data["other"] is None
    newest = str(max(builds.values()))
    assert data["twice"] == {"totalCount": 4, "nodes": [{"id": newest, "again": newest}]}
    assert site.ask(query, skip=False, id=str(builds["zlib"]))["skipped"] == {"totalCount": 4}
    assert len(site.reader.statements) == 2


def test_a_plan_is_compiled_once_and_filled_with_each_request_s_values(
    site: AskedSite, builds: dict[str, int]
) -> None:
    query = "query($name: String!) { builds(where: {dependency: {name: $name}}) { nodes { id } } }"
    assert ids(site.ask(query, name="hdf5")["builds"]) == [builds["netcdf"]]
    assert len(ids(site.ask(query, name="libc")["builds"])) == 4
    assert len(set(site.reader.statements)) == 1


def test_a_variable_that_is_not_sent_leaves_an_argument_to_its_default(
    site: AskedSite, builds: dict[str, int]
) -> None:
    query = "query($n: Int) { builds { groupBy(keys: [PACKAGE], first: $n, offset: $n) { count } } }"
    assert site.ask(query) == {"builds": {"groupBy": [{"count": 1}] * 4}}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ builds(first: 501) { totalCount nodes { spec { id } } } }", {}, "PAGE_TOO_LARGE"),
        ("{ builds(first: -1) { nodes { id } } }", {}, "PAGE_INVALID"),
        ("{ builds(first: 1, last: 1) { nodes { id } } }", {}, "PAGE_INVALID"),
        ('{ builds(after: "zz") { nodes { id } } }', {}, "CURSOR_INVALID"),
        ("query($c: String) { builds(before: $c) { nodes { id } } }", {"c": "5b226122 5d"}, "CURSOR_INVALID"),
        ('{ build(id: "Spec:1") { id } }', {}, "ID_INVALID"),
        ("{ build(id: 99999999999999999999) { id } }", {}, "ID_INVALID"),
        ("{ spec { name } }", {}, "ARGUMENT_INVALID"),
        ("query($n: String) { specs(where: {name: {eq: $n}}) { totalCount } }", {"n": "\0"},
         "ARGUMENT_INVALID"),
        ("query($n: String) { specs(where: {name: {eq: $n}}) { totalCount } }", {"n": None}, "FILTER_NULL"),
        ('{ spec(hash: "aaaa\\u0000aaaa") { name } }', {}, "ARGUMENT_INVALID"),
        ("query($n: Int!) { builds(first: $n) { totalCount } }", {"n": "x"}, "VARIABLES_INVALID"),
        ("query($n: Int!) { builds(first: $n) { totalCount } }", {}, "VARIABLES_INVALID"),
        ("query($n: Int) { builds { groupBy(keys: [], offset: $n) { count } } }", {"n": None},
         "ARGUMENT_INVALID"),
        ("{ builds(where: {nope: 1}) { totalCount } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ builds { nodes } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{", {}, "GRAPHQL_PARSE_FAILED"),
        ("", {}, "GRAPHQL_PARSE_FAILED"),
        ("mutation { x }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", {}, "OPERATION_NAME_MISSING"),
        ("fragment f on Build { id }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("{ builds " + DEEPER * 9 + "{ totalCount }" + "} } }" * 9 + "}", {}, "QUERY_TOO_DEEP"),
        ("{ a" * 2000 + "}" * 2000, {}, "QUERY_TOO_DEEP"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_a_coded_error(
    furnished: AskedSite, query: str, variables: dict[str, Any], code: str
) -> None:
    error = furnished.error(query, **variables)
    assert error["extensions"]["code"] == code
    assert error["message"]
