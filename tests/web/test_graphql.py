"""The GraphQL endpoint keeps the rules of GraphQL over HTTP, whatever is sent to it."""

from typing import Any

import pytest

from tests.server import Server

RESPONSE = "application/graphql-response+json"
QUERY = "{ __typename builds { totalCount } }"
DATA = {"data": {"__typename": "Query", "builds": {"totalCount": 0}}}


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_url


def test_a_question_by_post_and_by_get_has_the_same_answer(server: Server) -> None:
    posted = server.http.post("/graphql", json={"query": QUERY})
    got = server.http.get("/graphql", params={"query": QUERY, "variables": "{}"})
    assert posted.json() == got.json() == DATA
    assert posted.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "status", "media_type"),
    [
        ("application/json", 200, "application/json"),
        (RESPONSE, 400, RESPONSE),
        (f"application/json;q=0.5, {RESPONSE}", 400, RESPONSE),
        ("*/*", 200, "application/json"),
        ("text/html", 406, "application/json"),
        ("image/png", 406, "application/json"),
        (f"{RESPONSE};q=nonsense, application/json", 200, "application/json"),
    ],
)
def test_an_invalid_document_has_the_status_that_the_accepted_media_type_asks_for(
    server: Server, accept: str, status: int, media_type: str
) -> None:
    answer = server.http.post("/graphql", json={"query": "{ nope }"}, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, media_type)
    assert answer.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "JSON_INVALID"),
        (b"{", "JSON_INVALID"),
        (b"\xff\xfe", "JSON_INVALID"),
        (b"[" * 100_000, "JSON_INVALID"),
        (b"[]", "BODY_INVALID"),
        (b"{}", "QUERY_MISSING"),
        (b'{"query": 1}', "QUERY_MISSING"),
        (b'{"query": "{__typename}", "variables": []}', "VARIABLES_INVALID"),
        (b'{"query": "{__typename}", "operationName": {}}', "OPERATION_NAME_INVALID"),
        (b'{"query": "' + b"#" * 1_000_001 + b'"}', "BODY_TOO_LARGE"),
        (b'{"query": "query($h: String) { spec(hash: $h) { id } }", "variables": {"h": "\\ud800aaaaaaa"}}',
         "ARGUMENT_INVALID"),
    ],
)  # fmt: skip
def test_a_bad_body_is_a_coded_error(server: Server, body: bytes, code: str) -> None:
    answer = server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    error: dict[str, Any] = answer.json()["errors"][0]
    assert answer.status_code < 500
    assert error["extensions"]["code"] == code
    assert error["message"]


def test_a_body_that_is_not_json_by_its_type_is_refused(server: Server) -> None:
    answer = server.http.post("/graphql", content=QUERY, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"]["code"] == "CONTENT_TYPE_UNSUPPORTED"
