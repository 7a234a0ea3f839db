"""Subscriptions as clients hold them: graphql-transport-ws and server-sent events, to their ends."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from spackmon.web import websocket
from tests.player import Player
from tests.server import Server, new_token, served
from tests.waiting import GIVE_UP_SECONDS

BUILDS = """
    subscription ($after: String) {
        buildUpdated(after: $after, where: {spec: {name: {eq: "brokenlib"}}}) { cursor build { status } }
    }
"""
STATUSES = ["NOTRUN", "RUNNING", "FAILED"]
EVENTS = {"Accept": "text/event-stream"}


class Socket:
    """A WebSocket with the words of the protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, **message: Any) -> None:
        self.connection.send(json.dumps(message))

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self.connection.recv(timeout=GIVE_UP_SECONDS))
        return heard

    def begin(self, **payload: Any) -> None:
        self.say(type="connection_init", payload=payload)
        assert self.hear() == {"type": "connection_ack"}

    def ask(self, operation_id: str, query: str, **variables: Any) -> None:
        self.say(id=operation_id, type="subscribe", payload={"query": query, "variables": variables})

    def closed(self) -> tuple[int, str]:
        """The code and the reason by which the server closes it."""
        try:
            while True:
                self.connection.recv(timeout=GIVE_UP_SECONDS)
        except ConnectionClosed as closed:
            end = closed.rcvd
        return (1006, "") if end is None else (end.code, end.reason)


@contextmanager
def socket(server: Server, **options: Any) -> Iterator[Socket]:
    options.setdefault("subprotocols", ["graphql-transport-ws"])
    url = server.url.replace("http", "ws", 1)
    with connect(f"{url}/graphql", proxy=None, **options) as connection:
        yield Socket(connection)


