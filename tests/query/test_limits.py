"""What is too much is refused before anything runs, with a code; what runs says what it cost."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from graphql import get_introspection_query
from structlog.testing import capture_logs

from spackmon.database import Database, Reader
from spackmon.database.sqlite_reader import _SqliteConnection
from spackmon.errors import Refused
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.service import QueryService
from spackmon.schema import schema
from tests.counting import calls
from tests.ingest.reports import spec
from tests.query.conftest import AskedSite
from tests.waiting import until_in_loop

ZLIB = spec("zlib", "1.3")
BUILDS = "query($first: Int) { builds(first: $first) { nodes { id status spec { name } } } }"


def explained(site: AskedSite, query: str, **variables: Any) -> dict[str, Any]:
    """The response with what it took."""
    response: dict[str, Any] = json.loads(site.answer(query, variables, explain=True).body)
    return response


def limited(site: AskedSite, **limits: Any) -> None:
    """The site answers within these limits from now on."""
    site.service = QueryService(schema, site.database, site.reader, Limits(**limits))


def cost(site: AskedSite, query: str, **variables: Any) -> int:
    """What the answer says of its cost."""
    told: int = explained(site, query, **variables)["extensions"]["cost"]
    return told


def chain(type_name: str, length: int, link: str, leaf: str) -> str:
    """Fragments of which each asks for the next one where `link` has NEXT."""
    fragments = [
        f"fragment F{number} on {type_name} {{ {link.replace('NEXT', f'...F{number + 1}')} }}"
        for number in range(length)
    ]
    return " ".join([*fragments, f"fragment F{length} on {type_name} {{ {leaf} }}"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{" + "__typename " * 40 + "}", "TOO_MANY_TOKENS"),
        ("{ a: __typename b: __typename c: __typename }", "TOO_MANY_ALIASES"),
        ("{ ...F } fragment F on Query { a: __typename b: __typename c: __typename }", "TOO_MANY_ALIASES"),
        ("{ builds { nodes { spec { id } } } }", "QUERY_TOO_DEEP"),
        ("{ builds { nodes { ...F } } } fragment F on Build { spec { id } }", "QUERY_TOO_DEEP"),
        ("{ builds(first: 34) { nodes { id status createdAt } } }", "QUERY_TOO_COSTLY"),
        ("{ builds { totalCount } specs { totalCount } }", "QUERY_TOO_COSTLY"),
    ],
)  # fmt: skip
def test_what_is_too_much_is_refused_before_anything_runs(site: AskedSite, query: str, code: str) -> None:
    limited(site, tokens=39, aliases=2, depth=3, cost=103)
    answer = site.answer(query)
    response = json.loads(answer.body)
    assert response["errors"][0]["extensions"]["code"] == code
    assert (answer.refused, "data" in response, site.reader.statements) == (True, False, [])


def test_just_within_the_limits_there_is_an_answer(site: AskedSite) -> None:
    limited(site, tokens=20, aliases=2, depth=3, cost=101)
    # 1 for the list, 1 for its nodes, and 33 times 3 values.
    assert site.ask("{ a: builds(first: 33) { b: nodes { id status createdAt } } }") == {"a": {"b": []}}


def test_the_cost_is_what_the_document_says(site: AskedSite) -> None:
    assert cost(site, "{ __typename }") == 1
    assert cost(site, BUILDS, first=20) == 2 + 20 * 4
    assert cost(site, BUILDS) == 2 + 50 * 4
    assert cost(site, "{ builds { totalCount } }") == 1 + 100
    nested = "{ specs(first: 10) { nodes { name builds(last: 5) { nodes { id } } } } }"
    assert cost(site, nested) == 2 + 10 * (1 + 2 + 5)
    assert cost(site, "{ builds(first: 10) { nodes { tags { nodes { name } } } } }") == 2 + 10 * (2 + 10)
    assert cost(site, '{ spec(id: "1") { graph { nodes { name } } } }') == 3 + 100
    assert cost(site, '{ spec(id: "1") { tree } }') == 1 + 500
    every_log = "{ builds { nodes { attempts { nodes { phases { nodes { log { text } } } } } } } }"
    assert cost(site, every_log) == 2 + 50 * (2 + 2 * (2 + 5 * (1 + 500)))
    grouped = "{ builds { groupBy(keys: [STATUS], first: 20) { count } } }"
    assert cost(site, grouped) == 1 + 20 + 1000 + 20
    filtered = (
        '{ builds(first: 10, where: {status: {in: [FAILED]}, spec: {name: {eq: "a"}}}) { nodes { id } } }'
    )
    assert cost(site, filtered) == 2 + 5 * 10 + 20 + 10
    by_name = "query($names: [String!]) { specs(first: 10, where: {name: {in: $names}}) { nodes { id } } }"
    assert cost(site, by_name, names=["a", "b", "c"]) == 2 + 2 * 10 + 3 * 20 + 10
    assert cost(site, "{ builds(first: 0) { nodes { id } } }") == 2


def test_what_an_answer_took_is_told_on_request_only(site: AskedSite) -> None:
    site.build(ZLIB)
    plain = json.loads(site.answer(BUILDS).body)
    told = explained(site, BUILDS)
    extensions = told.pop("extensions")
    assert told == plain
    assert extensions["sqlStatements"] == 1
    assert 0 < extensions["databaseMilliseconds"] < 60_000
    introspected = json.loads(
        site._runner.run(site.service.execute("{ __schema { __typename } }", explain=True)).body
    )
    assert introspected["extensions"]["sqlStatements"] == 0


def test_a_plan_that_is_known_is_no_way_around_a_limit(site: AskedSite) -> None:
    limited(site, cost=100)
    # Our own pages may; what they leave in the cache is no leave for others.
    site.ask_ourselves(BUILDS, first=50)
    assert site.error(BUILDS, first=50)["extensions"]["code"] == "QUERY_TOO_COSTLY"
    assert site.ask(BUILDS, first=20) == {"builds": {"nodes": []}}
    assert site.error(BUILDS, first=50)["extensions"]["code"] == "QUERY_TOO_COSTLY"


def test_our_own_documents_know_no_limit(site: AskedSite) -> None:
    limited(site, tokens=1, aliases=0, depth=1, cost=1)
    asked = "{ a: builds { nodes { id } } b: builds { nodes { id } } }"
    assert site.ask_ourselves(asked) == {"a": {"nodes": []}, "b": {"nodes": []}}


@pytest.mark.parametrize(
    "query",
    [
        '{ spec(id: "1") { ...F0 } }'
        + chain("Spec", 12, "a: graph { nodes { NEXT } } b: graph { nodes { NEXT } }", "id"),
        '{ spec(id: "1") { ...F0 } }'
        + chain("Spec", 12, "dependencies { nodes { a: child { NEXT } b: child { NEXT } } }", "id"),
        '{ node(id: "1") { ...F0 } }' + chain("Node", 60, "NEXT NEXT id", "id"),
        "{ __schema { types { ...F0 } } }"
        + chain("__Type", 40, "a: ofType { NEXT } b: ofType { NEXT }", "name"),
    ],
    ids=["graphs", "dependencies", "interface", "introspection"],
)  # fmt: skip
def test_fragments_that_multiply_do_not_multiply_the_work(site: AskedSite, query: str) -> None:
    # One visit of each of the 2**12 or 2**60 ways through them would be more.
    answered = calls(lambda: site.answer(query), after=lambda: site.answer("{ specs { totalCount } }"))
    assert answered < 500_000


def test_the_largest_page_is_the_same_whatever_is_selected(site: AskedSite) -> None:
    for fields in (
        "nodes { id status }",
        "nodes { spec { id } }",
        "edges { node { tags { nodes { name } } } }",
    ):
        assert site.ask(f"{{ builds(first: 500) {{ {fields} }} }}")
        error = site.error(f"{{ builds(last: 501) {{ {fields} }} }}")
        assert error["extensions"]["code"] == "PAGE_TOO_LARGE"
        assert "at most 500" in error["message"]


def test_introspection_can_be_switched_off(site: AskedSite) -> None:
    limited(site, introspection=False)
    for query in ("{ __schema { queryType { name } } }", '{ a: __type(name: "Build") { name } __typename }'):
        assert site.error(query)["extensions"]["code"] == "INTROSPECTION_DISABLED"
    assert site.ask("{ __typename }") == {"__typename": "Query"}


def test_ten_builds_with_all_their_logs_may_be_asked_for(site: AskedSite) -> None:
    site.service = QueryService(schema, site.database, site.reader, Limits())
    logs = "attempts { nodes { number phases { nodes { name status log { text } } } } }"
    assert site.ask(f"{{ builds(first: 10) {{ nodes {{ spec {{ name }} {logs} }} }} }}") == {
        "builds": {"nodes": []}
    }


def test_introspection_is_whole_and_has_a_limit_of_its_own(site: AskedSite) -> None:
    limited(site, cost=1, depth=2)
    assert len(site.ask(get_introspection_query())["__schema"]["types"]) > 20
    twice = site.ask(
        "{ __schema { queryType { name } } ...F } fragment F on Query { __schema { __typename } }"
    )
    assert twice == {"__schema": {"queryType": {"name": "Query"}, "__typename": "__Schema"}}
    fields = "fields { args { type { name kind } } type { name kind } }"
    aliased = " ".join(f"t{number}: types @include(if: $all) {{ {fields} }}" for number in range(90))
    costly = f"query($all: Boolean!) {{ __schema {{ __typename {aliased} }} }}"
    assert site.ask(costly, all=False) == {"__schema": {"__typename": "__Schema"}}
    assert site.error(costly, all=True)["extensions"]["code"] == "QUERY_TOO_COSTLY"


def test_a_log_line_names_each_operation_that_graphql_core_answers_and_why(site: AskedSite) -> None:
    with capture_logs() as lines:
        site.ask("query Types { __schema { types { name } } builds { totalCount } }")
        site.ask("query Builds { __typename builds { totalCount } }")
    (line,) = (line for line in lines if line["event"] == "answered_by_graphql_core")
    assert line["operation"] == "Types"
    assert "introspection" in line["why"]


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) || '' FROM n",
    "postgresql": "SELECT pg_sleep('infinity')::text",
}


@pytest.fixture
def hasty(database: Database) -> Iterator[tuple[asyncio.Runner, Reader]]:
    """A reader that gives a statement a fifth of a second."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield runner, runner.run(stack.enter_async_context(database.reader(0.2)))
        runner.run(stack.aclose())


