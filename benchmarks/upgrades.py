"""`python -m benchmarks.upgrades`: how long those who report wait while a site is upgraded, on PostgreSQL.

The program of before serves the site and is reported to all the time: a graph with new specs, a build of its
root, a phase and the end, one request after the other. Beside it `spackmon db upgrade` of this checkout runs.
When that is done the program of before is killed: whoever waits then has waited for the upgrade's last step.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path

import httpx

from benchmarks.beside import again_and_again
from benchmarks.data import Size
from benchmarks.ingest import Graphs
from tests.server import PROGRAM, Server, served_by_process, worker_of

_HERE = Path(__file__).parents[1]

_STORED = 0, 200, 201

Wait = tuple[float, float, int]
"""When a report was sent, how many seconds it took, and the status of its answer, 0 if it got none."""


def main() -> int:
    """Print how long the upgrade took and how long reports waited; 1 if one was refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upgrades", description=__doc__)
    parser.add_argument("url", help="the site's database, as the program of before left it")
    parser.add_argument("before", type=Path, help="a checkout of the program of before, installed")
    asked = parser.parse_args()
    environment = {"SPACKMON_DISABLE_AUTHENTICATION": "true"}
    before = asked.before.resolve()
    # A worker takes its modules from the directory that it is started in.
    os.chdir(before)
    with tempfile.TemporaryDirectory(prefix="spackmon-upgrades-") as directory:
        program = before / ".venv" / "bin" / "spackmon"
        with served_by_process(asked.url, Path(directory), environment, program=program) as server:
            quiet: list[Wait] = []
            with _reporting(server, quiet, "quiet"):
                time.sleep(10)
            beside: list[Wait] = []
            with _reporting(server, beside, "beside"):
                began = time.monotonic()
                variables = {**os.environ, "SPACKMON_DATABASE_URL": asked.url}
                subprocess.run([PROGRAM, "db", "upgrade"], env=variables, cwd=_HERE, check=True)
                took = time.monotonic() - began
                _kill(server)
    print(f"the upgrade took {took:.0f} s; the machine's load is {os.getloadavg()[0]:.1f}")
    for name, waits in (("before", quiet), ("beside", beside)):
        print(f"{name}: {_described(waits, began)}")
    return int(any(status not in _STORED for *_, status in beside))


def _kill(server: Server) -> None:
    worker = worker_of(server)
    if server.process is not None:
        server.process.kill()
    os.kill(worker, signal.SIGKILL)


def _described(waits: list[Wait], began: float) -> str:
    refused = sum(status not in _STORED for *_, status in waits)
    middle = statistics.median(seconds for _, seconds, _ in waits)
    longest = sorted(waits, key=lambda wait: -wait[1])[:5]
    shown = ", ".join(f"{seconds:.1f} s (sent at {sent - began:.0f} s)" for sent, seconds, _ in longest)
    return f"{len(waits)} reports, {refused} refused, median {middle * 1000:.0f} ms, longest {shown}"


def _reporting(server: Server, waits: list[Wait], label: str) -> AbstractContextManager[None]:
    """Somebody who reports all the time; what each report waited is appended to `waits`."""
    graphs, numbers = Graphs(Size(specs=3_000, builds=1_000)), count()

    def send(path: str, body: bytes) -> dict[str, object]:
        began, status, found = time.monotonic(), 0, {}
        with suppress(httpx.HTTPError):
            answer = server.http.post(path, content=body, headers={"Content-Type": "application/json"})
            status, found = answer.status_code, answer.json()
        waits.append((began, time.monotonic() - began, status))
        return found if status in (200, 201) else {}

    def report() -> None:
        if waits and waits[-1][-1] == 0:
            return  # The program was killed.
        graph = graphs.new(f"{label}-{os.getpid()}-{next(numbers)}-")
        send("/ms1/specs/new/", graph)
        root = json.loads(graph)["spec"]["nodes"][0]["hash"]
        build = {
            "full_hash": root, "spack_version": "0.17.0", "tags": "nightly", "host_os": "debian12",
            "platform": "linux", "host_target": "zen2", "hostname": "upgraded", "kernel_version": "6.1",
        }  # fmt: skip
        found = send("/ms1/builds/new/", json.dumps(build).encode())
        known = found.get("data", {})
        if not isinstance(known, dict) or "build" not in known:
            return
        number_of_build = known["build"]["build_id"]
        phase = {"build_id": number_of_build, "phase_name": "build", "status": "SUCCESS", "output": "made"}
        send("/ms1/builds/phases/update/", json.dumps(phase).encode())
        end = {"build_id": number_of_build, "status": "SUCCESS"}
        send("/ms1/builds/update/", json.dumps(end).encode())

    return again_and_again(report)


if __name__ == "__main__":
    sys.exit(main())
