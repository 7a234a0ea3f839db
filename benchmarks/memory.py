"""A large log: how far the server's memory grows while it takes one, and whether it falls back."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.databases import Loaded
from benchmarks.measure import Result, at_most, cpu_seconds
from benchmarks.server import Server, served

TOPIC = "memory"
_LOG_BYTES = 50_000_000
_QUIET_SECONDS = 3.0
# What the allocator keeps for the next request is not a leak; half a log more after each would be one.
_FALLEN_BACK = 0.5

_ASCII = "libtool: compile: gcc -DHAVE_CONFIG_H -I. -O2 -g -c unit_{:06}.c -o unit_{:06}.o\n"
_QUOTES = "unit_{:06}.c:{:06}:5: error: ‘undeclared’ undeclared (first use in this function)\n"
_ENVIRONMENT = {
    "host_os": "debian12", "platform": "linux", "host_target": "zen2", "hostname": "bench",
    "kernel_version": "6.1",
}  # fmt: skip


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Both kinds of log, each on a server that has just started."""
    return [
        result
        for kind, line in (("ASCII", _ASCII), ("with ‘curly’ quotes", _QUOTES))
        for result in _one_log(loaded, kind, _LOG_BYTES // 10 if quick else _LOG_BYTES, line)
    ]


def _one_log(loaded: Loaded, kind: str, size: int, line: str) -> list[Result]:
    number_of_lines = size // len(line.format(0, 0).encode())
    text = "".join(line.format(number, number) for number in range(number_of_lines))
    log_bytes = len(text.encode())
    # As the clients write it: every character outside ASCII is six.
    body = {"build_id": 0, "phase_name": "build", "status": "SUCCESS", "output": text}
    with loaded.copy() as url, served(url) as server:
        build_id = _begin(server, loaded)
        _post(
            server, "builds/phases/update", {**body, "build_id": build_id, "phase_name": "edit", "output": ""}
        )
        posted = json.dumps({**body, "build_id": build_id}).encode()
        del text, body
        time.sleep(1)
        before, cpu_before = resident_bytes(server.process_id), cpu_seconds(server.process_id)
        with peak_of(server.process_id) as peak:
            _post_bytes(server, "builds/phases/update", posted)
            time.sleep(_QUIET_SECONDS)
        after = resident_bytes(server.process_id)
        cpu = cpu_seconds(server.process_id) - cpu_before
    what = f"a log of {log_bytes / 1e6:.0f} MB, {kind}"
    grown, kept = (peak[0] - before) / log_bytes, (after - before) / log_bytes
    return [
        Result(TOPIC, loaded.name, f"{what}: memory grows by", grown, "× the log", at_most(3)),
        Result(TOPIC, loaded.name, f"{what}: still held {_QUIET_SECONDS:g} s later", kept, "× the log",
               at_most(_FALLEN_BACK)),
        Result(TOPIC, loaded.name, f"{what}: server's CPU", cpu, "s"),
    ]  # fmt: skip


def _begin(server: Server, loaded: Loaded) -> int:
    """A build to report on."""
    found = server.http.post("/graphql", json={"query": "{ specs(first: 1) { nodes { hash } } }"}).json()
    spec_hash = found["data"]["specs"]["nodes"][0]["hash"]
    body = {"full_hash": spec_hash, "spack_version": "0.17.0", "tags": None, **_ENVIRONMENT}
    return int(_post(server, "builds/new", body)["data"]["build"]["build_id"])


def _post(server: Server, path: str, body: dict[str, Any]) -> dict[str, Any]:
    return _post_bytes(server, path, json.dumps(body).encode())


def _post_bytes(server: Server, path: str, body: bytes) -> dict[str, Any]:
    answer = server.http.post(f"/ms1/{path}/", content=body, headers={"Content-Type": "application/json"})
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def peak_of(process_id: int) -> Iterator[list[int]]:
    """The most memory the process had while the block ran, in a list of one once it is over.

    Sampled, because the kernel's own high-water mark also holds what was there before.
    """
    peak, over = [0], Event()

    def watch() -> None:
        while not over.wait(0.002):
            peak[0] = max(peak[0], resident_bytes(process_id))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def resident_bytes(process_id: int) -> int:
    status = Path(f"/proc/{process_id}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024