def test_a_statement_that_takes_too_long_is_ended(
    database: Database, hasty: tuple[asyncio.Runner, Reader]
) -> None:
    runner, reader = hasty
    slow = SLOW[database.dialect_name]

    async def streamed() -> None:
        async with aclosing(reader.stream(slow, {})) as rows:
            async for _ in rows:
                pass

    for work in (lambda: reader.fetch(slow, {}), streamed):
        with pytest.raises(Refused) as refused:
            runner.run(work())
        assert refused.value.code == "STATEMENT_TIMEOUT"
    # The connections are as good as before.
    assert runner.run(reader.fetch("SELECT 'x'", {})) == b"x"


def test_whoever_leaves_ends_the_statement_that_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []
    is_late = _SqliteConnection._is_late

    def look(connection: _SqliteConnection) -> bool:
        looks.append(True)
        return is_late(connection)

    monkeypatch.setattr(_SqliteConnection, "_is_late", look)

    def is_running() -> bool:
        if database.is_sqlite:
            return bool(looks)
        with database.engine.connect() as connection:
            asleep = "datname = current_database() AND wait_event = 'PgSleep'"
            statement = f"SELECT count(*) FROM pg_stat_activity WHERE {asleep}"
            return bool(connection.exec_driver_sql(statement).scalar())

    async def leave() -> None:
        async with database.reader(60) as reader:
            rows = asyncio.ensure_future(anext(reader.stream(SLOW[database.dialect_name], {})))
            await until_in_loop(is_running, "the statement")
            rows.cancel()
            with pytest.raises(asyncio.CancelledError):
                await rows

    asyncio.run(leave())
    assert database.is_sqlite or not is_running()


