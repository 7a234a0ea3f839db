"""Whole lists leave as NDJSON or CSV: every row once, and never with an end that is none."""

import csv
import io
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, insert, select, text, update

from spackmon.database import Database
from spackmon.ingest import store
from spackmon.models import Attempt, Build, BuildEnvironment, Log, LogChunk, Phase, PhaseKind, utc_now
from tests.databases import PostgresqlServer
from tests.ingest.reports import Site, build_report, spec, spec_report
from tests.server import Server, in_database, served
from tests.waiting import until

NDJSON, CSV = "application/x-ndjson", "text/csv"
ZLIB = spec("zlib", "1.3", parameters='{"pic":true}')
MANY = 1_200


@pytest.fixture
def builds(server: Server) -> Server:
    """A server with more builds than a batch has rows, each on a machine of its own."""
    fill(server, MANY)
    return server


def fill(server: Server, number: int) -> None:
    """Put so many builds on the server."""
    database = Database(server.database_url)
    database.write(lambda connection: connection.execute(text("DELETE FROM token")))
    database.write(lambda connection: connection.execute(text("DELETE FROM person")))
    Site(database).build(ZLIB, host="node-0")

    def multiply(connection: Connection) -> None:
        environment = dict(connection.execute(select(BuildEnvironment)).mappings().one())
        build = dict(connection.execute(select(Build)).mappings().one())
        taken, _ = environment.pop("id"), build.pop("id")
        machines = [{**environment, "hostname": f"node-{i}"} for i in range(1, number)]
        connection.execute(insert(BuildEnvironment), machines)
        new = select(BuildEnvironment.id).where(BuildEnvironment.id != taken).order_by(BuildEnvironment.id)
        ids = connection.execute(new).scalars()
        # Without runs of their own, or each would show the first one's.
        build["newest_attempt_id"] = None
        connection.execute(insert(Build), [{**build, "environment_id": row_id} for row_id in ids])

    database.write(multiply)
    database.close()


def export(server: Server, query: str, accept: str = NDJSON, **variables: Any) -> httpx.Response:
    """The whole answer."""
    body = {"query": query, "variables": variables}
    return server.http.post("/graphql", json=body, headers={"Accept": accept})


def lines(answer: httpx.Response) -> list[Any]:
    """What an NDJSON answer says."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{NDJSON}; charset=utf-8")
    assert answer.text.endswith("\n")
    return [json.loads(line) for line in answer.text.splitlines()]


def rows(answer: httpx.Response) -> list[list[str]]:
    """What a CSV answer says."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{CSV}; charset=utf-8")
    return list(csv.reader(io.StringIO(answer.text, newline="")))


def test_an_export_is_what_all_pages_say_together(builds: Server) -> None:
    selection = "id status spec { name parameters hashes { value } } environment { hostname }"
    paged = f"query($after: String) {{ builds(first: 100, after: $after) {{ nodes {{ {selection} }} "
    paged += "pageInfo { hasNextPage endCursor } } }"
    pages: list[Any] = []
    page: Any = {"hasNextPage": True, "endCursor": None}
    while page["hasNextPage"]:
        found = builds.ask(paged, {"after": page["endCursor"]})["builds"]
        pages, page = pages + found["nodes"], found["pageInfo"]
    assert len(pages) == MANY
    assert lines(export(builds, f"{{ builds {{ nodes {{ {selection} }} }} }}")) == pages


def test_whoever_was_cut_off_goes_on_after_the_last_line(builds: Server) -> None:
    query = (
        "query($after: String, $order: [BuildOrder!]) { builds(after: $after, orderBy: $order) "
        "{ edges { cursor node { environment { hostname } } } } }"
    )
    order = [{"hostname": "DESC"}]
    whole = lines(export(builds, query, order=order))
    hostnames = [line["node"]["environment"]["hostname"] for line in whole]
    assert hostnames == sorted(hostnames, reverse=True)
    assert lines(export(builds, query, order=order, after=whole[700]["cursor"])) == whole[701:]


def test_groups_are_exported_all_of_them(builds: Server) -> None:
    query = "{ builds { groupBy(keys: [HOSTNAME], %s orderBy: [{count: ASC}]) { keys { hostname } count } } }"
    groups = lines(export(builds, query % ""))
    assert len(groups) == MANY
    assert {"keys": {"hostname": "node-7"}, "count": 1} in groups
    assert lines(export(builds, query % "first: 2, offset: 3,")) == groups[3:5]
    assert export(builds, query % "having: {count: {ge: 2}},").text == ""
    table = export(builds, query % "first: 1,", CSV).text.splitlines()
    assert table[0] == "keys.hostname,count"
    assert len(table) == 2


