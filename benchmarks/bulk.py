"""Many builds in one answer: what leaves the database in bulk, beside an ORM that looks ahead."""

import json
import os
from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from benchmarks import peers
from benchmarks.databases import Loaded
from benchmarks.measure import Meter, Result, at_least, at_most, backends, interleaved
from benchmarks.memory import peak_of, resident_bytes
from benchmarks.query import SETTLING
from benchmarks.server import Server, served
from benchmarks.service import Service, service
from spackmon.database import Database

TOPIC = "bulk"
_PAGES, _PAGE = 50, 100
_BUILDS = _PAGES * _PAGE
_WHAT = f"{_BUILDS:,} builds × 15 fields"

_FIFTEEN = """
  id status createdAt durationSeconds
  spec {
    name version hash compiler { name version }
    architecture { platform operatingSystem target { name } }
  }
  environment { hostname operatingSystem kernelVersion }
"""
_FOUR = "id status createdAt durationSeconds"
_NEXT = "query ($after: String) { builds(first: 100, after: $after) { pageInfo { endCursor } } }"


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """All of it on one database."""
    database = Database(loaded.url)
    try:
        with service(database) as asked:
            results = _many_builds(loaded, database, asked, rounds=3 if quick else 7)
    finally:
        database.close()
    return [*results, *_export(loaded, rounds=3 if quick else 7)]


def _many_builds(loaded: Loaded, database: Database, asked: Service, rounds: int) -> list[Result]:
    """One operation of as many pages as it takes, since a page has at most 100 builds."""
    query, cursors = _aliased_pages(), _cursors(asked)
    peer = partial(_by_orm, database)
    ours = [node for page in json.loads(asked.ask(query, cursors))["data"].values() for node in page["nodes"]]
    if json.loads(peer())["data"]["builds"]["nodes"] != ours:
        raise RuntimeError("the ORM gives other builds, so that nothing compares")
    works: dict[str, tuple[Callable[[], object], int]] = {
        "ours": (asked.asking(query, cursors, 1), 1),
        "without database": (asked.without_database(query, cursors, 1), 1),
        "eager": (peer, 1),
    }
    for _ in range(SETTLING):
        works["ours"][0]()
    costs = interleaved(Meter(os.getpid(), backends(loaded.url)), works, rounds)
    layer = costs["without database"].python
    results = [Result(TOPIC, loaded.name, f"{_WHAT}: CPU in all", costs["ours"].cpu, "ms")]
    if loaded.name == "postgresql":
        results += [
            Result(TOPIC, loaded.name, f"{_WHAT}: PostgreSQL's CPU", costs["ours"].database, "ms"),
            Result(TOPIC, loaded.name, f"{_WHAT}: Python's CPU", costs["ours"].python, "ms", at_most(8)),
        ]
    else:
        results.append(
            Result(TOPIC, loaded.name, f"{_WHAT}: Python's CPU without SQL", layer, "ms", at_most(8))
        )
    times = costs["eager"].cpu / costs["ours"].cpu
    what = f"{_WHAT}: ORM looking ahead, CPU"
    return [*results, Result(TOPIC, loaded.name, what, times, "× ours", at_least(5))]


def _export(loaded: Loaded, rounds: int) -> list[Result]:
    """Every build as a line of NDJSON over HTTP."""
    results = []
    for fields, what in ((_FOUR, "4 fields"), (_FIFTEEN, "15 fields")):
        body = {"query": f"{{ builds {{ nodes {{ {fields} }} }} }}"}
        with served(loaded.url) as server:
            lines = _exported(server, body)
            if lines != loaded.counts.builds:
                raise RuntimeError(f"the export has {lines} lines instead of {loaded.counts.builds}")
            before = resident_bytes(server.process_id)
            works = {"export": (partial(_exported, server, body), lines)}
            with peak_of(server.process_id) as peak:
                cost = interleaved(Meter(server.process_id), works, rounds)["export"]
        name = f"NDJSON of {lines:,} builds, {what}"
        results += [
            Result(TOPIC, loaded.name, name, 1000 / cost.wall, "rows/s", at_least(50_000)),
            Result(TOPIC, loaded.name, f"{name}: server's CPU", cost.python * 1000, "µs a row"),
            Result(
                TOPIC, loaded.name, f"{name}: memory grows by", (peak[0] - before) / 1e6, "MB", at_most(16)
            ),
        ]
    return results


def _exported(server: Server, body: dict[str, str]) -> int:
    """How many lines came."""
    headers = {"Accept": "application/x-ndjson"}
    with server.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        response.raise_for_status()
        return sum(chunk.count(b"\n") for chunk in response.iter_raw())


def _aliased_pages() -> str:
    variables = ", ".join(f"$after{page}: String" for page in range(_PAGES))
    pages = (
        f"page{page}: builds(first: {_PAGE}, after: $after{page}) {{ nodes {{ ...fifteen }} }}"
        for page in range(_PAGES)
    )
    return f"query ({variables}) {{ {' '.join(pages)} }} fragment fifteen on Build {{ {_FIFTEEN} }}"


def _cursors(asked: Service) -> dict[str, str | None]:
    """Where each page begins."""
    cursors: dict[str, str | None] = {}
    after = None
    for page in range(_PAGES):
        cursors[f"after{page}"] = after
        after = json.loads(asked.ask(_NEXT, {"after": after}))["data"]["builds"]["pageInfo"]["endCursor"]
    return cursors


def _by_orm(database: Database) -> bytes:
    with Session(database.engine.execution_options(spackmon_reads_only=True)) as session:
        return peers.many_builds(session, _BUILDS)
