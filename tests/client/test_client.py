"""The Python client against a running server, over good connections and bad ones."""

import json
import threading
from datetime import datetime, timedelta, tzinfo
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spackmon.client import Client, QueryFailed
from spackmon.errors import Refused
from spackmon.status import BuildStatus, SourceKind
from spackmon.submission import InstallReport, Source
from tests.cli.command import EXAMPLES
from tests.client.proxy import answer, bad_connection
from tests.formats.corpus import documents
from tests.server import Server, served

DATA = Path(__file__).parents[1] / "data"
ENVIRONMENT = {
    "hostname": "node1", "platform": "linux", "host_os": "ubuntu22.04", "host_target": "zen3",
    "kernel_version": "5.15",
}  # fmt: skip


def reports(count: int) -> list[tuple[str, InstallReport]]:
    return [
        (
            f"report {number}",
            InstallReport(
                Source(SourceKind.EXTENSION, f"run-{number}"),
                package_name=f"package-{number:04}",
                status=BuildStatus.SUCCESS,
            ),
        )
        for number in range(count)
    ]


def client_of(server: Server, url: str | None = None) -> Client:
    return Client(url or server.url, token=server.token)


def test_files_are_uploaded_and_the_second_time_they_are_known(server: Server, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.json"
    damaged.write_text('{"spec": {"nodes": [}}')
    client = client_of(server)
    first = client.upload_spec_file(EXAMPLES / "specs.jsonl", spack_version="1.2.0")
    assert (first.created, first.known, first.refused) == (3, 0, ())
    again = client.upload(EXAMPLES / "specs.jsonl", damaged, spack_version="1.2.0")
    assert (again.created, again.known) == (0, 3)
    ((place, refused),) = again.refused
    assert place == str(damaged)
    assert "JSON" in refused.sentence


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the library's name
        pass


def test_a_buildcache_at_an_address_is_the_one_in_the_directory(server: Server) -> None:
    cache = DATA / "formats" / "buildcache"
    web = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(cache)))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        client = client_of(server)
        there = client.upload_buildcache(f"http://127.0.0.1:{web.server_port}/")
        assert there.created > 0
        assert there.refused == ()
        here = client.upload_buildcache(cache)
        # The specs are known; that they are there, too, is new.
        assert (here.created, here.refused) == (1, ())
        ((_, refused),) = client.upload_buildcache(f"http://127.0.0.1:{web.server_port}/blobs").refused
        assert refused.code == "BUILDCACHE_EMPTY"
    finally:
        web.shutdown()
        web.server_close()


def test_the_old_client_s_methods_report_a_build(server: Server, tmp_path: Path) -> None:
    client = client_of(server)
    assert client.service_info()["status"] == "running"
    body = documents("nodes-v3-0.19")[0]
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(body["spec"]))
    posted = client.upload_specfile(spec, body["spack_version"])["spec"]
    known = client.new_configuration([body["spec"]], body["spack_version"])
    assert known[posted["name"]]["full_hash"] == posted["full_hash"]
    build = client.new_build(posted["full_hash"], ENVIRONMENT, "0.19.0", tags=["nightly", "ci"])
    log = tmp_path / "log.txt"
    log.write_bytes(b"==> make\xff\n")
    assert client.send_phase(build, "build", log, "SUCCESS")["name"] == "build"
    client.send_analyze_metadata(build, {"environment_variables": {"CC": "gcc"}})
    assert client.fail_task(build)["build_id"] == build
    question = (
        "query ($id: ID!) { build(id: $id) { status tags { nodes { name } } phases { nodes { name } } } }"
    )
    told = client.query(question, {"id": str(build)})["build"]
    assert told["status"] == "FAILED"
    assert sorted(tag["name"] for tag in told["tags"]["nodes"]) == ["ci", "nightly"]
    assert told["phases"]["nodes"] == [{"name": "build"}]


def test_an_answer_with_errors_is_one_with_codes(server: Server) -> None:
    with pytest.raises(QueryFailed) as failed:
        client_of(server).query("{ builds(first: 1) { colour } }")
    assert failed.value.codes == {"GRAPHQL_VALIDATION_FAILED"}
    assert "colour" in failed.value.errors[0].message


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        ("{ builds(first: 3, orderBy: [{name: DESC}]) { nodes { package { name } } } }", {}),
        ("query My($n: Int) { my: builds(first: $n) { edges { it: node { package { name } } } } }", {"n": 2}),
        ("{ ...all } fragment all on Query { builds { nodes { package { name } } totalCount } }", {}),
        (
            "query ($c: String) { builds(after: $c, first: 4) { nodes { package { name } } totalCount } }",
            {"c": None},
        ),
    ],
)  # fmt: skip
def test_a_connection_is_walked_to_its_end(
    server: Server, document: str, variables: dict[str, object]
) -> None:
    client = client_of(server)
    assert all(sent.status == "created" for sent in client.send(reports(7)))
    names = [node["package"]["name"] for node in client.iterate(document, variables)]
    assert sorted(names) == [f"package-{number:04}" for number in range(7)]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("{ build(id: 1) { status } }", "expected one connection, it has 0"),
        ("{ builds { nodes { id } } specs { nodes { hash } } }", "it has 2: builds, specs"),
        ("{ builds { edges { cursor } } }", "must ask for nodes"),
        ("{ builds", "it is no GraphQL"),
    ],
)
def test_a_document_without_one_connection_is_not_walked(document: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem) as refused:
        list(Client("http://127.0.0.1:9").iterate(document))
    assert refused.value.code == "DOCUMENT_NOT_PAGED"