def test_the_last_line_says_where_an_export_of_nodes_ended(builds: Server) -> None:
    query = (
        "query($first: Int, $after: String) { builds(first: $first, after: $after) "
        "{ nodes { id } pageInfo { endCursor hasNextPage hasPreviousPage } } }"
    )
    *some, end = lines(export(builds, query, first=1000))
    assert len(some) == 1000
    assert (end["pageInfo"]["hasNextPage"], end["pageInfo"]["hasPreviousPage"]) == (True, False)
    *others, end = lines(export(builds, query, first=1000, after=end["pageInfo"]["endCursor"]))
    assert (end["pageInfo"]["hasNextPage"], end["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert len({line["id"] for line in some + others}) == MANY
    assert lines(export(builds, query, first=0)) == [
        {"pageInfo": {"endCursor": None, "hasNextPage": True, "hasPreviousPage": False}}
    ]


def test_an_export_while_the_database_is_away_is_a_coded_error_and_no_empty_file(
    private_postgresql: PostgresqlServer, tmp_path: Path
) -> None:
    with served(private_postgresql.url, tmp_path, hold_seconds=1.0) as server:
        whole = {accept: export(server, "{ people { nodes { name } } }", accept) for accept in (NDJSON, CSV)}
        private_postgresql.stop()
        for accept in (NDJSON, CSV):
            answer = export(server, "{ people { nodes { name } } }", accept)
            assert (answer.status_code, answer.headers["content-type"]) == (
                503, "application/json; charset=utf-8",
            )  # fmt: skip
            (error,) = answer.json()["errors"]
            assert error["extensions"]["code"] == "DATABASE_UNAVAILABLE"
            assert "data" not in answer.json()
        private_postgresql.start()
        for accept, before in whole.items():
            assert export(server, "{ people { nodes { name } } }", accept).text == before.text != ""


def test_a_filter_that_is_walked_by_an_index_exports_the_same_rows(builds: Server) -> None:
    dependent = spec("hdf5", "1.14", ZLIB)
    reports = (spec_report(dependent, ZLIB), build_report(dependent.hash))
    for report in reports:
        in_database(builds, lambda connection, report=report: store.apply(connection, report, 1))
    for which in ('where: {dependency: {name: "zlib"}}', 'satisfying: "hdf5 ^zlib@1.3"'):
        (line,) = lines(export(builds, f"{{ builds({which}) {{ nodes {{ spec {{ name }} }} }} }}"))
        assert line == {"spec": {"name": "hdf5"}}


def test_a_table_has_a_column_for_each_value_and_no_formulas(builds: Server) -> None:
    hostnames = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", 'a "quoted", name\nof two lines', "ümläut", ""]

    def rename(connection: Connection) -> None:
        ids = connection.execute(select(BuildEnvironment.id).order_by(BuildEnvironment.id)).scalars().all()
        for row_id, hostname in zip(ids, hostnames, strict=False):
            changed = update(BuildEnvironment).where(BuildEnvironment.id == row_id)
            connection.execute(changed.values(hostname=hostname))

    in_database(builds, rename)
    query = (
        "{ builds { edges { cursor node { number: id spec { name external parameters hashes { kind } } "
        "environment { hostname } tags { nodes { name } } configureArguments } } } }"
    )
    header, *table = rows(export(builds, query, CSV))
    assert header == [
        "cursor", "node.number", "node.spec.name", "node.spec.external", "node.spec.parameters",
        "node.spec.hashes", "node.environment.hostname", "node.tags.nodes", "node.configureArguments",
    ]  # fmt: skip
    assert len(table) == MANY
    assert [row[6] for row in reversed(table[-8:])] == [
        "'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", 'a "quoted", name\nof two lines', "ümläut", "",
    ]  # fmt: skip
    assert table[0][2:6] == ["zlib", "", '{"pic":true}', '[{"kind":"hash"}]']
    assert table[0][7:] == ["[]", ""]
    assert rows(export(builds, "{ tags { nodes { name } } }", CSV)) == [["name"]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("{ builds { nodes { id } } specs { nodes { id } } }", 400, "EXPORT_INVALID"),
        ("{ __typename }", 400, "EXPORT_INVALID"),
        ('{ build(id: "1") { id } }', 400, "EXPORT_INVALID"),
        ("{ __schema { types { name } } }", 400, "EXPORT_INVALID"),
        ("{ builds { totalCount } }", 400, "EXPORT_INVALID"),
        ("{ builds { nodes { id } totalCount } }", 400, "EXPORT_INVALID"),
        ("{ builds { nodes { id } edges { cursor } } }", 400, "EXPORT_INVALID"),
        ("{ builds(last: 3) { nodes { id } } }", 400, "EXPORT_INVALID"),
        ("{ builds(first: -1) { nodes { id } } }", 400, "PAGE_INVALID"),
        ('{ builds(after: "x") { nodes { id } } }', 400, "CURSOR_INVALID"),
        ("{ specs { nodes { builds(first: 501) { nodes { id } } } } }", 400, "PAGE_TOO_LARGE"),
        ("{ nope }", 400, "GRAPHQL_VALIDATION_FAILED"),
        ("query($a: Int!) { builds(first: $a) { nodes { id } } }", 400, "VARIABLES_INVALID"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [NDJSON, CSV])
def test_what_is_no_export_is_a_coded_error(
    long_server: Server, query: str, status: int, code: str, accept: str
) -> None:
    answer = export(long_server, query, accept)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["errors"][0]["extensions"]["code"] == code


def test_a_table_has_no_line_about_itself(long_server: Server) -> None:
    answer = export(long_server, "{ builds { nodes { id } pageInfo { endCursor } } }", CSV)
    assert answer.json()["errors"][0]["extensions"]["code"] == "EXPORT_INVALID"


@pytest.mark.parametrize("accept", [NDJSON, CSV])
def test_an_error_on_the_way_cuts_the_answer(builds: Server, accept: str) -> None:
    def add_a_broken_log(connection: Connection) -> None:
        oldest = connection.execute(select(Build.id).order_by(Build.id)).scalars().first()
        attempt = connection.execute(select(Attempt.id).where(Attempt.build_id == oldest)).scalar_one()
        (log_id,) = connection.execute(
            insert(Log).values(digest=b"of nothing", size_bytes=9).returning(Log.id)
        ).one()
        chunk = {"number": 0, "first_line": 1, "size_bytes": 9, "content": b"not zstd!"}
        connection.execute(insert(LogChunk).values(log_id=log_id, **chunk))
        kind = insert(PhaseKind).values(name="build", position=1, status="SUCCESS")
        phase = {
            "attempt_id": attempt, "place": 4, "log_id": log_id, "reported_at": utc_now(),
            "kind_id": connection.execute(kind).inserted_primary_key[0],
        }  # fmt: skip
        connection.execute(insert(Phase).values(**phase))

    in_database(builds, add_a_broken_log)
    query = "{ builds { nodes { id phases { nodes { log { text } } } } } }"
    received = b""
    streamed = builds.http.stream("POST", "/graphql", json={"query": query}, headers={"Accept": accept})
    with streamed as answer, pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012
        assert answer.status_code == 200
        for piece in answer.iter_bytes():
            received += piece
    assert received.count(b"\n") >= 500
    assert b'"node-0"' not in received


@contextmanager
def _left_open(server: Server, query: str) -> Iterator[None]:
    """An export whose client has read the beginning and reads no more."""
    address = httpx.URL(server.url)
    body = json.dumps({"query": query}).encode()
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: {NDJSON}\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert b"200 OK" in connection.recv(1000)
        yield


BIG = (
    "{ builds { nodes { a: spec { document } b: spec { document } c: spec { document } "
    "spec { document hashes { value } parameters } environment { hostname } } } }"
)


def _wait_until_free(server: Server) -> None:
    """Until an export is answered."""
    until(lambda: export(server, "{ specs { nodes { id } } }").status_code == 200, "room for an export")


def test_clients_that_leave_make_room_for_others(server: Server) -> None:
    fill(server, 20_000)
    with ExitStack() as clients:
        for _ in range(4):
            clients.enter_context(_left_open(server, BIG))
        busy = export(server, BIG)
        assert (busy.status_code, busy.json()["errors"][0]["extensions"]["code"]) == (503, "EXPORTS_BUSY")
        # Questions do not wait for exports.
        assert server.ask("{ builds(first: 1) { nodes { id } } }")["builds"]["nodes"]
    _wait_until_free(server)


def test_clients_that_stay_and_read_nothing_are_cut_off(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spackmon.web.streaming.STALLED_SECONDS", 1.0)
    fill(server, 20_000)
    with ExitStack() as clients:
        for _ in range(4):
            clients.enter_context(_left_open(server, BIG))
        assert export(server, BIG).status_code == 503
        _wait_until_free(server)


def test_a_protocol_without_an_end_gets_no_export(long_server: Server) -> None:
    address = httpx.URL(long_server.url)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        asked = f"GET /graphql?query=%7Bbuilds%7Bnodes%7Bid%7D%7D%7D HTTP/1.0\r\nAccept: {CSV}\r\n\r\n"
        connection.sendall(asked.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 505")
    assert b"EXPORT_NEEDS_HTTP_1_1" in received
