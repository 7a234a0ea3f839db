"""What comes before a request is bounded in bytes and in time, and is answered in JSON."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from spackmon.http.protocol import BoundedProtocol
from spackmon.http.server import BoundedServer
from spackmon.ops.memory import Memory
from tests.server import Server, served
from tests.waiting import GIVE_UP_SECONDS, until

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MANY_HEADERS = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 8_000) for number in range(200))


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One kind of database is enough: nothing here depends on it."""
    return sqlite_url


@contextmanager
def connected_to(server: Server) -> Iterator[socket.socket]:
    address = urlsplit(server.url)
    with closing(socket.create_connection((address.hostname or "", address.port or 0))) as connected:
        connected.settimeout(GIVE_UP_SECONDS)
        yield connected


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    """A connection on which anything may be sent."""
    with connected_to(server) as connected:
        yield connected


def answered(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


def refused(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of the last answer on the connection."""
    return refusal(answered(connection))


def refusal(received: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x00 a TLS handshake\r\n\r\n", 400),
        (b"GET /graphql HTTP/9.9\r\n\r\n", 400),
        (b"POST /graphql HTTP/1.1\r\nContent-Length: -5\r\n\r\n", 400),
        (HEAD + MANY_HEADERS + b"\r\n", 431),
        (HEAD + b"X: " + b"a" * 5_000_000, 431),
        (b"GET /?" + b"a" * 5_000_000, 431),
        (CHUNKED + b"0\r\n" + MANY_HEADERS, 431),
        (CHUNKED + b"0\r\nX: " + b"a" * 5_000_000, 431),
    ],
    ids=["TLS", "version", "length", "headers", "a header", "an address", "trailers", "a trailer"],
)
def test_what_is_no_request_is_refused_in_json_before_it_is_kept(
    connection: socket.socket, sent: bytes, status: int
) -> None:
    connection.sendall(sent)
    found, told = refused(connection)
    assert (found, told["code"], told["error"], told["retryable"]) == (status, status, "HTTP_REFUSED", False)


def test_a_body_that_is_too_large_is_read_on_so_that_the_answer_arrives(connection: socket.socket) -> None:
    body = b'{"query": "' + b"#" * 5_000_000 + b'"}'
    connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    status, told = refused(connection)
    assert (status, told["errors"][0]["extensions"]["code"]) == (413, "BODY_TOO_LARGE")


def test_requests_follow_one_another_on_a_connection(connection: socket.socket) -> None:
    # Together they are more than one head may be.
    request = HEAD + b"X: " + b"a" * 30_000 + b"\r\n"
    connection.sendall((request + b"\r\n") * 4 + request + b"Connection: close\r\n\r\n")
    assert answered(connection).count(b"HTTP/1.1 200") == 5


UPGRADE = (
    b"Connection: keep-alive, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
)
QUERY = b'{"query": "{ __typename }"}'


@pytest.mark.parametrize("cut", [0, 1, 40, len(POST) + len(UPGRADE), len(POST) + len(UPGRADE) + 30])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_request_that_offers_another_protocol_is_answered_in_this_one(
    connection: socket.socket, cut: int, is_chunked: bool
) -> None:
    """Its body is read, and the next request on the connection, whatever pieces they come in."""
    length = b"Transfer-Encoding: chunked\r\n" if is_chunked else b"Content-Length: %d\r\n" % len(QUERY)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(QUERY), QUERY) if is_chunked else QUERY
    sent = POST + UPGRADE + length + b"\r\n" + body
    without_body = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    last = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(QUERY) + QUERY
    connection.sendall(sent[:cut])
    connection.sendall(sent[cut:] + without_body + last)
    answers = answered(connection)
    assert answers.count(b"HTTP/1.1 200") == 3
    assert answers.count(b'{"data":{"__typename":"Query"}}') == 2


def test_a_tunnel_is_refused(connection: socket.socket) -> None:
    connection.sendall(b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n\x16\x03")
    assert b"HTTP/1.1 200" not in answered(connection)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes longer than two looks takes too long."""
    monkeypatch.setattr(BoundedProtocol, "look_seconds", 0.02)
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.03)
    monkeypatch.setattr(BoundedProtocol, "slow_seconds", 0.03)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [HEAD, CHUNKED, CHUNKED + b"5\r\n{"], ids=["head", "no body", "body"])
def test_a_request_that_comes_too_slowly_is_ended(server: Server, sent: bytes) -> None:
    assert refusal(answer_to(server, sent))[0] == 408


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_nobody_uses_is_closed(server: Server, connection: socket.socket) -> None:
    assert answered(connection) == b""
    assert answer_to(server, HEAD + b"\r\n").count(b"HTTP/1.1 ") == 1


