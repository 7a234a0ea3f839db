"""`python -m benchmarks.beside`: what the work beside requests costs those who ask and report, on PostgreSQL.

A replica that stands still, VACUUM, retention and a backup, each alone and all at once, in turns with none of
them. One client asks for the newest builds and one reports phases, one request after the other.
"""

import argparse
import math
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks import load
from benchmarks.data import Site, Size
from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.databases import PostgresqlServer, Standby
from tests.server import PROGRAM, Server, served_by_process
from tests.waiting import until

_NEWEST = """
query Newest { builds(first: 50) { nodes {
  id status createdAt spec { name version hash } environment { hostname } errorCount
  phases { nodes { name status } }
} } }
"""
_LOG = "libtool: compile: gcc -DHAVE_CONFIG_H -I. -O2 -g -c unit.c -o unit.o\n" * 140
_NONE = "nothing"

Beside = Callable[[], AbstractContextManager[None]]
Waits = dict[str, dict[str, list[float]]]


def main() -> None:
    """Print what each costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beside", description=__doc__)
    parser.add_argument("--builds", type=int, default=20_000, help="of the site (default 20,000)")
    parser.add_argument("--seconds", type=float, default=10, help="for each turn (default 10)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (default 3)")
    asked = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spackmon-beside-")))
        primary = PostgresqlServer()
        stack.callback(primary.remove)
        _load(primary.url, asked.builds)
        standby = Standby(primary)
        stack.callback(standby.remove)
        environment = {
            "SPACKMON_DISABLE_AUTHENTICATION": "true",
            "SPACKMON_DATABASE_REPLICAS": standby.url(primary.url),
        }
        server = stack.enter_context(served_by_process(primary.url, directory, environment))
        works = _works(primary, standby, directory)
        waits = _measured(server, works, asked.seconds, asked.rounds)
    print(f"{asked.builds:,} builds; the machine's load is {os.getloadavg()[0]:.1f}\n\n{_table(waits)}")


def _load(url: str, builds: int) -> None:
    """The site of `builds`, on a disk that is waited for."""
    upgrade(url)
    database = Database(url)
    try:
        load.load(database, Site(Size(specs=3 * builds, builds=builds)))
    finally:
        database.close()
    with _connected(url) as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = on")
        connection.execute("SELECT pg_reload_conf()")


def _connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    bare = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(bare, autocommit=True)


def _works(primary: PostgresqlServer, standby: Standby, directory: Path) -> dict[str, Beside]:
    # What was removed once is not there to be removed again: each run goes further.
    days = count(1000, -25)
    environment = {
        **os.environ, "SPACKMON_DATABASE_URL": primary.url, "SPACKMON_DATA_DIR": str(directory)
    }  # fmt: skip

    def vacuum() -> None:
        with _connected(primary.url) as connection:
            connection.execute("VACUUM (ANALYZE)")

    def command(*words: str, **settings: str) -> None:
        run = [PROGRAM, *words]
        subprocess.run(run, env={**environment, **settings}, check=True, capture_output=True)

    works: dict[str, Beside] = {
        "a replica that stands still": lambda: _standing_still(standby),
        "VACUUM (ANALYZE)": lambda: again_and_again(vacuum),
        "retention": lambda: again_and_again(
            lambda: command("retention", "run", SPACKMON_RETENTION=f"logs {max(1, next(days))}")
        ),
        "a backup": lambda: again_and_again(lambda: command("backup", str(directory / "backup"))),
    }
    every = list(works.values())
    return {_NONE: ExitStack, **works, "all of them": lambda: _all(every)}


@contextmanager
def _standing_still(standby: Standby) -> Iterator[None]:
    standby.execute("SELECT pg_wal_replay_pause()::text")
    try:
        yield
    finally:
        standby.execute("SELECT pg_wal_replay_resume()::text")


@contextmanager
def again_and_again(work: Callable[[], None]) -> Iterator[None]:
    """Do `work` in a thread, time after time; its error is raised at the end."""
    over = threading.Event()
    failures: list[Exception] = []

    def go_on() -> None:
        try:
            while not over.is_set():
                work()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if failures:
            raise failures[0]


@contextmanager
def _all(works: Sequence[Beside]) -> Iterator[None]:
    with ExitStack() as stack:
        for work in works:
            stack.enter_context(work())
        yield


def _measured(server: Server, works: Mapping[str, Beside], seconds: float, rounds: int) -> Waits:
    """The milliseconds of each request, by what was done beside it."""
    build_id = _begin(server)
    waits: Waits = {name: {"question": [], "phase": []} for name in works}
    numbers = count()

    def ask() -> None:
        # A variable that the operation does not have: the answer is none that was kept.
        answer = server.http.post("/graphql", json={"query": _NEWEST, "variables": {"n": next(numbers)}})
        answer.raise_for_status()

    def report() -> None:
        body = {"build_id": build_id, "phase_name": "build", "status": "SUCCESS",
                "output": f"{_LOG}{next(numbers)}"}  # fmt: skip
        server.http.post("/ms1/builds/phases/update/", json=body).raise_for_status()

    for work in (ask, report):
        work()
    until(lambda: server.http.get("/readyz").status_code == 200)
    for _ in range(rounds):
        for name, beside in works.items():
            with beside():
                over_at = time.monotonic() + seconds
                while time.monotonic() < over_at:
                    for what, work in (("question", ask), ("phase", report)):
                        began = time.perf_counter()
                        work()
                        waits[name][what].append((time.perf_counter() - began) * 1000)
    return waits


def _begin(server: Server) -> int:
    (spec,) = server.ask("{ specs(first: 1) { nodes { hash } } }")["specs"]["nodes"]
    body = {
        "full_hash": spec["hash"], "spack_version": "0.17.0", "tags": None, "host_os": "debian12",
        "platform": "linux", "host_target": "zen2", "hostname": "beside", "kernel_version": "6.1",
    }  # fmt: skip
    return int(server.post("/ms1/builds/new/", body).json()["data"]["build"]["build_id"])


def _table(waits: Waits) -> str:
    lines = [
        "| beside | question, ms: median (× alone) | p99 | phase, ms: median (× alone) | p99 |",
        "|---|---|---|---|---|",
    ]
    for name, found in waits.items():
        cells = []
        for what, one in found.items():
            median = statistics.median(one)
            ratio = median / statistics.median(waits[_NONE][what])
            p99 = sorted(one)[max(0, math.ceil(len(one) * 0.99) - 1)]
            cells += [f"{median:.0f} ({ratio:.1f})", f"{p99:.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