def statuses(updates: list[Any]) -> list[str]:
    """The statuses that are told, each run of equal ones once."""
    told = [update["data"]["buildUpdated"]["build"]["status"] for update in updates]
    return [one for place, one in enumerate(told) if told[place - 1 : place] != [one]]


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Server-sent events, each as its fields; the one with an id alone, too."""
    event: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            event[name] = value.removeprefix(" ")
        elif event.keys() - {""}:
            yield event
            event = {}


def test_both_ways_tell_what_is_reported_and_go_on_after_a_cursor(server: Server) -> None:
    with socket(server) as one:
        one.begin()
        one.ask("a", BUILDS)
        one.ask("b", "{ changeCursor }")
        # One operation after the other on a connection: the first one is under way.
        assert one.hear() == {"id": "b", "type": "next", "payload": {"data": {"changeCursor": "0"}}}
        assert one.hear() == {"id": "b", "type": "complete"}
        assert Player(server.url, server.user, server.token).play("0.17-fail") == []
        told = []
        while statuses(told)[-1:] != ["FAILED"]:
            message = one.hear()
            assert (message["id"], message["type"]) == ("a", "next")
            told.append(message["payload"])
        # Two that come within a moment are one update, and told as they are by then.
        assert [one for one in STATUSES if one in statuses(told)] == statuses(told)
        one.say(id="a", type="complete")
        one.say(type="ping", payload={"x": 1})
        assert one.hear() == {"type": "pong", "payload": {"x": 1}}
        # Where all of it came within a moment, there is nothing before the last one.
        earlier, last = ["0", *(update["data"]["buildUpdated"]["cursor"] for update in told)][-2:]
        # An id that was completed is free.
        one.ask("a", BUILDS, after=earlier)
        assert one.hear()["payload"] == told[-1]

    asked = {"query": BUILDS.replace("$after: String", "").replace("()", "").replace("after: $after, ", "")}
    for method, headers in (("POST", {}), ("GET", {"Last-Event-ID": earlier})):
        sent = {"params": asked} if method == "GET" else {"json": asked}
        with server.http.stream(method, "/graphql", headers={**EVENTS, **headers}, **sent) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            stream = events(answer.iter_lines())
            begin = next(stream)
            assert begin.keys() == {"id"}
            if headers:
                assert begin["id"] == earlier
                event = next(stream)
                assert (event["event"], event["id"]) == ("next", last)
                assert json.loads(event["data"]) == told[-1]


def test_any_operation_is_answered_as_events_and_errors_are_coded(long_server: Server) -> None:
    def answered(query: str) -> list[dict[str, str]]:
        answer = long_server.http.post("/graphql", json={"query": query}, headers=EVENTS)
        assert answer.status_code == 200
        return list(events(iter(answer.text.splitlines())))

    answer, end = answered("{ __typename }")
    assert json.loads(answer["data"]) == {"data": {"__typename": "Query"}}
    assert end == {"event": "complete", "data": ""}
    for query, code in (
        ("subscription { what }", "GRAPHQL_VALIDATION_FAILED"),
        ('subscription { buildUpdated(after: "x") { cursor } }', "CURSOR_INVALID"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
    ):
        answer, end = answered(query)
        assert json.loads(answer["data"])["errors"][0]["extensions"]["code"] == code
        with socket(long_server) as one:
            one.begin()
            one.ask("a", query)
            error = one.hear()
            assert (error["type"], error["payload"][0]["extensions"]["code"]) == ("error", code)
    refused = long_server.http.post("/graphql", json={"query": "subscription { buildUpdated { cursor } }"})
    assert refused.json()["errors"][0]["extensions"]["code"] == "OPERATION_UNSUPPORTED"


def test_each_breach_of_the_protocol_has_its_close_code(
    long_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = {"type": "connection_init"}
    ask = {"id": "a", "type": "subscribe", "payload": {"query": BUILDS}}
    for messages, code in (
        ([begin, begin], 4429),
        ([ask], 4401),
        ([begin, ask, ask], 4409),
        ([{"type": "hello"}], 4400),
        ([begin, {**ask, "id": 1}], 4400),
        ([begin, {**ask, "payload": []}], 4400),
        ([[]], 4400),
    ):
        with socket(long_server) as one:
            for message in messages:
                one.connection.send(json.dumps(message))
            assert one.closed()[0] == code, messages
    for content in ("{", "[" * 30_000, b"\x00"):
        with socket(long_server) as one:
            one.connection.send(content)
            assert one.closed()[0] == 4400
    with socket(long_server) as one:
        one.connection.send("x" * 64_001)
        assert one.closed()[0] == 1009
    with socket(long_server, subprotocols=["graphql-ws"]) as one:
        assert one.closed()[0] == 4406
    monkeypatch.setattr(websocket, "INITIALISATION_SECONDS", 0.01)
    with socket(long_server) as one:
        assert one.closed()[0] == 4408


def test_a_page_of_another_origin_opens_no_socket_unless_the_site_says_so(
    sqlite_url: str, tmp_path: Path
) -> None:
    with served(sqlite_url, tmp_path, cors_origins="https://dashboard.example.org") as server:
        for origin in (None, server.url, "https://dashboard.example.org"):
            with socket(server, origin=origin) as one:
                one.begin()
        with pytest.raises(InvalidStatus) as refused, socket(server, origin="https://evil.example.org"):
            pass
        assert refused.value.response.status_code == 403
        assert json.loads(refused.value.response.body)["error"] == "ORIGIN_REFUSED"


def test_who_may_not_read_hears_nothing(sqlite_url: str, tmp_path: Path) -> None:
    with served(sqlite_url, tmp_path, read_access="authenticated") as server:
        token = new_token(sqlite_url)
        with socket(server) as one:
            one.say(type="connection_init")
            code, reason = one.closed()
            assert (code, reason.partition(":")[0]) == (4401, "UNAUTHENTICATED")
        with socket(server) as one:
            one.say(type="connection_init", payload={"Authorization": "Bearer nonsense"})
            assert one.closed()[0] in (4401, 4403)
        with socket(server) as one:
            one.begin(authorization=f"Bearer {token}")
        with socket(server, additional_headers={"Authorization": f"Bearer {token}"}) as one:
            one.begin()
        asked = {"query": BUILDS}
        assert server.http.post("/graphql", json=asked, headers=EVENTS).status_code == 401


def test_the_end_of_the_server_ends_what_it_tells_so_that_clients_come_back(
    database_url: str, tmp_path: Path
) -> None:
    with ExitStack() as listening:
        http = listening.enter_context(httpx.Client(timeout=GIVE_UP_SECONDS))
        with served(database_url, tmp_path) as server:
            asked = http.stream("POST", f"{server.url}/graphql", json={"query": BUILDS}, headers=EVENTS)
            lines = listening.enter_context(asked).iter_lines()
            assert next(lines).startswith("id: ")
            one = listening.enter_context(socket(server))
            one.begin()
            one.ask("a", BUILDS)
        assert one.closed()[0] == 1012
        # The answer is whole, and has no `complete`: that would be the end of the subscription.
        assert [line for line in lines if line] == []
