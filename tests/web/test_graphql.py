"""The GraphQL endpoint keeps the rules of GraphQL over HTTP, whatever is sent to it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from spackmon.app import create_app
from spackmon.errors import Refused
from spackmon.settings import Settings
from tests.server import Server, served

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
    long_server: Server, accept: str, status: int, media_type: str
) -> None:
    answer = long_server.http.post("/graphql", json={"query": "{ nope }"}, headers={"Accept": accept})
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
        (b'{"query": "{__typename}", "extensions": 1}', "EXTENSIONS_INVALID"),
        (b'{"documentId": 1}', "DOCUMENT_ID_INVALID"),
        (b'{"documentId": "../secret"}', "DOCUMENT_ID_INVALID"),
        (b'{"extensions": {"persistedQuery": {"sha256Hash": []}}}', "DOCUMENT_ID_INVALID"),
        (b'{"extensions": {"persistedQuery": 1}}', "QUERY_MISSING"),
        (b'{"query": "' + b"#" * 1_000_001 + b'"}', "BODY_TOO_LARGE"),
        (b'{"query": "query($h: String) { spec(hash: $h) { id } }", "variables": {"h": "\\ud800aaaaaaa"}}',
         "ARGUMENT_INVALID"),
    ],
)  # fmt: skip
def test_a_bad_body_is_a_coded_error(long_server: Server, body: bytes, code: str) -> None:
    answer = long_server.http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    error: dict[str, Any] = answer.json()["errors"][0]
    assert answer.status_code < 500
    assert error["extensions"]["code"] == code
    assert error["message"]


def test_a_body_that_is_not_json_by_its_type_is_refused(server: Server) -> None:
    answer = server.http.post("/graphql", content=QUERY, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"]["code"] == "CONTENT_TYPE_UNSUPPORTED"


def test_what_an_answer_cost_is_told_to_whoever_asks_by_header(server: Server) -> None:
    plain = server.http.post("/graphql", json={"query": QUERY})
    assert plain.json() == DATA
    told = server.http.post("/graphql", json={"query": QUERY}, headers={"X-Spackmon-Explain": "1"}).json()
    assert told["data"] == DATA["data"]
    assert told["extensions"]["cost"] == 102
    assert told["extensions"]["sqlStatements"] == 1
    assert (
        server.http.post("/graphql", json={"query": QUERY}, headers={"X-Spackmon-Explain": "0"}).json()
        == DATA
    )


def test_what_can_be_switched_off_is_off_and_limits_are_those_of_the_settings(
    database_url: str, tmp_path: Path
) -> None:
    off = {"graphiql": False, "introspection": False, "maximum_cost": 150, "maximum_aliases": 1}
    with served(database_url, tmp_path, **off, maximum_depth=2, maximum_tokens=20) as server:
        page = server.http.get("/graphql", headers={"Accept": "text/html"})
        assert (page.status_code, page.json()["errors"][0]["extensions"]["code"]) == (
            404,
            "GRAPHIQL_DISABLED",
        )
        for query, code in (
            ("{ __schema { queryType { name } } }", "INTROSPECTION_DISABLED"),
            ("{ builds { totalCount } b: specs { totalCount } }", "QUERY_TOO_COSTLY"),
            ("{ a: __typename b: __typename }", "TOO_MANY_ALIASES"),
            ("{ builds { nodes { id } } }", "QUERY_TOO_DEEP"),
            ("{ " + "__typename " * 30 + "}", "TOO_MANY_TOKENS"),
        ):
            answer = server.http.post("/graphql", json={"query": query}, headers={"Accept": RESPONSE})
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, code)
            assert "data" not in answer.json()
        # Our own pages are no client's question.
        home = server.http.get("/", headers={"Accept": "text/html"})
        assert home.status_code == 200
        assert "/graphql" not in home.text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one trusted document."""
    folder = tmp_path / "trusted"
    (folder / "of-the-dashboard").mkdir(parents=True)
    (folder / "of-the-dashboard" / "count.graphql").write_text(QUERY + "\n")
    return folder


