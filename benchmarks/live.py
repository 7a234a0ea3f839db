"""`python -m benchmarks.live`: what subscribers miss of a server that is killed while reports come.

Each has a WebSocket of its own and goes on after its last cursor. An old client begins builds, one after the
other, on machines of their own; meanwhile the process that answers is killed twice. Every subscriber has to
hear of every build.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.databases import DatabaseName, temporary_postgresql
from benchmarks.server import Server, served, worker_of
from benchmarks.torture import ENVIRONMENT, HASH, begin

_PAUSE_SECONDS = 0.2
_GIVE_UP_SECONDS = 300.0
_QUERY = "subscription ($after: String) { buildUpdated(after: $after) { cursor build { id } } }"


@dataclass(slots=True)
class Subscriber:
    """What one heard: the builds, each with when that was, and how often it had to connect."""

    after: str
    seen_at_seconds: dict[str, float] = field(default_factory=dict)
    updates: int = 0
    connections: int = 0

    async def listen(self, url: str) -> None:
        """Hear for ever."""
        while True:
            with contextlib.suppress(OSError, WebSocketException):
                async with connect(url, subprotocols=["graphql-transport-ws"], proxy=None) as socket:
                    self.connections += 1
                    await socket.send('{"type": "connection_init"}')
                    await socket.recv()
                    payload = {"query": _QUERY, "variables": {"after": self.after}}
                    await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
                    async for message in socket:
                        self._hear(json.loads(message))
            await asyncio.sleep(_PAUSE_SECONDS)

    def _hear(self, message: dict[str, object]) -> None:
        if message["type"] != "next":
            raise RuntimeError(f"the server said {message}")
        update = message["payload"]["data"]["buildUpdated"]  # type: ignore[index]
        self.after, self.updates = update["cursor"], self.updates + 1
        self.seen_at_seconds.setdefault(update["build"]["id"], time.monotonic())


async def _report(server: Server, builds: int, supervisor_id: int) -> dict[str, float]:
    """Begin builds, and kill the server meanwhile; when each was acknowledged."""
    acknowledged: dict[str, float] = {}
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        for number in range(builds):
            if number in (builds // 3, builds // 2):
                os.kill(worker_of(supervisor_id), signal.SIGKILL)
            build = {"full_hash": HASH, "spack_version": "0.17.0", "tags": None,
                     **ENVIRONMENT, "hostname": f"node-{number}"}  # fmt: skip
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.post("/ms1/builds/new/", json=build)
                    if answer.status_code < 300:
                        break
                await asyncio.sleep(_PAUSE_SECONDS)
            acknowledged[str(answer.json()["data"]["build"]["build_id"])] = time.monotonic()
    return acknowledged


async def measure(server: Server, subscribers: int, builds: int) -> str:
    """A line of the table."""
    begin(server)
    cursor = server.http.post("/graphql", json={"query": "{ changeCursor }"}).json()["data"]["changeCursor"]
    url = f"{server.url.replace('http', 'ws', 1)}/graphql"
    everybody = [Subscriber(cursor) for _ in range(subscribers)]
    listening = [asyncio.create_task(one.listen(url)) for one in everybody]
    while any(one.connections == 0 for one in everybody):
        await asyncio.sleep(_PAUSE_SECONDS)
    acknowledged = await _report(server, builds, server.supervisor_id)
    give_up_at = time.monotonic() + _GIVE_UP_SECONDS
    missing = _missing(everybody, acknowledged)
    while missing and time.monotonic() < give_up_at:
        await asyncio.sleep(_PAUSE_SECONDS)
        missing = _missing(everybody, acknowledged)
    for task in listening:
        task.cancel()
    waits = sorted(
        1000 * (one.seen_at_seconds[build] - at)
        for one in everybody for build, at in acknowledged.items() if build in one.seen_at_seconds
    )  # fmt: skip
    updates = sum(one.updates for one in everybody)
    connections = sum(one.connections for one in everybody)
    return (
        f"| {subscribers} | {len(acknowledged)} | {connections} | {updates:,} | {missing} "
        f"| {statistics.median(waits):.0f} | {waits[len(waits) * 99 // 100]:.0f} |"
    )


def _missing(everybody: list[Subscriber], acknowledged: dict[str, float]) -> int:
    return sum(len(acknowledged.keys() - one.seen_at_seconds.keys()) for one in everybody)


@contextlib.contextmanager
def _new(name: DatabaseName) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        if name == "postgresql":
            yield stack.enter_context(temporary_postgresql())
        else:
            yield f"sqlite:///{Path(stack.enter_context(tempfile.TemporaryDirectory())) / 'site.db'}"


def main() -> None:
    """Print a line for each database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="by default both")
    parser.add_argument("--subscribers", type=int, default=200)
    parser.add_argument("--builds", type=int, default=300)
    asked = parser.parse_args()
    print(
        "| database | subscribers | builds | connections | updates | missed | median wait, ms | 99th, ms |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    names: tuple[DatabaseName, ...] = ("sqlite", "postgresql")
    for name in (asked.database,) if asked.database else names:
        with _new(name) as url, served(url) as server:
            line = asyncio.run(measure(server, asked.subscribers, asked.builds))
            print(f"| {name} {line}", flush=True)


if __name__ == "__main__":
    main()
