"""Whatever is asked: the compiler's answer from SQLite and from PostgreSQL is the reference's.

`make fuzz` asks more, and other operations each time.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
)
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from spackmon.database import Database
from spackmon.query.meanings.limits import Limits
from spackmon.query.serve.service import Answer, QueryService
from spackmon.schema import schema
from spackmon.viewer import ADMIN, Role, Viewer
from tests.reference import filters
from tests.reference.answers import Reference
from tests.reference.operations import ARGUMENTS, Document, documents
from tests.reference.rows import Rows

VIEWERS = (
    Viewer(1, Role.ADMIN, frozenset((ADMIN,))),
    Viewer(sees_details=False),
)
LIMITS = Limits(tokens=100_000, aliases=10_000, cost=10**15)
FUZZ = settings.get_current_profile_name() == "fuzz"
NO_TIMEOUT = pytest.mark.timeout(0)
COMMON = settings(suppress_health_check=list(HealthCheck))


class Trio:
    """One site three times: in SQLite, in PostgreSQL, and as objects."""

    def __init__(
        self, services: Mapping[str, QueryService], runner: asyncio.Runner, database: Database, viewer: Viewer
    ) -> None:
        self._services = {name: service.seen_by(viewer) for name, service in services.items()}
        self._runner = runner
        rows = Rows(database, viewer)
        self.reference = Reference(schema.as_str(), rows)
        self.document = documents(self.reference, rows)

    def compiled(self, text: str, variables: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        """The answers by database."""

        async def ask() -> list[Answer]:
            return await asyncio.gather(
                *(service.execute(text, variables, name) for service in self._services.values())
            )

        answers = self._runner.run(ask())
        return {name: json.loads(one.body) for name, one in zip(self._services, answers, strict=True)}


@pytest.fixture(scope="module")
def trios(random_site: Database, random_site_on_postgresql: Database) -> Iterator[list[Trio]]:
    """The random site, as each of the viewers sees it."""
    with asyncio.Runner() as runner:
        databases = {"sqlite": random_site, "postgresql": random_site_on_postgresql}
        stack = AsyncExitStack()
        services = {
            name: QueryService(schema, one, runner.run(stack.enter_async_context(one.reader())), LIMITS)
            for name, one in databases.items()
        }
        yield [Trio(services, runner, random_site, viewer) for viewer in VIEWERS]
        runner.run(stack.aclose())


@pytest.fixture
def trio(trios: list[Trio]) -> Trio:
    """As somebody sees it who sees everything."""
    return trios[0]


def codes(answer: Mapping[str, Any]) -> set[str]:
    """The codes of an answer's errors."""
    return {error["extensions"]["code"] for error in answer.get("errors", ())}


def ordered(value: Any) -> str:
    """JSON whose text tells the order of keys, too; 17 and 17.0 are one number, in cursors as well."""
    return json.dumps(json.loads(json.dumps(_opened(value)), parse_int=float))


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _opened(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_opened(element) for element in value]
    is_cursor = isinstance(value, str) and value.startswith("5b") and value.endswith("5d")
    return json.loads(bytes.fromhex(value)) if is_cursor else value


def check(trio: Trio, document: Document) -> None:
    """All three agree on every request of a document."""
    note(document.text)
    for name, variables in document.requests:
        note(json.dumps([name, variables]))
        found = trio.compiled(document.text, variables, name)
        sqlite, postgresql = found["sqlite"], found["postgresql"]
        data, expected = trio.reference.answer(document.text, variables, name)
        refused = codes(sqlite)
        if refused == {"QUERY_TOO_DEEP"}:
            event("too deep for a SQLite before 3.46")
            sqlite, refused = postgresql, codes(postgresql)
        assert refused == codes(postgresql)
        if refused:
            # A resolver meets a fault only where there is a row; of several faults anyone may be named.
            event("refused")
            assert document.faults, sqlite
            assert document.faults > 1 or expected <= refused
            continue
        event("answered")
        assert not expected
        assert ordered(sqlite["data"]) == ordered(data)
        assert ordered(postgresql["data"]) == ordered(data)


def test_every_field_argument_and_filter_is_answered_by_the_reference(trio: Trio) -> None:
    reference, unknown = trio.reference, set()
    types, seen = ["Query"], {"Query"}
    while types:
        type_ = reference.schema.type_map[types.pop()]
        inner: set[str] = set()
        if isinstance(type_, GraphQLObjectType):
            known = {name for name in type_.fields if reference.knows(type_.name, name)}
            arguments = [one for name in known for one in type_.fields[name].args.items()]
            unknown |= {f"{type_.name}.{name}" for name in set(type_.fields) - known}
            unknown |= {f"{type_.name}({name})" for name, _ in arguments if name not in ARGUMENTS}
            inner = {filters.named(type_.fields[name].type) for name in known}
            inner |= {filters.named(argument.type) for _, argument in arguments}
        elif isinstance(type_, GraphQLInputObjectType):
            if "and" in type_.fields:
                unknown |= {
                    f"{type_.name}.{one}" for one in type_.fields if not filters.knows(type_.name, one)
                }
            inner = {filters.named(field.type) for field in type_.fields.values()}
        elif isinstance(type_, GraphQLInterfaceType):
            inner = {one.name for one in reference.schema.get_possible_types(type_)}
        types += sorted(inner - seen)
        seen |= inner
    assert unknown == set()


@NO_TIMEOUT
@settings(COMMON, max_examples=28_000 if FUZZ else 420)
@given(seed=st.integers(0, 2**32), fields=st.integers(1, 12))
def test_every_operation_has_one_answer(trio: Trio, seed: int, fields: int) -> None:
    # A document makes nearly two operations, so that they are some 800, or 50,000.
    check(trio, trio.document(seed, fields))


@NO_TIMEOUT
@settings(COMMON, max_examples=3_000 if FUZZ else 60)
@given(seed=st.integers(0, 2**32), fields=st.integers(1, 12))
def test_what_a_stranger_may_not_see_is_in_no_answer(trios: list[Trio], seed: int, fields: int) -> None:
    check(trios[1], trios[1].document(seed, fields))


MOMENTS = st.datetimes().map(lambda moment: nodes.String(moment.isoformat() + "Z"))


@NO_TIMEOUT
@settings(COMMON, max_examples=2_000 if FUZZ else 24)
@given(text=queries(schema.as_str(), custom_scalars={"DateTime": MOMENTS}))
def test_values_that_match_nothing_have_one_answer_too(trio: Trio, text: str) -> None:
    check(trio, Document(text, [(None, {})], faults=2))
