"""What a process says of itself to Prometheus, and of slow operations in its log."""

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from spackmon.ops.metrics import OTHER, Metrics, Now
from spackmon.ops.slow_operations import without_values
from spackmon.query.serve.executed import Executed
from spackmon.query.serve.preparation import Request
from tests.player import exchanges
from tests.server import Server, served

DOCS = Path(__file__).parents[2] / "docs"
_OF_PYTHON = ("process_", "python_")
_QUESTION = "query Newest { builds(first: 1) { totalCount } }"


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def _exposed(server: Server) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = server.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return _samples(answer.text)


def _label(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_requests_operations_and_reports_are_counted(server: Server) -> None:
    spec = next(one for one in exchanges("0.17-success") if one["path"].endswith("/specs/new/"))
    assert server.post("/ms1/specs/new/", json.loads(spec["request_body"])).status_code == 201
    assert server.post("/ms1/specs/new/", {"spec": 7}).status_code == 400
    server.ask(_QUESTION)
    server.http.post("/graphql", json={"query": "query Newest { nothing }"})
    server.http.get("/builds/17")
    server.http.get("/no/such/address")
    found = _exposed(server)
    assert found["spackmon_reports_total", _label(kind="specs/new", outcome="applied")] == 1
    assert found["spackmon_reports_total", _label(kind="specs/new", outcome="refused")] == 1
    assert found["spackmon_inbox_entries", _label()] == 1
    assert found["spackmon_graphql_operations_total", _label(operation="Newest", code="")] == 1
    refused = _label(operation=OTHER, code="GRAPHQL_VALIDATION_FAILED")
    assert found["spackmon_graphql_operations_total", refused] == 1
    assert found["spackmon_graphql_cost_total", _label(operation="Newest")] > 0
    assert found["spackmon_graphql_operation_seconds_count", _label(operation="Newest")] == 1
    posts = _label(route="/ms1/specs/new/", method="POST", status="400")
    assert found["spackmon_http_requests_total", posts] == 1
    assert found["spackmon_http_requests_total", _label(route=OTHER, method="GET", status="404")] == 1
    assert not [key for key in found if "17" in dict(key[1]).get("route", "")]
    assert found["spackmon_database_usable", _label()] == 1
    assert found["spackmon_database_waiting", _label(use="read")] == 0


def test_who_may_not_read_sees_no_metrics(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path, read_access="authenticated") as server:
        assert server.http.get("/metrics").status_code == 401
        credentials = {"Authorization": f"Bearer {server.token}"}
        assert server.http.get("/metrics", headers=credentials).status_code == 200


def test_every_metric_is_documented_and_the_dashboard_shows_none_that_is_not_there() -> None:
    now = Now(None, 1, 2, 3, 4, 5, is_database_usable=False, turns={})
    metrics = Metrics()
    metrics.executed(Executed(Request("{a}", {}, None, None)))
    families = list(text_string_to_metric_families(metrics.exposition(now).decode()))
    counters = {family.name for family in families if family.type == "counter"}
    names = {name + "_total" * (name in counters) for name in (family.name for family in families)}
    documented = set(re.findall(r"^\| `(spackmon_\w+)`", (DOCS / "monitoring.md").read_text(), re.MULTILINE))
    assert {name for name in names if not name.startswith(_OF_PYTHON)} == documented
    dashboard = (DOCS / "grafana" / "spackmon.json").read_text()
    shown = {name.removesuffix("_bucket") for name in re.findall(r"\b(?:spackmon|process)_\w+", dashboard)}
    assert shown - names == set()
    assert {target["refId"] for panel in json.loads(dashboard)["panels"] for target in panel["targets"]}


def test_names_that_clients_choose_are_few() -> None:
    metrics = Metrics()
    for number in range(300):
        metrics.executed(Executed(Request("{a}", {}, None, None), name=f"Operation{number}", cost=1))
    exposed = metrics.exposition(Now(0, 0, 0, 0, 0, 0, is_database_usable=True, turns={})).decode()
    cost = {
        dict(labels)["operation"]: value
        for (name, labels), value in _samples(exposed).items()
        if name == "spackmon_graphql_cost_total"
    }
    assert len(cost) == 201
    assert cost[OTHER] == 100


def test_a_slow_operation_is_in_the_log(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path, slow_operation_seconds=1e-9) as server, capture_logs() as logs:
        server.http.post(
            "/graphql", json={"query": 'query Mine { specs(satisfying: "secret") { totalCount } }'}
        )
    (line,) = [line for line in logs if line["event"] == "slow_operation"]
    assert line["operation"] == "Mine"
    assert line["document"] == "query Mine{specs(satisfying:…){totalCount}}"
    assert line["seconds"] >= line["database_seconds"] > 0


@given(st.text(max_size=200))
def test_no_value_of_a_document_is_logged(value: str) -> None:
    literal = json.dumps(f"<{value}>")
    nested = f"{{ a(x: {literal}, y: {{z: [{literal}, 12345], e: SECRET, f: true}}) @include(if: true) }}"
    assert without_values(nested) in ("{a(x:… y:{z:… e:… f:…})@include(if:…)}", "")
    assert without_values(value * 3).count("12345") == 0
