"""HTTP/1.1 as uvicorn speaks it, with bounds on what a connection takes before the application hears of it.

The parser keeps a header until it is whole and its caller keeps all of them; nobody else counts their
bytes, or how long they take. What cannot be read is answered as every other error is, and what the client is
still sending is read on for a moment: closed under its hands, the connection would swallow the answer.
"""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from spackmon.errors import Code
from spackmon.http.websocket_protocol import WebSocketProtocol

_TIMED_OUT, _HEAD_TOO_LARGE = 408, 431
_SENTENCES = {
    _TIMED_OUT: "the request came too slowly",
    _HEAD_TOO_LARGE: "the request's line and headers are too large: expected at most {0} bytes",
}
_UNREADABLE = "this is no request of HTTP/1.1"


class _HeadTooLargeError(Exception):
    """Goes through the parser, which ends with it."""


class _NoUpgrades(httptools.HttpRequestParser):
    """A parser that reads a request as if its Upgrade header were not there (RFC 9110, section 7.8).

    Only one to a WebSocket where there is one is left to the library.

    llhttp takes all that follows such a head for another protocol: the body of a client that would rather
    speak h2c would be lost. One that may be answered in HTTP/1.1 sends the body in it.
    """

    def __init__(self, protocol: "BoundedProtocol") -> None:
        super().__init__(protocol)
        self._protocol = protocol

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """As of the class; goes on after the head with another parser."""
        parser, rest = self, memoryview(data)
        while True:
            try:
                super(_NoUpgrades, parser).feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if parser.get_method() == b"CONNECT" or self._protocol.wants_websocket():
                    raise
                rest = rest[upgrade.args[0] :]
                parser = self._protocol.read_again()


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    maximum_head_bytes = 64_000
    """Of a request's line, headers and trailers; more than any proxy lets through."""
    head_seconds = 30.0
    """For a head to come, from the connection or the last answer on."""
    slow_seconds = 30.0
    """For which a body may come more slowly than `least_bytes_per_second`."""
    least_bytes_per_second = 500
    look_seconds = 5.0
    kept_seconds = 1.0
    """After an answer, for which a connection stays though others wait for its place."""
    silent_seconds = 5.0
    """As `kept_seconds`, of one that has not sent a whole head."""
    _linger_seconds = 2.0

    websocket_paths = frozenset((b"/graphql", b"/graphql/"))
    """Where a WebSocket may be opened; elsewhere a request for one is an ordinary request."""

    on_end: Callable[[], None] = staticmethod(lambda: None)
    """Called when the connection is gone."""
    is_crowded: Callable[[], bool] = staticmethod(lambda: False)
    """Whether others wait for a place."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._begin_parser()
        self._is_refused = False
        self._refused_status = Code.HTTP_REFUSED.status
        self._due_status: int | None = None
        self._unread_bytes = self._head_bytes = self._body_bytes = 0
        self._is_in_body = False
        self._head_since: float | None = self.loop.time()
        self._slow_since: float | None = None
        self._looking = self.loop.call_later(self.look_seconds, self._look)

    def unused_since(self) -> float | None:
        """The loop's time of the last answer or the beginning; None while the connection may not make room.

        One that has just begun may have sent a request that was not read yet.
        """
        if self._is_refused or self._head_since is None or not self._is_idle() or self.transport.is_closing():
            return None
        is_kept = self.cycle is not None and not self._unread_bytes
        least_seconds = self.kept_seconds if is_kept else self.silent_seconds
        return self._head_since if self.loop.time() - self._head_since >= least_seconds else None

    def end_unused(self) -> None:
        """End a connection on which no request is under way; whoever has begun one hears that it is late."""
        self._refuse(_TIMED_OUT) if self._unread_bytes else self.transport.close()

    def _begin_parser(self) -> None:
        self.parser: _NoUpgrades = _NoUpgrades(self)
        # Whoever says `close` and sends more is answered all the same.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def wants_websocket(self) -> bool:
        """Whether the head that has come asks for a WebSocket, where there is one (RFC 6455, section 4.1)."""
        names = {name for name, _ in self.headers}
        return (
            self.parser.get_method() == b"GET"
            and self.url.partition(b"?")[0] in self.websocket_paths
            and b"sec-websocket-key" in names
            and self._should_upgrade()
        )

    def handle_websocket_upgrade(self) -> None:
        """The connection is a WebSocket's from now on; it keeps its place among the connections."""
        self._looking.cancel()
        self._head_since = None
        self._unread_bytes = 0
        self.ws_protocol_class = partial(WebSocketProtocol, on_end=self.on_end)  # type: ignore[assignment]
        super().handle_websocket_upgrade()

    def _is_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def read_again(self) -> _NoUpgrades:
        """Read a head that has come once more, without its Upgrade; gives the parser for what follows."""
        line = b"%s %s HTTP/%s\r\n" % (
            self.parser.get_method(), self.url, self.parser.get_http_version().encode(),
        )  # fmt: skip
        headers = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self._begin_parser()
        parser = self.parser
        parser.feed_data(line + b"".join(headers) + b"\r\n")
        return parser

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._looking.cancel()
        super().connection_lost(exc)
        self.on_end()

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        if self._is_refused:
            return
        self._unread_bytes += len(data)
        super().data_received(data)
        # What the parser keeps to itself, in pieces of a header or between two pieces of a body.
        if self._unread_bytes > self.maximum_head_bytes and not self._is_refused:
            self._refuse(_HEAD_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head_bytes = 0
        self._head_since = self._head_since or self.loop.time()

    def on_url(self, url: bytes) -> None:
        """A part of the request's line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or a trailer."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head has come."""
        if self._is_upgrade():
            self.scope["method"] = self.parser.get_method().decode("ascii")
            return
        self._unread_bytes = 0
        self._head_since = self._slow_since = None
        self._body_bytes, self._is_in_body = 0, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._unread_bytes = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request has come."""
        if self._is_upgrade():
            return
        self._unread_bytes = 0
        self._is_in_body = False
        if self.is_crowded() and not self.cycle.response_started:
            self.cycle.keep_alive = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer was sent."""
        was_last = not self.pipeline
        super().on_response_complete()
        self._head_since = self.loop.time()
        if was_last and self._due_status is not None and not self.transport.is_closing():
            self._end_with(self._due_status)

    def send_400_response(self, msg: str) -> None:
        """The parser gave up."""
        self._refuse(self._refused_status)

    def _count(self, size_bytes: int) -> None:
        self._head_bytes += size_bytes
        if self._head_bytes > self.maximum_head_bytes:
            self._refused_status = _HEAD_TOO_LARGE
            raise _HeadTooLargeError

    def _look(self) -> None:
        """See whether the client is too slow."""
        now = self.loop.time()
        self._looking = self.loop.call_later(self.look_seconds, self._look)
        if self._is_refused or self.transport.is_closing():
            return
        if self._head_since is not None and now - self._head_since > self.head_seconds and self._is_idle():
            self.end_unused()
            return
        is_slow = self._body_bytes < self.least_bytes_per_second * self.look_seconds
        self._body_bytes = 0
        if not self._is_in_body or not is_slow or self.flow.read_paused:
            self._slow_since = None
            return
        self._slow_since = self._slow_since or now
        if now - self._slow_since > self.slow_seconds:
            self._refuse(_TIMED_OUT)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self, status: int) -> None:
        """Answer that the request cannot be read, after those before it, and end the connection."""
        self._is_refused = True
        is_after_others = bool(self.pipeline) or not (self._is_idle() or self._is_in_body)
        if self.pipeline and self._is_in_body:
            self.pipeline.popleft()
        if is_after_others:
            self._due_status = status
            return
        if not self._is_idle():
            if self.cycle.response_started:
                self.transport.close()
                return
            # The application waits for more of the body, which will not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._end_with(status)

    def _end_with(self, status: int) -> None:
        sentence = _SENTENCES.get(status, _UNREADABLE).format(f"{self.maximum_head_bytes:,}")
        body = json.dumps(_refusal_body(status, sentence)).encode()
        content = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            content += [name, b": ", value, b"\r\n"]
        content += [
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\nconnection: close\r\n",
            b"content-length: %d\r\n\r\n" % len(body),
            body,
        ]
        self.transport.write(b"".join(content))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(self._linger_seconds, self.transport.close)


def _refusal_body(status: int, sentence: str) -> dict[str, Any]:
    code = Code.HTTP_REFUSED
    return {"message": sentence, "code": status, "error": code, "retryable": code.retryable}
