"""`python -m benchmarks.spooled`: how fast a spool of recorded clients' reports is emptied.

The clients reported at the same time while the database was away; nobody reports while it is emptied.
"""

import argparse
import itertools
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg

from benchmarks.faults.clients import CAPTURES, session_of
from spackmon.auth.access_tokens import Claims
from spackmon.auth.people import ANONYMOUS
from spackmon.database import Database
from spackmon.formats import ms1
from spackmon.formats.specs.known_nodes import KnownNodes
from spackmon.ingest import inbox
from spackmon.ops.logging import configure_logging
from spackmon.ops.migrations import upgrade
from spackmon.ops.spool import Spool, Spooled
from spackmon.rest_compat.promises import kind_with_promise, with_promise
from spackmon.rest_compat.replays import reader
from tests.databases import PostgresqlServer

_PREFIX = "/ms1/"
_CLAIMS = Claims(ANONYMOUS, None)


def main() -> None:
    """Print the reports a second on each database."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spooled", description=__doc__)
    parser.add_argument("--reports", type=int, default=10_000, help="in the spool (default 10,000)")
    parser.add_argument("--clients", type=int, default=1000, help="who reported at once (default 1000)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="default: both")
    asked = parser.parse_args()
    configure_logging("WARNING")
    for name in (asked.database,) if asked.database else ("postgresql", "sqlite"):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="spackmon-spooled-")))
            database = _database(name, directory, stack)
            spool = Spool(directory / "spool")
            for spooled in itertools.islice(_reports(asked.clients), asked.reports):
                spool.put(spooled)
            began, began_cpu = time.monotonic(), time.process_time()
            spool.drain(database, reader(frozenset()))
            seconds, cpu_seconds = time.monotonic() - began, time.process_time() - began_cpu
            left, refused = sum(spool.count()), len(database.read_once(inbox.entries))
            database.close()
        print(
            f"{name}: {asked.reports / seconds:.0f} reports/s, of which the process computed for "
            f"{cpu_seconds / seconds:.0%}; {left} left, {refused} in the inbox; "
            f"the machine's load is {os.getloadavg()[0]:.1f}",
            flush=True,
        )


def _database(name: str, directory: Path, stack: ExitStack) -> Database:
    """An empty one, on a disk that is waited for."""
    if name == "sqlite":
        url = f"sqlite:///{directory}/site.db"
    else:
        server = PostgresqlServer()
        stack.callback(server.remove)
        url = server.url
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
            for setting in ("fsync", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = on")
            connection.execute("SELECT pg_reload_conf()")
    upgrade(url)
    return Database(url)


def _reports(clients: int) -> Iterator[Spooled]:
    """What so many clients at once report, in turns, one session after the other."""
    sessions = [_sessions(number, clients) for number in range(clients)]
    while True:
        for session in sessions:
            yield next(session)


def _sessions(client: int, clients: int) -> Iterator[Spooled]:
    for number in itertools.count(client, clients):
        capture = CAPTURES[number % len(CAPTURES)]
        promised: dict[int, int] = {}
        for exchange in session_of(capture, number):
            if exchange["method"] == "POST" and exchange["path"].startswith(_PREFIX):
                yield _spooled(exchange, promised)


def _spooled(exchange: dict[str, str], promised: dict[int, int]) -> Spooled:
    """A report as it is spooled, about the build of the number that its client was given in the outage."""
    kind, body = exchange["path"].removeprefix(_PREFIX).rstrip("/"), json.loads(exchange["request_body"])
    if "build_id" in body:
        body["build_id"] = promised[body["build_id"]]
    if kind == "builds/new":
        report = with_promise(ms1.read_build(body, KnownNodes()), ANONYMOUS)
        recorded = json.loads(exchange["response_body"])["data"]["build"]["build_id"]
        promised[recorded] = report.promised_build_id or 0
        kind = kind_with_promise(kind, report)
    return Spooled(kind, _CLAIMS, json.dumps(body).encode())


if __name__ == "__main__":
    main()