def test_a_bad_connection_is_outlived_and_nothing_comes_twice(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("spackmon.client.transport.time", SimpleNamespace(sleep=pauses.append))
    busy = answer("429 Too Many Requests", "Retry-After: 1")
    away = answer("503 Service Unavailable")
    with bad_connection(server.url, "drop", busy, away, "cut") as proxy:
        sent = list(client_of(server, proxy.url).send(reports(600)))
    # The server that was busy said for how long.
    assert pauses[1] == 1
    assert [one.name for one in sent] == [f"report {number}" for number in range(600)]
    # The first batch had been applied when its answer was cut.
    assert {one.status for one in sent[:500]} == {"known"}
    assert {one.status for one in sent[500:]} == {"created"}
    assert len(proxy.heads) == 6
    assert server.ask("{ builds(first: 1) { totalCount } }")["builds"]["totalCount"] == 600


def refusal(status: str, *, retryable: bool, in_graphql: bool = False) -> bytes:
    said: dict[str, Any] = {"error": "STATEMENT_TIMEOUT", "message": "ask for less", "retryable": retryable}
    if in_graphql:
        extensions = {"code": "DATABASE_UNAVAILABLE", "retryable": retryable}
        said = {"errors": [{"message": "ask again", "extensions": extensions}], "data": None}
    return answer(status, "Content-Type: application/json", body=json.dumps(said, separators=(",", ":")))


def test_the_answer_says_whether_to_try_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spackmon.client.transport.time", SimpleNamespace(sleep=lambda seconds: None))
    never = refusal("503 Service Unavailable", retryable=False)
    with bad_connection(server.url, never) as proxy:
        with pytest.raises(Refused, match="ask for less") as refused:
            client_of(server, proxy.url).service_info()
        assert (refused.value.code, refused.value.status) == ("STATEMENT_TIMEOUT", 503)
        assert len(proxy.heads) == 1
    soon = refusal("500 Internal Server Error", retryable=True)
    in_graphql = refusal("200 OK", retryable=True, in_graphql=True)
    with bad_connection(server.url, soon, in_graphql) as proxy:
        assert client_of(server, proxy.url).query("{ __typename }") == {"__typename": "Query"}
        assert len(proxy.heads) == 3


def test_a_token_is_not_carried_to_where_a_server_points(server: Server) -> None:
    away = answer("302 Found", f"Location: {server.url}/api/submissions/k")
    with bad_connection(server.url, away, away) as proxy:
        with pytest.raises(Refused, match="the server answered 302"):
            client_of(server, proxy.url).service_info()
        with pytest.raises(Refused, match="the server answered 302"):
            list(client_of(server, proxy.url).send(reports(1)))


def test_a_server_that_stays_away_is_one_sentence() -> None:
    with pytest.raises(Refused, match=r"http://127.0.0.1:9 does not answer: .*refused") as refused:
        Client("http://127.0.0.1:9", attempts=2).query("{ __typename }")
    assert refused.value.code == "SERVER_AWAY"


class TwoHoursLater(datetime):
    """The clock of a server that has been running for two hours more."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(hours=2)


def test_an_expired_token_is_replaced(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(sqlite_url, tmp_path, api_token_expires_seconds=3600) as server:
        with bad_connection(server.url) as proxy:
            client = Client(proxy.url, user=server.user, token=server.token)
            for report in reports(2):
                assert [sent.status for sent in client.send([report])] == ["created"]
                for module in ("jwt.api_jwt", "spackmon.auth.access_tokens"):
                    monkeypatch.setattr(f"{module}.datetime", TwoHoursLater)
        asked = [head.split()[1] for head in proxy.heads]
        assert asked.count("/auth/token/") == 2
        wrong = Client(server.url, user=server.user, token="wrong")
        with pytest.raises(Refused, match="the server answered 403"):
            list(wrong.send(reports(1)))
        with pytest.raises(Refused, match="the server answered 401"):
            list(Client(server.url).send(reports(1)))