def test_a_server_with_a_folder_of_documents_answers_no_others(
    database_url: str, folder: Path, tmp_path: Path
) -> None:
    named = hashlib.sha256(QUERY.encode()).hexdigest()
    as_file = hashlib.sha256(f"{QUERY}\n".encode()).hexdigest()
    with served(database_url, tmp_path, persisted_documents=folder) as server:
        for body in (
            {"query": QUERY},
            {"query": f"{QUERY}\n"},
            {"documentId": named},
            {"documentId": f"sha256:{as_file.upper()}"},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": named}}},
        ):
            assert server.http.post("/graphql", json=body).json() == DATA
        assert server.http.get("/graphql", params={"documentId": named}).json() == DATA
        for unknown, code in (
            ({"query": QUERY.replace("totalCount", "totalCount totalCount")}, "DOCUMENT_NOT_TRUSTED"),
            ({"query": "{ __schema { queryType { name } } }"}, "DOCUMENT_NOT_TRUSTED"),
            ({}, "QUERY_MISSING"),
        ):
            answer = server.http.post("/graphql", json=unknown)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, code)
        unknown = server.http.post("/graphql", json={"documentId": "0" * 64}).json()["errors"][0]
        assert unknown["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
        # Nothing is added to the folder.
        assert (
            server.http.post("/graphql", json=persisted("{ __typename }", with_query=True)).status_code == 400
        )
        assert server.http.get("/", headers={"Accept": "text/html"}).status_code == 200
        assert server.http.get("/ms1/specs/name/zlib/").json() == []


def persisted(query: str, *, with_query: bool) -> dict[str, Any]:
    """A request as Apollo's clients send it."""
    sha256 = hashlib.sha256(query.encode()).hexdigest()
    asked: dict[str, Any] = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}}}
    return {**asked, "query": query} if with_query else asked


def test_a_document_is_named_by_its_hash_once_it_was_sent(server: Server) -> None:
    unknown = server.http.post("/graphql", json=persisted(QUERY, with_query=False))
    assert (unknown.status_code, unknown.headers["cache-control"]) == (200, "no-store")
    (error,) = unknown.json()["errors"]
    assert (error["message"], error["extensions"]["code"]) == (
        "PersistedQueryNotFound",
        "PERSISTED_QUERY_NOT_FOUND",
    )
    strict = server.http.post(
        "/graphql", json=persisted(QUERY, with_query=False), headers={"Accept": RESPONSE}
    )
    assert strict.status_code == 400

    assert server.http.post("/graphql", json=persisted(QUERY, with_query=True)).json() == DATA
    assert server.http.post("/graphql", json=persisted(QUERY, with_query=False)).json() == DATA
    extensions = json.dumps(persisted(QUERY, with_query=False)["extensions"])
    assert server.http.get("/graphql", params={"extensions": extensions}).json() == DATA

    other = {**persisted("{ __typename }", with_query=False), "query": QUERY}
    assert server.http.post("/graphql", json=other).json()["errors"][0]["extensions"]["code"] == (
        "PERSISTED_QUERY_DIFFERS"
    )
    # What is no answer is not kept.
    server.http.post("/graphql", json=persisted("{ nope }", with_query=True))
    again = server.http.post("/graphql", json=persisted("{ nope }", with_query=False)).json()
    assert again["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


def test_a_server_that_keeps_nothing_says_so(database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path, cache_bytes=0) as server:
        for with_query in (True, False):
            answer = server.http.post("/graphql", json=persisted(QUERY, with_query=with_query)).json()
        assert answer["errors"][0]["message"] == "PersistedQueryNotSupported"


def test_the_pages_of_configured_origins_may_ask(database_url: str, tmp_path: Path) -> None:
    ours, other = "https://dashboard.example.org", "https://example.org"
    with served(database_url, tmp_path, cors_origins=frozenset({ours})) as server:
        for origin, allowed in ((ours, ours), (other, None)):
            preflight = server.http.options(
                "/graphql",
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "content-type,x-spackmon-explain",
                },
            )
            assert preflight.headers.get("access-control-allow-origin") == allowed
            answer = server.http.post("/graphql", json={"query": QUERY}, headers={"Origin": origin})
            assert answer.json() == DATA
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers
        write = server.http.post("/ms1/specs/new/", json={}, headers={"Origin": ours})
        assert "access-control-allow-origin" not in write.headers


def test_a_folder_that_cannot_be_asked_stops_the_start(
    database_url: str, folder: Path, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, data_dir=tmp_path, persisted_documents=folder)
    create_app(settings)
    for text in ("{ nope }", "{", "\ud800"):
        (folder / "broken.graphql").write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(Refused, match="PERSISTED_DOCUMENTS"):
            create_app(settings)
    missing = settings.model_copy(update={"persisted_documents": folder / "nowhere"})
    with pytest.raises(Refused, match=r"PERSISTED_DOCUMENTS.*nowhere"):
        create_app(missing)
