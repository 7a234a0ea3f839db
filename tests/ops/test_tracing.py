"""Spans as a collector gets them: OTLP over HTTP, from a request through its operation to its SQL."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spackmon.ops.tracing import summary
from tests.player import exchanges
from tests.server import served

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "a-word-that-no-span-may-have"


class _Collector:
    """What was received."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def spans(self) -> list[dict[str, Any]]:
        """All spans, with the resource's attributes among their own."""
        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    attributes = [*resource.resource.attributes, *span.attributes]
                    found.append({
                        "name": span.name, "id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
                        "trace": span.trace_id.hex(), "begin": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "events": [[one.value.string_value for one in e.attributes] for e in span.events],
                        **{one.key: one.value.string_value or one.value.int_value for one in attributes},
                    })  # fmt: skip
        return found

    def close(self) -> None:
        """Receive nothing more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Collector]:
    collector = _Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=suite")
    yield collector
    collector.close()


def test_a_request_its_operation_and_its_sql_are_one_trace(
    collector: _Collector, database_url: str, tmp_path: Path
) -> None:
    query = f'query Named {{ builds(where: {{package: {{name: {{eq: "{SECRET}"}}}}}}) {{ totalCount }} }}'
    spec = next(one for one in exchanges("0.17-success") if one["path"].endswith("/specs/new/"))
    with served(database_url, tmp_path) as server:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-Id": "of-the-test"}
        answer = server.http.post(f"/graphql?word={SECRET}", json={"query": query}, headers=headers)
        assert answer.json() == {"data": {"builds": {"totalCount": 0}}}
        assert server.post("/ms1/specs/new/", json.loads(spec["request_body"])).status_code == 201
        assert server.post("/ms1/specs/new/", {"spec": SECRET}).status_code == 400
        # A caller that takes no trace of it decides so.
        unseen = {"traceparent": f"00-{TRACE}-{PARENT}-00"}
        assert server.http.get("/ms1/", headers=unseen).status_code == 200
        assert server.http.post("/graphql", json={"query": query}, headers=unseen).json() == answer.json()
        assert server.http.get("/ms1/", headers={"traceparent": f"00-{SECRET}"}).status_code == 200
    # All of it was sent when the service ended.
    spans = collector.spans()
    by_name = {span["name"]: span for span in spans}
    request, operation = by_name["POST /graphql"], by_name["graphql Named"]
    assert (request["trace"], request["parent"]) == (TRACE, PARENT)
    assert (request["service.name"], request["deployment.environment.name"]) == ("spackmon", "suite")
    assert (request["http.response.status_code"], request["spackmon.request_id"]) == (200, "of-the-test")
    assert (operation["trace"], operation["parent"]) == (TRACE, request["id"])
    assert operation["spackmon.cost"] > 0
    (statement,) = [span for span in spans if span["parent"] == operation["id"]]
    assert statement["db.system.name"] == server.database_url.partition("+")[0].partition(":")[0]
    assert request["begin"] <= operation["begin"] <= statement["begin"] <= statement["end"]
    assert statement["end"] <= operation["end"] <= request["end"]
    reports = [span for span in spans if span["name"] == "POST /ms1/specs/new/"]
    assert [span["events"] for span in reports] == [[["specs/new", "applied"]], [["specs/new", "refused"]]]
    transactions = [
        span["id"] for span in spans if span["name"] == "transaction" and span["parent"] == reports[0]["id"]
    ]
    summaries = {span["name"] for span in spans if span["parent"] in transactions}
    assert {"INSERT spec", "INSERT spec_document"} <= summaries
    assert [span["trace"] == TRACE for span in spans if span["name"] == "GET /ms1/"] == [False]
    assert [span["name"] for span in spans].count("graphql Named") == 1
    assert not [body for body in collector.bodies if SECRET.encode() in body]
    assert server.token.encode() not in b"".join(collector.bodies)


def test_a_summary_has_nothing_of_what_a_statement_is_given() -> None:
    for statement, wanted in {
        "\n  INSERT INTO spec (a) SELECT 1 FROM other ON CONFLICT DO UPDATE SET a = 1": "INSERT spec",
        "UPDATE \"log\" SET a = 'x'": "UPDATE log",
        "WITH o AS (DELETE FROM phase RETURNING a) INSERT INTO build (a) SELECT 1": "DELETE phase",
        "SELECT i.id FROM build i WHERE a = 'x' FOR UPDATE": "SELECT build",
        "PRAGMA user_version = 7": "PRAGMA",
    }.items():
        assert summary(statement) == wanted


def test_a_collector_that_is_away_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with served(sqlite_url, tmp_path) as server:
        assert server.ask("{ builds { totalCount } }") == {"builds": {"totalCount": 0}}
