"""An answer about specs that is kept is what the database would answer, whoever writes beside it."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from spackmon.database import Database
from spackmon.ingest import store
from spackmon.ingest.checking import check_database
from spackmon.ingest.tables.revisions import specs_change
from spackmon.submission import ConcretizationFailureReport, InstallReport, SpecReport
from tests.closures import delete_all
from tests.ingest.installs import after
from tests.ingest.reports import build_report, spec, spec_report
from tests.ingest.test_any_order import TABLES, documents_and_runs
from tests.query.conftest import AskedSite

GRAPH = """query($hash: String!) { spec(hash: $hash) {
  id hash namespace spackVersion compiler { name } hashes { kind value } tree
  graph { nodes { hash name } edges { parent { hash } child { hash } deptypes } }
} }"""
# As different as answers about specs are: downwards, upwards, all of them, one of a hash that several have.
QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    *((GRAPH, {"hash": shown}) for shown in ("p1full0", "p1build1", "p1dag", "p1build", "p0full1")),
    ("{ specs { totalCount nodes { hash recordedAt dependentCount dependents { totalCount } } } }", {}),
    ("{ dependencies { nodes { virtuals deptypes } } packages { nodes { name } } }", {}),
    ('{ a: specs(satisfying: "p1 ^p0") { totalCount } compilers { totalCount } }', {}),
    ('{ satisfies(hash: "p1full0", spec: "%gcc@9") }', {}),
]


@pytest.fixture
def writer(database_url: str, site: AskedSite) -> Iterator[Database]:
    """Somebody else who writes, by connections of their own."""
    other = Database(database_url)
    yield other
    other.close()


def data(answer: bytes) -> Any:
    response = json.loads(answer)
    return response["data"], [error["message"] for error in response.get("errors", ())]


def check(site: AskedSite) -> None:
    """Every question has the answer that the database gives."""
    for query, variables in QUESTIONS:
        answers = [site.answer(query, variables, explain=explained).body for explained in (False, True)]
        assert data(answers[0]) == data(answers[1]), query


@settings(max_examples=12)
@given(documents_and_runs(), st.data())
def test_a_kept_answer_is_what_a_fresh_one_would_be(
    site: AskedSite, writer: Database, reports: list[SpecReport | InstallReport], drawn: st.DataObject
) -> None:
    def clear(connection: Connection) -> None:
        specs_change(connection)
        delete_all(connection, TABLES)

    writer.write_once(clear)
    for report in reports:
        if drawn.draw(st.booleans()):
            check(site)
        writer.write_once(lambda c, r=report: store.apply(c, r, site.ada, arrived_at=after(90_000)))
    check(site)
    check(site)


def test_an_answer_about_specs_is_read_once_and_checked_by_one_statement_for_all(site: AskedSite) -> None:
    zlib = spec("zlib", "1.3")
    site.build(spec("hdf5", "1.14", zlib), zlib)
    variables = {"hash": zlib.hash}
    first = site.answer(GRAPH, variables)
    site.reader.statements.clear()
    assert site.answer(GRAPH, variables) == first
    (statement,) = site.reader.statements
    assert "spec_revision" in statement
    assert " spec " not in statement

    async def sixteen() -> set[bytes]:
        answers = await asyncio.gather(*(site.service.execute(GRAPH, variables) for _ in range(16)))
        return {one.body for one in answers}

    site.reader.statements.clear()
    assert site._runner.run(sixteen()) == {first.body}
    assert len(site.reader.statements) <= 2


def test_an_answer_that_reads_builds_is_not_kept(site: AskedSite) -> None:
    zlib = spec("zlib", "1.3")
    build_id = site.build(zlib)
    site.ask("{ builds { totalCount } }")
    for query, variables in (
        ("{ builds { totalCount } }", {}),
        ("query($hash: String!) { spec(hash: $hash) { hash builds { totalCount } } }", {"hash": zlib.hash}),
        (GRAPH, {"hash": f"Build:{build_id}"}),
    ):
        assert not site.answer(query, variables).is_kept
        site.reader.statements.clear()
        assert not site.answer(query, variables).is_kept
        assert all("spec_revision" not in statement for statement in site.reader.statements)


def test_a_change_is_seen_when_it_is_committed_and_not_before(site: AskedSite, writer: Database) -> None:
    query = "{ specs { nodes { name } } }"
    zlib, hdf5 = spec("zlib", "1.3"), spec("hdf5", "1.14")
    site.apply(spec_report(zlib))

    def write(connection: Connection) -> None:
        store.apply(connection, spec_report(hdf5), site.ada)
        assert [one["name"] for one in site.ask(query)["specs"]["nodes"]] == ["zlib"]
        assert [one["name"] for one in site.ask(query)["specs"]["nodes"]] == ["zlib"]

    writer.write_once(write)
    assert [one["name"] for one in site.ask(query)["specs"]["nodes"]] == ["hdf5", "zlib"]


def test_a_package_of_which_there_is_no_spec_is_seen(site: AskedSite, writer: Database) -> None:
    query = "{ packages { nodes { name } } }"
    assert site.ask(query) == site.ask(query)
    failure = ConcretizationFailureReport("hdf5", None, "1.0.0", "hdf5@9", "no such version")
    writer.write_once(lambda c: store.apply(c, failure, site.ada))
    assert site.ask(query) == {"packages": {"nodes": [{"name": "hdf5"}]}}


def test_what_leaves_specs_as_they_are_leaves_their_revision(site: AskedSite, writer: Database) -> None:
    zlib = spec("zlib", "1.3")
    site.build(zlib)
    revision = site.rows("SELECT sum(number) FROM spec_revision")
    for report in (spec_report(zlib), build_report(zlib.hash, host="another")):
        writer.write_once(lambda c, r=report: store.apply(c, r, site.ada))
    assert not any(sum(one.differences.values()) for one in check_database(site.database, repair=False))
    assert site.rows("SELECT sum(number) FROM spec_revision") == revision


def test_what_is_answered_of_the_schema_is_kept_by_document_and_variables(site: AskedSite) -> None:
    query = """query($name: String!) {
      b: __type(name: $name) { kind name } specs { totalCount } a: __type(name: "Spec") { name }
    }"""

    def ask(name: str) -> str:
        return site.answer(query, {"name": name}).body.decode()

    with structlog.testing.capture_logs() as lines:
        first, other, again = ask("Build"), ask("Deptype"), ask("Build")
    assert again == first
    assert json.loads(other)["data"] == {
        "b": {"kind": "ENUM", "name": "Deptype"}, "specs": {"totalCount": 0}, "a": {"name": "Spec"},
    }  # fmt: skip
    assert list(json.loads(first)["data"]) == ["b", "specs", "a"]
    assert [line["event"] for line in lines].count("answered_by_graphql_core") == 2
