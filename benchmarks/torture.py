"""`python -m benchmarks.torture`: what others notice while three clients send a server one hostile body.

For each body a new server over a new database. Others ask for /healthz again and again, and an old client
reports phases; a second server, which nobody attacks, is asked beside it and shows what the machine itself is
to blame for.
"""

import argparse
import contextlib
import http.client
import json
import multiprocessing
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

from benchmarks.databases import DatabaseName, temporary_postgresql
from benchmarks.hostile import bodies
from benchmarks.server import Server, served

_CLIENTS = 3
_PAUSE_SECONDS = 0.02
_PAUSE_OF_WRITER_SECONDS, _PAUSE_WHEN_BUSY_SECONDS = 0.1, 0.2
_GIVE_UP_SECONDS = 120.0
ENVIRONMENT = {
    "host_os": "debian12", "platform": "linux", "host_target": "zen2", "hostname": "torture",
    "kernel_version": "6.1",
}  # fmt: skip
HASH = "torturetorturetorturetorturetort"
SPEC: dict[str, Any] = {
    "_meta": {"version": 2},
    "nodes": [
        {
            "name": "torture", "version": "1.0",
            "arch": {"platform": "linux", "platform_os": "debian12", "target": "zen2"},
            "compiler": {"name": "gcc", "version": "12"}, "namespace": "builtin", "parameters": {},
            "hash": HASH, "full_hash": HASH, "build_hash": HASH, "package_hash": HASH,
        }
    ],
}  # fmt: skip
_HEAD = (
    "| body | answered with | others wait at most, ms | of it the machine's, ms | memory at most, MB "
    "| writes answered | refused or lost |\n|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Noticed:
    """What others noticed while one body was sent; `idle_milliseconds` is of the server beside."""

    name: str
    statuses: Counter[str]
    milliseconds: float
    idle_milliseconds: float
    peak_bytes: int
    writes: Counter[int]

    @property
    def writes_answered(self) -> int:
        """How many reports of a phase were taken."""
        return self.writes[200]

    def row(self) -> str:
        """A line of the table."""
        answered = ", ".join(f"{count} × {status}" for status, count in self.statuses.most_common())
        return (
            f"| {self.name} | {answered} | {self.milliseconds:.0f} | {self.idle_milliseconds:.0f} "
            f"| {self.peak_bytes / 1e6:.0f} | {self.writes_answered} "
            f"| {self.writes.total() - self.writes_answered} |"
        )


def main() -> None:
    """Print a line for each body that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of bodies; all if none is given")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=5, help="for each body (default 5)")
    asked = parser.parse_args()
    names = [name for name in bodies() if not asked.names or any(part in name for part in asked.names)]
    print(f"{asked.database}; the machine's load is {os.getloadavg()[0]:.1f}\n\n{_HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as directory, served(f"sqlite:///{directory}/idle.db") as idle:
        for name in names:
            with _new(asked.database) as url:
                print(torture(name, url, idle, asked.seconds).row(), flush=True)


@contextlib.contextmanager
def _new(name: DatabaseName) -> Iterator[str]:
    if name == "postgresql":
        with temporary_postgresql() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{directory}/site.db"


def torture(name: str, url: str, idle: Server, seconds: float, clients: int = _CLIENTS) -> Noticed:
    """Send one of `bodies()` again and again to a new server over the database at `url`."""
    with served(url) as server:
        writer = _Writer(server, begin(server))
        with _attacked(server.port, name, seconds, clients) as statuses:
            writer.start()
            milliseconds, idle_milliseconds = _asked_meanwhile((server, idle), seconds)
        writer.over.set()
        writer.join()
        peak = _peak_bytes(server.process_id)
    return Noticed(name, statuses, milliseconds, idle_milliseconds, peak, writer.statuses)


@contextlib.contextmanager
def _attacked(port: int, name: str, seconds: float, clients: int) -> Iterator[Counter[str]]:
    """From when all clients are ready; what they were answered is counted when the block is over."""
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    start = context.Event()
    processes: Sequence[BaseProcess] = [
        context.Process(target=_attack, args=(port, name, number, seconds, start, queue))
        for number in range(clients)
    ]
    statuses: Counter[str] = Counter()
    try:
        for process in processes:
            process.start()
        for _ in processes:
            queue.get(timeout=_GIVE_UP_SECONDS)
        start.set()
        yield statuses
        for _ in processes:
            statuses += queue.get(timeout=_GIVE_UP_SECONDS)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _attack(port: int, name: str, client: int, seconds: float, start: Any, queue: Any) -> None:
    """Send the body until the time is over; what came back is put into the queue."""
    hostile = bodies()[name]()
    queue.put(None)
    start.wait()
    statuses: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    number = client * 1_000_000
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_GIVE_UP_SECONDS)
    while time.monotonic() < deadline:
        number += 1
        sent = hostile(number)
        try:
            connection.request(sent.method, sent.path, sent.body, {"Content-Type": sent.content_type})
            answer = connection.getresponse()
            statuses[_summary(answer.status, answer.read())] += 1
            if answer.status == 503:
                time.sleep(_PAUSE_WHEN_BUSY_SECONDS)
        except (OSError, http.client.HTTPException) as error:
            statuses[type(error).__name__] += 1
            connection.close()
    queue.put(statuses)


def _summary(status: int, body: bytes) -> str:
    if not body.startswith(b"{"):
        return str(status)
    errors = json.loads(body).get("errors") or [{}]
    return f"{status} {errors[0].get('extensions', {}).get('code', '')}".strip()


def begin(server: Server) -> int:
    """A build to report on."""
    spec = {"spec": SPEC, "spack_version": "0.17.0"}
    server.http.post("/ms1/specs/new/", json=spec).raise_for_status()
    build = {"full_hash": HASH, "spack_version": "0.17.0", "tags": None, **ENVIRONMENT}
    answer = server.http.post("/ms1/builds/new/", json=build)
    answer.raise_for_status()
    return int(answer.json()["data"]["build"]["build_id"])


class _Writer(threading.Thread):
    """Reports a phase again and again, as an old client does; an answer that never came is status 0."""

    def __init__(self, server: Server, build_id: int) -> None:
        super().__init__(daemon=True)
        self._url, self._build_id = server.url, build_id
        self.over = threading.Event()
        self.statuses: Counter[int] = Counter()

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=_GIVE_UP_SECONDS) as client:
            while True:
                self.statuses[self._reported(client)] += 1
                if self.over.wait(_PAUSE_OF_WRITER_SECONDS):
                    return

    def _reported(self, client: httpx.Client) -> int:
        body = {
            "build_id": self._build_id, "phase_name": f"p{self.statuses.total() % 20}",
            "status": "SUCCESS", "output": "x\n",
        }  # fmt: skip
        try:
            return client.post("/ms1/builds/phases/update/", json=body).status_code
        except httpx.TransportError:
            return 0


def _asked_meanwhile(servers: Sequence[Server], seconds: float) -> tuple[float, ...]:
    """How long each of them took at most to say that it is healthy."""
    connections = [http.client.HTTPConnection("127.0.0.1", server.port) for server in servers]
    waits: list[list[float]] = [[] for _ in servers]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for connection, longest in zip(connections, waits, strict=True):
            longest.append(_asked_for_health(connection))
        time.sleep(_PAUSE_SECONDS)
    for connection in connections:
        connection.close()
    return tuple(map(max, waits))


def _asked_for_health(connection: http.client.HTTPConnection) -> float:
    began = time.perf_counter()
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    return (time.perf_counter() - began) * 1000


def _peak_bytes(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
