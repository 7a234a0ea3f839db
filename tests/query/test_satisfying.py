"""Spack's language as a question: on both databases exactly what Spack itself says satisfies it."""

import json
import random
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from typing import Any

import pytest

from spackmon.database import Database
from spackmon.formats.specs.spec_json import read
from spackmon.graph.satisfies import Satisfaction
from spackmon.graph.spack_rules import RULES, SpackVersion
from spackmon.graph.spec_syntax import parse_spec
from spackmon.query.serve.service import QueryService
from spackmon.query.speclang import satisfying
from spackmon.schema import schema
from spackmon.submission import SpecReport
from tests.graph.random_queries import random_queries
from tests.graph.spec_language import rows
from tests.ingest.reports import Site, build_report, hash_of, spec, spec_report
from tests.query.conftest import AskedSite, asked

SPECS = """
query Specs($text: String!, $after: String, $spack: SpackVersion) {
  specs(satisfying: $text, as: $spack, first: 500, after: $after) {
    totalCount nodes { hash } pageInfo { hasNextPage endCursor }
  }
}
"""


@cache
def documents() -> SpecReport:
    (document,) = rows("document")
    return SpecReport(read(document), "1.2.0")


def satisfied(site: AskedSite, text: str, spack: str | None = None) -> set[str]:
    """The hashes of all specs that satisfy `text`, page by page."""
    found: set[str] = set()
    after = None
    while True:
        page = site.ask(SPECS, text=text, after=after, spack=spack)["specs"]
        found.update(node["hash"][:7] for node in page["nodes"])
        if not page["pageInfo"]["hasNextPage"]:
            assert page["totalCount"] == len(found)
            return found
        after = page["pageInfo"]["endCursor"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def specs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The specs that Spack's answers are about, for all that only ask."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            url = stack.enter_context(request.getfixturevalue("postgresql_databases").fresh())
        else:
            path = tmp_path_factory.mktemp("satisfying") / "specs.db"
            url = f"sqlite:///{shutil.copy(request.getfixturevalue('sqlite_template'), path)}"
        database = stack.enter_context(closing(Database(url)))
        Site(database).apply(documents())
        yield database


@pytest.fixture
def stored(specs: Database) -> Iterator[AskedSite]:
    """A site with them, whose service has compiled nothing yet."""
    with asked(specs, has_people=True) as site:
        yield site


@pytest.fixture(params=["few are many", "few are few"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A thousand specs are few: the newest rows are walked only where next to nothing counts as few."""
    if request.param == "few are many":
        monkeypatch.setattr(satisfying, "FEW_BY_THEMSELVES", 3)
        monkeypatch.setattr(satisfying, "FEW_BY_DEPENDENCY", 3)
        monkeypatch.setattr(satisfying, "FEW_TO_COUNT", 3)
    way: str = request.param
    return way


@pytest.fixture(params=[0, satisfying.FEW_BUILDS], ids=["builds are many", "builds are few"])
def builds_are_few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds of few specs are found by these where they are few as well, otherwise among the newest."""
    monkeypatch.setattr(satisfying, "FEW_BUILDS", request.param)


def wrong(site: AskedSite, answers: Iterable[Any], spack: str | None = None) -> list[str]:
    return [
        answer["query"]
        for answer in answers
        if satisfied(site, answer["query"], spack) != set(answer["match"])
    ]


def test_every_query_finds_and_counts_what_spack_finds(stored: AskedSite, ways: str) -> None:
    # Each goes both ways, one in each of the databases: every other one here as its neighbours do there.
    is_first = (ways == "few are many") == stored.database.is_sqlite
    assert wrong(stored, rows("matches")[0 if is_first else 1 :: 2]) == []


def test_queries_made_at_random_find_what_spack_finds(stored: AskedSite) -> None:
    assert wrong(stored, rows("fuzz")) == []


def test_what_a_later_spack_judges_otherwise_is_found_by_its_rules(stored: AskedSite) -> None:
    assert wrong(stored, rows("matches-1.3"), "SPACK_1_3") == []


@pytest.mark.parametrize("spack", list(SpackVersion))
def test_random_queries_are_answered_as_by_the_rules_in_their_plainest_form(
    stored: AskedSite, spack: SpackVersion
) -> None:
    nodes = documents().graph.nodes
    reread = frozenset(hash_ for hash_, node in nodes.items() if node.compiler)
    judge = Satisfaction(nodes, reread, RULES[spack])
    for text in random_queries(nodes, seed=random.randrange(1 << 32), count=25):
        spec = parse_spec(text, RULES[spack])
        expected = {hash_[:7] for hash_ in nodes if judge.satisfies(hash_, spec)}
        assert satisfied(stored, text, spack.value) == expected, text


@pytest.mark.parametrize("site_says", list(SpackVersion))
def test_the_site_says_by_whose_rules_where_the_question_does_not(
    stored: AskedSite, site_says: SpackVersion
) -> None:
    stored.service = QueryService(schema, stored.database, stored.reader, spack=site_says)
    judged = {spack: satisfied(stored, "^gcc %gcc", spack) for spack in (None, "SPACK_1_2", "SPACK_1_3")}
    assert judged["SPACK_1_2"] > judged["SPACK_1_3"] == set()
    assert judged[None] == judged[site_says.value]


DEEP = """
^[when="^[when='^[when=+a] b %c++d'] e %f++g"] h %[when="^[when='+i ^j %k~~l'] m"] n o==p ^q,r=s %t,u=v
"""
WIDE = "zlib" + "".join(f"++v{number} ^x{number} %y{number}~~z" for number in range(8))


@pytest.mark.parametrize(
    ("field", "spack"),
    [
        ("specs", "SPACK_1_2"),
        ("builds", "SPACK_1_3"),
        ('impact(of: "zlib") { builds', "SPACK_1_2"),
        ("impact(of: $s) { specs", "SPACK_1_3"),
    ],
)
def test_nothing_is_refused_for_its_shape(furnished: AskedSite, field: str, spack: str) -> None:
    where = "{status: {in: [FAILED]}}" if "builds" in field else '{hash: {eq: "a"}}'
    arguments = f"satisfying: $s, as: {spack}, where: {{or: [{where}, {{not: {where}}}]}}"
    selected = f"{field}({arguments}) {{ totalCount nodes {{ id }} }}{' }' * field.count('{')}"
    for text in (DEEP, WIDE):
        furnished.ask(f"query($s: String!) {{ {selected} }}", s=text)


@pytest.mark.parametrize("answer", rows("invalid"), ids=lambda answer: answer["query"])
def test_what_is_no_spec_is_refused_with_the_character(furnished: AskedSite, answer) -> None:
    error = furnished.error("query($s: String!) { specs(satisfying: $s) { totalCount } }", s=answer["query"])
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


def test_builds_are_found_by_what_their_specs_satisfy(
    old: AskedSite, ways: str, builds_are_few: None
) -> None:
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


def test_nothing_has_text_that_no_database_holds(old: AskedSite) -> None:
    for text in ("x='\0'", "x='\ud800'", "os='\0'", "target='zen2,\0'", "namespace='\ud800'"):
        assert satisfied(old, text) == set()


def test_databases_agree_on_quotes_and_other_odd_values(site: AskedSite, database: Database) -> None:
    parameters = json.dumps({"odd": 'a"b\\c\u00fc', "path": ["/x/y", "%s:name"]})
    site.apply(spec_report(spec("odd", "1", parameters=parameters)))
    for text in ("odd='a\"b\\cü'", "path=/x/y", "path='%s:name'", "path:='%s:name,/x/y'"):
        assert len(satisfied(site, text)) == 1, text
    assert satisfied(site, "path:=/x/y") == set()
