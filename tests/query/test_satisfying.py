"""Spack's language as a question: on both databases exactly what Spack itself says satisfies it."""

import json
from functools import cache

import pytest

from spackmon.database import Database
from spackmon.formats.specs.spec_json import read
from spackmon.formats.submission import SpecReport
from spackmon.query import satisfying
from tests.graph.spec_language import rows
from tests.ingest.reports import build_report, hash_of, spec, spec_report
from tests.query.conftest import AskedSite

SPECS = """
query Specs($text: String!, $after: String) {
  specs(satisfying: $text, first: 100, after: $after) {
    totalCount nodes { hash } pageInfo { hasNextPage endCursor }
  }
}
"""


@cache
def documents() -> SpecReport:
    (document,) = rows("document")
    return SpecReport(read(document), "1.2.0")


def satisfied(site: AskedSite, text: str) -> set[str]:
    """The hashes of all specs that satisfy `text`, page by page."""
    found: set[str] = set()
    after = None
    while True:
        page = site.ask(SPECS, text=text, after=after)["specs"]
        found.update(node["hash"][:7] for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        after = page["pageInfo"]["endCursor"]


@pytest.fixture
def stored(site: AskedSite) -> AskedSite:
    """A site with the specs that Spack's answers are about."""
    site.apply(documents())
    return site


@pytest.fixture(params=["few are many", "few are few"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand specs are few: the newest rows are walked only where next to nothing counts as few."""
    if request.param == "few are many":
        monkeypatch.setattr(satisfying, "FEW_BY_THEMSELVES", 3)
        monkeypatch.setattr(satisfying, "FEW_BY_DEPENDENCY", 3)


def test_every_query_finds_and_counts_what_spack_finds(stored: AskedSite, ways: None) -> None:
    wrong = [
        answer["query"]
        for answer in rows("matches")
        if satisfied(stored, answer["query"]) != set(answer["match"])
    ]
    assert wrong == []


@pytest.mark.parametrize("answer", rows("invalid"), ids=lambda answer: answer["query"])
def test_what_is_no_spec_is_refused_with_the_character(site: AskedSite, answer) -> None:
    error = site.error("query($s: String!) { specs(satisfying: $s) { totalCount } }", s=answer["query"])
    assert error["extensions"]["code"] == "SPEC_SYNTAX"
    if answer["position"] is not None:
        assert error["extensions"]["position"] == answer["position"]
        assert f"cannot be read at character {answer['position'] + 1}: " in error["message"]


ZLIB = spec("zlib", "1.2.11")
NEW_ZLIB = spec("zlib", "1.3.1")
HDF5 = spec("hdf5", "1.12.2", ZLIB)
CMAKE = spec("cmake", "3.24.2", NEW_ZLIB, compiler=("clang", "15.0.0"))


@pytest.fixture
def old(site: AskedSite) -> AskedSite:
    """A site of clients from before Spack 1.0, whose compilers are no dependencies."""
    site.apply(spec_report(HDF5, ZLIB))
    site.apply(spec_report(CMAKE, NEW_ZLIB))
    for node in (HDF5, CMAKE):
        site.apply(build_report(node.hash))
    return site


def test_builds_are_found_by_what_their_specs_satisfy(old: AskedSite, ways: None) -> None:
    def builds(text: str) -> list[str]:
        found = old.ask(
            "query($s: String!) { builds(satisfying: $s) { totalCount nodes { spec { name } } } }", s=text
        )["builds"]
        assert found["totalCount"] == len(found["nodes"])
        return [build["spec"]["name"] for build in found["nodes"]]

    assert builds("") == ["cmake", "hdf5"]
    assert builds("^zlib@1.2:") == ["cmake", "hdf5"]
    assert builds("^zlib@:1.2") == ["hdf5"]
    assert builds("%clang ^zlib") == ["cmake"]
    assert builds("cmake %gcc") == []
    assert builds("zlib") == []


def test_compilers_of_old_specs_are_found_by_their_own_names_and_versions(old: AskedSite) -> None:
    assert satisfied(old, "%clang@15") == satisfied(old, "%llvm@15:") == {CMAKE.hash[:7]}
    assert satisfied(old, "%gcc@12 os=debian12") == set()
    assert satisfied(old, "os=debian12 %gcc@12") == {ZLIB.hash[:7], NEW_ZLIB.hash[:7], HDF5.hash[:7]}
    assert satisfied(old, "hdf5 %zlib") == {HDF5.hash[:7]}
    assert satisfied(old, "%c=clang") == {CMAKE.hash[:7]}


def test_other_filters_and_pages_go_with_it(old: AskedSite) -> None:
    document = """
    query($s: String, $after: String) {
      specs(satisfying: $s, where: {name: {ne: "cmake"}}, orderBy: [{hash: ASC}], first: 1, after: $after) {
        totalCount nodes { hash } pageInfo { endCursor }
      }
    }
    """
    expected = sorted([ZLIB.hash, NEW_ZLIB.hash])
    first = old.ask(document, s="zlib")["specs"]
    second = old.ask(document, s="zlib", after=first["pageInfo"]["endCursor"])["specs"]
    assert [first["nodes"], second["nodes"]] == [[{"hash": hash_}] for hash_ in expected]
    assert (first["totalCount"], second["totalCount"]) == (2, 2)
    # The text decides the statement: another one, and none, get their own.
    assert old.ask(document, s="hdf5")["specs"]["totalCount"] == 1
    assert old.ask(document, s=None)["specs"]["totalCount"] == 3


def test_one_spec_is_tested_by_its_hash(old: AskedSite) -> None:
    question = "query($h: String!, $s: String!) { satisfies(hash: $h, spec: $s) }"
    assert old.ask(question, h=HDF5.hash, s="hdf5@1.12 ^zlib@1.2.11") == {"satisfies": True}
    assert old.ask(question, h=HDF5.hash[:8], s="^zlib@1.3:") == {"satisfies": False}
    assert old.error(question, h=hash_of("nobody"), s="")["extensions"]["code"] == "SPEC_UNKNOWN"
    assert old.error(question, h=HDF5.hash, s="a b")["extensions"]["code"] == "SPEC_SYNTAX"


def test_each_question_is_one_statement(old: AskedSite) -> None:
    before = len(old.reader.statements)
    answer = old.answer('{ builds(satisfying: "%gcc ^zlib ^[when=+mpi]mpi") { totalCount nodes { id } } }')
    assert json.loads(answer.body)["data"]["builds"]["totalCount"] == 1
    assert len(old.reader.statements) == before + 1


def test_text_that_no_database_holds_is_refused(site: AskedSite) -> None:
    for text in ("x='\0'", "x='\ud800'"):
        error = site.error("query($s: String!) { specs(satisfying: $s) { totalCount } }", s=text)
        assert error["extensions"]["code"] == "ARGUMENT_INVALID"


def test_databases_agree_on_quotes_and_other_odd_values(site: AskedSite, database: Database) -> None:
    parameters = json.dumps({"odd": 'a"b\\c\u00fc', "path": ["/x/y", "%s:name"]})
    site.apply(spec_report(spec("odd", "1", parameters=parameters)))
    for text in ("odd='a\"b\\cü'", "path=/x/y", "path='%s:name'", "path:='%s:name,/x/y'"):
        assert len(satisfied(site, text)) == 1, text
    assert satisfied(site, "path:=/x/y") == set()