LISTS: list[tuple[str, str, list[Any]]] = [
    ("[ID!]", "builds(where: {id: {in: $values}})", [str(number) for number in range(1, 13)]),
    ("[BuildStatus!]", "builds(where: {status: {in: $values}})", ["RUNNING", "FAILED", "SUCCESS"] * 4),
    ("[DateTime!]", "builds(where: {createdAt: {in: $values}})", ["2026-01-01T00:00:00Z"] * 12),
    ("[Int!]", "builds(where: {errorCount: {in: $values}})", list(range(12))),
    ("[String!]", "specs(where: {name: {in: $values}})", [*map(str, range(11)), "zlib"]),
    ("[String!]", "specs(where: {version: {in: $values}})", [f"1.{number}" for number in range(12)]),
]


def test_a_list_of_many_values_finds_what_each_of_them_finds(site: AskedSite) -> None:
    site.build(ZLIB)
    for type_, asked, values in LISTS:
        query = f"query($values: {type_}) {{ found: {asked} {{ totalCount }} }}"
        (number,) = site.ask(query, values=values)["found"].values()
        each = [site.ask(query, values=[value])["found"]["totalCount"] for value in sorted(set(values))]
        assert number == sum(each), asked
        others = query.replace("in: $values", "notIn: $values")
        assert site.ask(others, values=values)["found"]["totalCount"] == 1 - number, asked
