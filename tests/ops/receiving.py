"""Who is told: a real HTTP server, which answers what a test says and keeps what it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from spackmon.ops.notifications.webhook import signed_headers


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery(self) -> str:
        """The id of the message."""
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        """The JSON of its body."""
        message: dict[str, Any] = json.loads(self.body)
        return message

    def is_signed_by(self, key: bytes) -> bool:
        """Whether who has the key sent it."""
        expected = signed_headers(key, self.delivery, int(self.headers["webhook-timestamp"]), self.body)
        return self.headers["webhook-signature"] == expected["Webhook-Signature"]


@dataclass
class Receiver:
    """A running server; `answers` are the statuses of its next answers, after which all are 200."""

    port: int
    requests: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is sent to."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def titles(self) -> list[str]:
        """What it was told of, in order."""
        return [request.message["data"]["title"] for request in self.requests]


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver as long as the block; one that was away comes back at its port."""
    receiver = Receiver(port)
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.path, headers, body))
            receiver.may_answer.wait()
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"taken\n")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