def answer_to(server: Server, sent: bytes) -> bytes:
    """All that is answered; on a busy machine a connection may end before what came on it is read."""
    received = b""

    def is_read() -> bytes:
        nonlocal received
        with suppress(ConnectionError), connected_to(server) as connection:
            connection.sendall(sent)
            received = answered(connection)
        return received

    until(is_read, "an answer")
    return received


@pytest.fixture
def three_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next server may have three connections."""
    monkeypatch.setattr(BoundedServer, "maximum_connections", 3)


@pytest.fixture
def connected(three_places: None, server: Server) -> Iterator[Callable[[], socket.socket]]:
    """Makes new connections to a server with three places."""
    server.http.close()
    address = urlsplit(server.url)
    with ExitStack() as opened:

        def connect() -> socket.socket:
            made = socket.create_connection((address.hostname or "", address.port or 0))
            made.settimeout(GIVE_UP_SECONDS)
            return opened.enter_context(closing(made))

        yield connect


def test_connections_beyond_the_most_wait_until_others_end(connected: Callable[[], socket.socket]) -> None:
    waiting = [connected() for _ in range(30)]
    for one in waiting:
        one.sendall(HEAD + b"Connection: close\r\n\r\n")
    assert [answered(one)[:12] for one in waiting] == [b"HTTP/1.1 200"] * 30


def test_a_connection_whose_client_keeps_it_makes_room_and_one_in_use_does_not(
    connected: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "kept_seconds", 0)
    in_use = [connected(), connected()]
    for one in in_use:
        one.sendall(POST + b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")
        assert one.recv(65536).startswith(b"HTTP/1.1 100")
    kept = connected()
    kept.sendall(HEAD + b"\r\n")
    assert kept.recv(65536).startswith(b"HTTP/1.1 200")
    other = connected()
    other.sendall(HEAD + b"Connection: close\r\n\r\n")
    assert answered(other).startswith(b"HTTP/1.1 200")
    assert answered(kept) == b""
    for one in in_use:
        one.sendall(b"{")
        assert one.recv(65536).startswith(b"HTTP/1.1 400")


def test_one_that_sends_nothing_makes_room_and_hears_when_it_had_begun(
    connected: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedProtocol, "silent_seconds", 0.05)
    silent = [connected() for _ in range(3)]
    silent[0].sendall(HEAD)
    waiting = [connected() for _ in range(3)]
    for one in waiting:
        one.sendall(HEAD + b"Connection: close\r\n\r\n")
    assert [answered(one)[:12] for one in waiting] == [b"HTTP/1.1 200"] * 3
    assert answered(silent[1]) == b""
    assert refused(silent[0])[0] == 408


def test_what_is_no_request_is_refused_after_the_answers_to_those_before_it(
    connection: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    connection.sendall((HEAD + b"\r\n") * 3 + b"\0garbage\r\n\r\n")
    received = answered(connection)
    assert [piece[:3] for piece in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"200", b"400"]
    assert json.loads(received.rpartition(b"\r\n\r\n")[2])["error"] == "HTTP_REFUSED"
    assert not [record for record in caplog.records if record.exc_info]


def test_the_body_of_a_request_that_waits_for_others_is_refused_after_them(connection: socket.socket) -> None:
    connection.sendall((HEAD + b"\r\n") * 2 + CHUNKED + b"no length\r\n")
    received = answered(connection)
    assert [piece[:3] for piece in received.split(b"HTTP/1.1 ")[1:]] == [b"200", b"200", b"400"]


def test_many_offers_of_another_protocol_may_come_at_once(connection: socket.socket) -> None:
    offer = HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    connection.sendall(offer * 600 + HEAD + b"Connection: close\r\n\r\n")
    assert answered(connection).count(b"HTTP/1.1 200") == 601


def test_a_large_body_of_a_question_waits_for_memory_and_hears_when_there_is_none(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(1_000_000)
    monkeypatch.setattr("spackmon.app.Memory", lambda: memory)
    monkeypatch.setattr("spackmon.web.graphql._WAIT_SECONDS", 0.01)
    large = {"query": "{ __typename }", "variables": {"unused": [{}] * 20_000}}
    with served(database_url, tmp_path) as server:
        memory._left_bytes = 999_999
        refused = server.http.post("/graphql", json=large)
        assert server.http.post("/graphql", json={"query": "{ __typename }"}).status_code == 200
        memory._left_bytes = 1_000_000
        assert server.http.post("/graphql", json=large).json() == {"data": {"__typename": "Query"}}
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
    assert refused.json()["errors"][0]["extensions"]["code"] == "BUSY"
    assert memory._left_bytes == 1_000_000
