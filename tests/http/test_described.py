"""/openapi.json describes the REST interface as it is: what each address takes, and what it answers.

What is generated from it, and from the schema of GraphQL, is answered as they say; `make fuzz` tries more.
Who validates and generates is imported where it does: each process of the suite collects these tests, and one
runs them.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries
from starlette.routing import Route

from spackmon.app import create_app
from spackmon.errors import Code, Refused
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.http.operations import RestRoute
from spackmon.rest_compat.writes import WRITES
from spackmon.schema import schema
from spackmon.settings import Settings
from tests.player import Player
from tests.rest_compat.test_bad_bodies import recorded_bodies
from tests.server import Server, served_from

FUZZ = settings.get_current_profile_name() == "fuzz"
# Nouns of the data API are alike, and a page is asked for elsewhere: `make fuzz` tries them all.
_ALIKE = re.compile(r"/api/(?!builds|environmentvariable)\w+(/|\.json)(\{id\}/)?$|/builds/\{id\}.txt")


_FORMS = re.compile(
    r"/(account|admin|login|logout|complete/\{way\}|docs|api/docs|compare/(specs|builds|results)$|errors/\{|robots.txt"
    r"|accounts/login|analysis/|api-auth|api-token-auth|auth/tokens|builds/(tag|owner)/|builds/\{id\}/$|buildSummary"
    r"|specs/(detail|diff)|tables/|token|u/|$)"
)


def _as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


@pytest.fixture(scope="module")
def reported(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all examples, in which something was built; what a database refuses others try."""
    directory = tmp_path_factory.mktemp("described")
    with served_from(sqlite_template, directory) as server:
        assert Player(server.url, server.user, server.token).play("0.17-fail") == []
        yield server


@pytest.fixture(scope="module")
def document(reported: Server) -> dict[str, Any]:
    answer = reported.http.get("/openapi.json")
    described: dict[str, Any] = answer.json()
    return described


def test_every_address_that_answers_no_page_is_in_the_document(document: dict[str, Any]) -> None:
    from openapi_spec_validator import validate

    validate(document)
    described = {path.rstrip("/") for path in document["paths"]}
    application = create_app(Settings(data_dir="/nowhere", jwt_server_secret="x" * 32))
    routes = [route for route in application.routes if isinstance(route, Route)]
    answered = {route.path_format.rstrip("/") for route in routes if isinstance(route, RestRoute)}
    assert answered - described == {"/submit.php{rest}"}
    pages = {route.path_format for route in routes if not isinstance(route, RestRoute)}
    # What a page shows is there as JSON beside it; others are forms, and lead elsewhere.
    without_json = {page for page in pages if f"{page}.json" not in described}
    assert {page for page in without_json if not _FORMS.match(page)} == set()


def test_a_body_of_ms1_is_described_as_it_is_read() -> None:
    import jsonschema

    writes = {write.kind: write for write in WRITES}

    def is_read(kind: str, body: Mapping[str, Any]) -> bool:
        try:
            writes[kind].read(dict(body), KnownNodes())
        except Refused:
            return False
        return True

    tried = set()
    for path, body in recorded_bodies():
        kind = path.split("/ms1/")[-1].strip("/")
        jsonschema.validate(body, writes[kind].body)
        assert is_read(kind, body)
        for field in body:
            without = {name: value for name, value in body.items() if name != field}
            assert is_read(kind, without) == (field not in writes[kind].body["required"]), (kind, field)
        tried.add(kind)
    assert tried == writes.keys()


@pytest.mark.hypothesis
def test_no_request_is_answered_otherwise_than_the_document_says(
    reported: Server, document: dict[str, Any]
) -> None:
    import schemathesis
    from schemathesis import checks
    from schemathesis.specs.openapi import checks as conformance

    schemathesis.serializer("application/x-ndjson", "text/xml")(_as_it_is)
    wanted = [
        checks.not_a_server_error, conformance.status_code_conformance,
        conformance.content_type_conformance, conformance.response_schema_conformance,
    ]  # fmt: skip
    node = reported.ask("{ builds(first: 1) { nodes { id spec { hash name } phases { nodes { id } } } } }")
    build = node["builds"]["nodes"][0]
    real = [build["id"], build["spec"]["hash"], build["spec"]["name"], build["phases"]["nodes"][0]["id"]]
    described = schemathesis.openapi.from_dict(document)
    for operation in (result.ok() for result in described.get_all_operations()):
        if FUZZ or (operation.tags != ["Pages"] and not _ALIKE.match(operation.path)):

            @settings(max_examples=200 if FUZZ else 1)
            @given(case=operation.as_strategy(), real_ids=st.sampled_from([*real, None]))
            def check(case: Any, real_ids: str | None) -> None:
                if real_ids is not None:
                    case.path_parameters.update(dict.fromkeys(case.path_parameters, real_ids))
                answer = case.call(
                    base_url=reported.url, headers={"Authorization": f"Bearer {reported.token}"}
                )
                case.validate_response(answer, checks=wanted)

            check()


MOMENTS = st.datetimes().map(lambda moment: nodes.String(moment.isoformat() + "Z"))
_FAULTS = {Code.INTERNAL, Code.DATABASE_ERROR, Code.DATABASE_DAMAGED}


@pytest.mark.hypothesis
@settings(suppress_health_check=list(HealthCheck), max_examples=2_000 if FUZZ else 8)
@given(query=queries(schema.as_str(), custom_scalars={"DateTime": MOMENTS}))
def test_every_question_that_fits_the_schema_has_data_or_coded_errors(reported: Server, query: str) -> None:
    answer = reported.http.post("/graphql", json={"query": query})
    assert answer.status_code == 200
    errors = answer.json().get("errors", ())
    assert errors or answer.json()["data"] is not None
    assert {error["extensions"]["code"] for error in errors} <= set(Code) - _FAULTS
