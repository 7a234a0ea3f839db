"""HTTP/1.1 as uvicorn speaks it, with bounds on what a connection takes before the application hears of it.

The parser keeps a header until it is whole and its caller keeps all of them; nobody else counts their
bytes, or how long they take. What cannot be read is answered as every other error is, and what the client is
still sending is read on for a moment: closed under its hands, the connection would swallow the answer.
"""

import asyncio
import json
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from spackmon.errors import Code
from spackmon.http.answers import RETRY_AFTER_SECONDS

_TIMED_OUT, _HEAD_TOO_LARGE = 408, 431
_CODES = {Code.BUSY.status: Code.BUSY}
_SENTENCES = {
    Code.BUSY.status: "the server has as many connections as it may: try again in a moment",
    _TIMED_OUT: "the request came too slowly",
    _HEAD_TOO_LARGE: "the request's line and headers are too large: expected at most {0} bytes",
}
_UNREADABLE = "this is no request of HTTP/1.1"


class _HeadTooLargeError(Exception):
    """Goes through the parser, which ends with it."""


class _NoUpgrades(httptools.HttpRequestParser):
    """A parser that reads a request as if its Upgrade header were not there (RFC 9110, section 7.8).

    llhttp takes all that follows such a head for another protocol: the body of a client that would rather
    speak h2c would be lost. One that may be answered in HTTP/1.1 sends the body in it.
    """

    def __init__(self, protocol: "BoundedProtocol") -> None:
        super().__init__(protocol)
        self._protocol = protocol

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """As of the class; goes on after the head with another parser."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.get_method() == b"CONNECT":
                raise
            self._protocol.read_again(data[upgrade.args[0] :])


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
    maximum_connections = 800
    """Beyond it the one that was unused for longest makes room; each takes a file descriptor."""
    _linger_seconds = 2.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        self._begin_parser()
        self._is_refused = False
        self._refused_status = Code.HTTP_REFUSED.status
        self._unread_bytes = self._head_bytes = self._body_bytes = 0
        self._is_in_body = False
        self._head_since: float | None = self.loop.time()
        self._slow_since: float | None = None
        self._looking = self.loop.call_later(self.look_seconds, self._look)
        if len(self.connections) > self.maximum_connections:
            self._make_room()

    def _make_room(self) -> None:
        """Close the connection on which nothing was asked for longest; this one, if all others are in use."""
        every = [one for one in self.connections if isinstance(one, BoundedProtocol)]
        others = [one for one in every if one is not self and not one.transport.is_closing()]
        if len(others) < self.maximum_connections:
            return
        since = {one: one._head_since for one in others if not one._is_refused and one._is_idle()}
        unused = {one: seconds for one, seconds in since.items() if seconds is not None}
        if unused:
            min(unused, key=lambda one: unused[one]).transport.close()
        else:
            self._refuse(Code.BUSY.status)

    def _begin_parser(self) -> None:
        self.parser = _NoUpgrades(self)
        # Whoever says `close` and sends more is answered all the same.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _is_upgrade(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def read_again(self, rest: bytes) -> None:
        """Read a head that has come once more, without its Upgrade, and the rest of the data after it."""
        line = b"%s %s HTTP/%s\r\n" % (
            self.parser.get_method(), self.url, self.parser.get_http_version().encode(),
        )  # fmt: skip
        headers = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        self._begin_parser()
        self.parser.feed_data(line + b"".join(headers) + b"\r\n" + rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._looking.cancel()
        super().connection_lost(exc)

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
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer was sent."""
        super().on_response_complete()
        self._head_since = self.loop.time()

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
            self._refuse(_TIMED_OUT) if self._unread_bytes else self.transport.close()
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
        """Answer that the request cannot be read, and end the connection."""
        self._is_refused = True
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The application waits for more of the body, which will not come.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        sentence = _SENTENCES.get(status, _UNREADABLE).format(f"{self.maximum_head_bytes:,}")
        body = json.dumps(_refusal_body(status, sentence)).encode()
        content = [STATUS_LINE[status]]
        for name, value in self.server_state.default_headers:
            content += [name, b": ", value, b"\r\n"]
        if _CODES.get(status, Code.HTTP_REFUSED).retryable:
            content.append(b"retry-after: %s\r\n" % RETRY_AFTER_SECONDS.encode())
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
    code = _CODES.get(status, Code.HTTP_REFUSED)
    return {"message": sentence, "code": status, "error": code, "retryable": code.retryable}
