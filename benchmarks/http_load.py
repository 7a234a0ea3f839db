"""Many clients of an HTTP server, in a process of their own: a server's figures hold nothing of theirs.

`python -m benchmarks.http_load` reads one JSON object a line (a `_Work`) and answers each with another (a
`Load`). It speaks just enough HTTP: POST on connections that stay open, answers with a Content-Length.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from typing import Any, cast

import uvloop

CLIENTS = 16
NUMBER = "@" * 12
"""In its place a question has another number each time: its answer is none that was kept."""
_PLACE, _NUMBERS = NUMBER.encode(), count()
EACH = "@each@"
"""In its place each client has another of the words that are given for it."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many answers the clients got, in how many seconds, and the milliseconds to wait (the median)."""

    answers: int
    seconds: float
    wait: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


@dataclass(frozen=True, slots=True)
class _Work:
    port: int
    path: str
    body: str
    seconds: float
    each: list[str]


class Clients:
    """The process of the clients."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def load(
        self, port: int, path: str, question: dict[str, Any], seconds: float, each: Sequence[str] = ("",)
    ) -> Load:
        """All ask the same again and again; RuntimeError unless every answer of one is a 200 of one length.

        There are as many clients as words in `each`, CLIENTS at least.
        """
        work = _Work(port, path, json.dumps(question), seconds, list(each))
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("the process has no pipes")
        self._process.stdin.write(json.dumps(asdict(work)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the clients gave up: an answer was not what they expect")
        return Load(**json.loads(answer))


@contextmanager
def clients() -> Iterator[Clients]:
    """Clients for as long as the block."""
    command = [sys.executable, "-m", "benchmarks.http_load"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Clients(process)
        finally:
            process.terminate()


class _Client(asyncio.Protocol):
    """Sends the request again whenever an answer is whole, until the time is over."""

    def __init__(self, request: bytes, deadline: float) -> None:
        self._request, self._deadline = request, deadline
        self._transport: asyncio.Transport | None = None
        self._head, self._missing, self._asked = b"", 0, 0.0
        self.waits: list[float] = []
        self.length: int | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._head, self._missing, self._asked = b"", -1, time.perf_counter()
        if self._transport is not None:
            self._transport.write(self._request.replace(_PLACE, b"%012d" % next(_NUMBERS)))

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._missing = self._length(head)
            data = body
        self._missing -= len(data)
        if self._missing:
            return
        now = time.perf_counter()
        self.waits.append(now - self._asked)
        if now < self._deadline:
            self._ask()
        elif self._transport is not None:
            self._transport.close()

    def _length(self, head: bytes) -> int:
        status, *fields = head.lower().split(b"\r\n")
        values = [field.partition(b":")[2] for field in fields if field.startswith(b"content-length:")]
        length = int(values[0]) if values else -1
        if b" 200 " not in status or self.length not in (None, length) or length < 0:
            raise RuntimeError(f"not an answer as the others: {head[:300]!r}")
        self.length = length
        return length

    def connection_lost(self, exc: Exception | None) -> None:
        if self._missing:
            self.over.set_exception(exc or RuntimeError("the server closed the connection"))
        else:
            self.over.set_result(None)


async def _run(work: _Work) -> Load:
    loop, began = asyncio.get_running_loop(), time.perf_counter()
    made = [
        (
            await loop.create_connection(
                partial(_Client, _request(work, number), began + work.seconds), "127.0.0.1", work.port
            )
        )[1]
        for number in range(max(CLIENTS, len(work.each)))
    ]
    await asyncio.gather(*(client.over for client in made))
    waits = [wait for client in made for wait in client.waits]
    return Load(len(waits), time.perf_counter() - began, statistics.median(waits) * 1000)


def _request(work: _Work, number: int) -> bytes:
    body = work.body.replace(EACH, work.each[number % len(work.each)]).encode()
    head = f"POST {work.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            print(json.dumps(asdict(runner.run(_run(_Work(**json.loads(line)))))), flush=True)


if __name__ == "__main__":
    _main()
