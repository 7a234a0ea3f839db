"""`python -m benchmarks.processes`: what one serving process takes on PostgreSQL, and what a second one adds.

How fast phases with a log of 10 kB are taken, of builds of one package and of many, by one process and by two
in turns; what it takes to start; what an idle process has of memory; and whether it grows while recorded
clients report.
"""

import argparse
import compileall
import copy
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import spackmon
from benchmarks.databases import temporary_postgresql
from benchmarks.faults.clients import Client, reporting
from benchmarks.http_load import CLIENTS, EACH, NUMBER, Clients, clients
from benchmarks.measure import backends, cpu_seconds
from benchmarks.memory import resident_bytes
from benchmarks.server import Server, served
from benchmarks.torture import ENVIRONMENT, HASH, SPEC
from tests.server import USER, new_token

_LOG_BYTES = 10_000
_LINE = "libtool: compile: gcc -DHAVE_CONFIG_H -I. -O2 -g -c unit.c -o unit.o\n"
_PATH = "/ms1/builds/phases/update/"
_ROUNDS, _STARTS = 3, 5
_SAMPLE_SECONDS = 1.0
_MB = 1e6


def main() -> None:
    """Print the four."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processes", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="for each round of phases (default 10)")
    parser.add_argument("--clients", type=int, default=200, help="who report while it may grow (default 200)")
    parser.add_argument("--growth-seconds", type=float, default=3600, help="for so long (default 3600)")
    asked = parser.parse_args()
    print(f"the machine's load is {os.getloadavg()[0]:.1f}", flush=True)
    with temporary_postgresql() as url:
        _starts(url)
        _phases(url, asked.seconds)
        _growth(url, asked.clients, asked.growth_seconds)


def _starts(url: str) -> None:
    seconds, processor, idle = [], [], []
    # As pip leaves it: a checkout whose environment forbids to write bytecode compiles it at each start.
    compileall.compile_dir(Path(spackmon.__file__).parent, quiet=1)
    for _ in range(_STARTS):
        began = time.monotonic()
        with served(url) as server:
            seconds.append(time.monotonic() - began)
            processor.append(cpu_seconds(server.process_id) + cpu_seconds(server.supervisor_id))
            time.sleep(2)
            idle.append(resident_bytes(server.process_id) / _MB)
            supervisor = resident_bytes(server.supervisor_id) / _MB
    print(
        f"start to the first answer of /readyz: {statistics.median(seconds):.1f} s "
        f"(fastest {min(seconds):.1f}), of CPU {statistics.median(processor):.2f} s\n"
        f"idle: {statistics.median(idle):.0f} MB, and {supervisor:.0f} of its supervisor",
        flush=True,
    )


def _phases(url: str, seconds: float) -> None:
    """The rates of one process and of both, in turns: each client reports on a build of its own."""
    with ExitStack() as stack:
        servers = [stack.enter_context(served(url)) for _ in range(2)]
        loads = [stack.enter_context(clients()) for _ in servers]
        for kind, packages in (("one package", 1), ("many packages", 2 * CLIENTS)):
            builds = [
                [_build(servers[0], number, packages) for number in range(at, at + CLIENTS)]
                for at in (0, CLIENTS)
            ]
            _compare(kind, url, servers, loads, builds, seconds)


def _compare(
    kind: str,
    url: str,
    servers: Sequence[Server],
    loads: Sequence[Clients],
    builds: Sequence[Sequence[str]],
    seconds: float,
) -> None:
    # Plans and pools of both are as they are for good.
    _rate(servers, loads, builds, seconds)
    alone, both, costs = [], [], []
    for _ in range(_ROUNDS):
        before = _cpu(servers[:1], url)
        rate, answers = _rate(servers[:1], loads, builds, seconds)
        alone.append(rate)
        costs.append([(end - start) * 1000 / answers
                      for start, end in zip(before, _cpu(servers[:1], url), strict=True)])  # fmt: skip
        both.append(_rate(servers, loads, builds, seconds)[0])
    own, database = (statistics.median(column) for column in zip(*costs, strict=True))
    one, two = statistics.median(alone), statistics.median(both)
    print(
        f"phases with {_LOG_BYTES // 1000} kB of builds of {kind}: one process {one:.0f} a second, "
        f"two {two:.0f} ({two / one:.2f} ×); of CPU {own:.2f} ms of "
        f"the process and {database:.2f} ms of PostgreSQL each",
        flush=True,
    )


def _build(server: Server, number: int, packages: int) -> str:
    """A build of a machine of its own, of one of so many packages."""
    spec = copy.deepcopy(SPEC)
    (node,) = spec["nodes"]
    node["name"] = f"package{number % packages}"
    # Base32 has no 0, 1, 8 and 9.
    name = f"{number % packages:b}".zfill(8).replace("0", "a").replace("1", "b")
    for kind in ("hash", "full_hash", "build_hash", "package_hash"):
        node[kind] = HASH[: -len(name)] + name
    version = {"spack_version": "0.17.0"}
    server.http.post("/ms1/specs/new/", json={"spec": spec, **version}).raise_for_status()
    body = {
        **ENVIRONMENT,
        **version,
        "hostname": f"node{number}",
        "tags": None,
        "full_hash": node["full_hash"],
    }
    answer = server.http.post("/ms1/builds/new/", json=body).raise_for_status()
    return str(answer.json()["data"]["build"]["build_id"])


def _rate(
    servers: Sequence[Server], loads: Sequence[Clients], builds: Sequence[Sequence[str]], seconds: float
) -> tuple[float, int]:
    output = _LINE * (_LOG_BYTES // len(_LINE))
    body = {"build_id": EACH, "phase_name": "build", "status": "SUCCESS", "output": output + NUMBER}
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(load.load, server.port, _PATH, body, seconds, each)
            for server, load, each in zip(servers, loads, builds, strict=False)
        ]
        found = [run.result() for run in runs]
    return sum(one.rate for one in found), sum(one.answers for one in found)


def _cpu(servers: Sequence[Server], url: str) -> tuple[float, float]:
    return (
        sum(cpu_seconds(server.process_id) for server in servers),
        sum(map(cpu_seconds, backends(url))),
    )


def _growth(url: str, count: int, seconds: float) -> None:
    """The memory of the process, each second while clients report."""
    with served(url) as server:
        token = new_token(url)
        samples = []
        began = time.monotonic()
        with reporting([Client(number, server.url, USER, token) for number in range(count)]) as found:
            while (passed := time.monotonic() - began) < seconds:
                samples.append((passed, resident_bytes(server.process_id) / _MB))
                time.sleep(_SAMPLE_SECONDS)
        deaths = [session.death for session in found.sessions if session.death is not None]
    second_half = samples[len(samples) // 2 :]
    slope = statistics.linear_regression(*zip(*second_half, strict=True)).slope
    print(
        f"{count} clients for {seconds:.0f} s: {len(found.sessions)} sessions, {len(deaths)} clients died; "
        f"{samples[0][1]:.0f} MB at first, {second_half[0][1]:.0f} after half of the time, "
        f"{samples[-1][1]:.0f} at the end; the slope of the second half is {slope * 3600:+.0f} MB an hour",
        flush=True,
    )


if __name__ == "__main__":
    main()
