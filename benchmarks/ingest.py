"""Reports: what a graph costs to store, and what many writers do to each other."""

import contextlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks import imports, peers
from benchmarks.data import SPACK_VERSION, Site, Size, spec_hash
from benchmarks.databases import Loaded
from benchmarks.graphs import graph_of
from benchmarks.measure import (
    Cost,
    Meter,
    Result,
    at_least,
    at_most,
    backends,
    exactly,
    idle_share,
    interleaved,
    processor_ticks,
)
from spackmon.database import Database
from spackmon.formats import ms1
from spackmon.ingest import store
from spackmon.submission import SpecReport

TOPIC = "ingest"
NODES, NEW_NODES = 40, 12
_WRITERS = 8
_PERSON_ID = 1


class Graphs:
    """Reports of graphs of NODES specs, the upper NEW_NODES of which nobody has reported yet."""

    def __init__(self, size: Size) -> None:
        self._nodes = graph_of(NODES, Site(size))
        self._numbers = count(1)

    def new(self, label: str = "") -> bytes:
        """The body of specs/new for one more graph."""
        return self.again(f"{label}{next(self._numbers)}")

    def again(self, label: str, shared: str | None = None) -> bytes:
        """The body that these labels always give.

        Graphs with the same `shared` have half of their new specs in common.
        """
        nodes: dict[str, dict[str, Any]] = {}
        for place, node in enumerate(self._nodes):
            made = {key: value for key, value in node.items() if key != "hash"}
            if "dependencies" in made:
                made["dependencies"] = [
                    {**edge, "hash": nodes[edge["hash"]]["hash"]} for edge in made["dependencies"]
                ]
            if place >= NODES - NEW_NODES // 2:
                made["parameters"] = {**made["parameters"], "label": label}
            elif place >= NODES - NEW_NODES:
                made["parameters"] = {**made["parameters"], "label": shared or label}
            made["hash"] = spec_hash(made)
            nodes[node["hash"]] = made
        document = {"_meta": {"version": 3}, "nodes": list(nodes.values())[::-1]}
        return json.dumps({"spec": document, "spack_version": SPACK_VERSION}).encode()


def report_of(body: bytes) -> SpecReport:
    """A body as the store takes it."""
    report = ms1.read_spec(ms1.read_json(body))
    if not isinstance(report, SpecReport):
        raise TypeError("a made-up graph is always concrete")
    return report


def measure(loaded: Loaded, size: Size, *, quick: bool) -> list[Result]:
    """All of it on one database, each part on a copy of its own."""
    rounds = 5 if quick else 20
    graphs = Graphs(size)
    with loaded.copy() as url:
        database = Database(url)
        try:
            results = _one_writer(loaded, database, graphs, rounds)
        finally:
            database.close()
    results += _many_writers(loaded, graphs, 3 if quick else 9)
    return results if loaded.name != "sqlite" else [*results, *imports.measure(TOPIC, size, quick=quick)]


def _one_writer(loaded: Loaded, database: Database, graphs: Graphs, rounds: int) -> list[Result]:
    runs = 10
    database.write(peers.make_tables)
    known = graphs.again("known")
    for body in (known, graphs.new()):
        _store(database, report_of(body))
    # Made and read beforehand: here it is the store that is measured.
    waiting = iter([report_of(graphs.new()) for _ in range((rounds + 1) * (runs + 1))])
    costs = interleaved(
        Meter(os.getpid(), backends(str(database.url.render_as_string(hide_password=False)))),
        {
            "new": (_each(runs, lambda: _store(database, next(waiting))), runs),
            "known": (_each(runs, lambda: _store(database, report_of(known))), runs),
            "orm": (lambda: _store_by_orm(database, next(waiting)), 1),
        },
        rounds,
    )
    return [
        *_new_graph(loaded, costs["new"]),
        *_known_graph(loaded, costs["known"]),
        Result(
            TOPIC, loaded.name, "the same graph by SQLAlchemy's ORM, row by row: CPU in all",
            costs["orm"].cpu / costs["new"].cpu, "× ours",
        ),
        Result(
            TOPIC, loaded.name, "the same graph by SQLAlchemy's ORM, row by row: time",
            costs["orm"].wall / costs["new"].wall, "× ours",
        ),
    ]  # fmt: skip


def _new_graph(loaded: Loaded, cost: Cost) -> Iterator[Result]:
    what = f"new graph of {NODES} specs ({NEW_NODES} new)"
    if loaded.name == "postgresql":
        yield Result(TOPIC, loaded.name, f"{what}: PostgreSQL's CPU", cost.database, "ms", at_most(5))
        yield Result(TOPIC, loaded.name, f"{what}: the store's CPU", cost.python, "ms")
    else:
        yield Result(TOPIC, loaded.name, f"{what}: CPU, SQL within", cost.cpu, "ms")
    yield Result(TOPIC, loaded.name, f"{what}: time", cost.wall, "ms")


def _known_graph(loaded: Loaded, cost: Cost) -> Iterator[Result]:
    what = "the same graph again, read and stored"
    if loaded.name == "postgresql":
        yield Result(TOPIC, loaded.name, f"{what}: of it PostgreSQL's CPU", cost.database, "ms")
    yield Result(TOPIC, loaded.name, f"{what}: CPU in all", cost.cpu, "ms", at_most(2))


def _each(runs: int, work: Callable[[], Any]) -> Callable[[], None]:
    def several() -> None:
        for _ in range(runs):
            work()

    return several


def _store(database: Database, report: SpecReport) -> None:
    database.write(lambda connection: store.apply(connection, report, _PERSON_ID))


def _store_by_orm(database: Database, report: SpecReport) -> None:
    with Session(database.engine) as session:
        peers.store_row_by_row(session, report.graph)
        session.commit()


# Many writers ---------------------------------------------------------------------------------------


def _many_writers(loaded: Loaded, graphs: Graphs, rounds: int) -> list[Result]:
    """One writer and several, in turns; neighbours have new specs in common and are reported at once."""
    alone, together, bodies, idle = [], [], [], []
    with loaded.copy() as url, _writers(url) as writers:
        for turn in range(rounds + 1):
            first, second = (
                [graphs.again(f"{turn}-{part}-{place}", f"{turn}-{part}-{place // 4}") for place in range(64)]
                for part in ("alone", "together")
            )
            before = processor_ticks()
            alone.append(_graphs_per_second(writers[:1], first))
            idle.append(idle_share(before, processor_ticks()))
            together.append(_graphs_per_second(writers, second))
            bodies += second
        found = _found(url, bodies)
    # The first turn filled the writers' and the backends' caches.
    gain = statistics.median(many / one for one, many in zip(alone[1:], together[1:], strict=True))
    # Where one writer leaves no processor idle, the gain of eight says little.
    unused = statistics.median(idle[1:]) * 100
    # SQLite has one writer at a time, whoever waits for it.
    target = None if loaded.name == "sqlite" else at_least(1.5)
    results = [
        Result(TOPIC, loaded.name, "one writer, read and stored", statistics.median(alone[1:]), "graphs/s"),
        Result(TOPIC, loaded.name, "meanwhile the machine's processors are idle", unused, "%"),
        Result(TOPIC, loaded.name, f"{_WRITERS} writers of overlapping graphs", gain, "× one", target),
    ]
    if found.deadlocks is not None:
        what = f"{_WRITERS} writers: deadlocks"
        results.append(Result(TOPIC, loaded.name, what, found.deadlocks, "", exactly(0)))
    what = f"{_WRITERS} writers: graphs lost or torn"
    return [*results, Result(TOPIC, loaded.name, what, found.lost, "", exactly(0))]


@contextlib.contextmanager
def _writers(url: str) -> Iterator[list[Any]]:
    """Processes that store what they are sent; the ends of the pipes to them."""
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for _ in range(_WRITERS):
        ours, theirs = context.Pipe()
        processes.append(context.Process(target=_write, args=(url, theirs)))
        processes[-1].start()
        theirs.close()
        ends.append(ours)
    try:
        yield ends
    finally:
        for end, process in zip(ends, processes, strict=True):
            end.close()
            process.join()


def _write(url: str, pipe: Any) -> None:
    database = Database(url)
    with contextlib.suppress(EOFError):
        while True:
            bodies = pipe.recv()
            pipe.send("ready")
            pipe.recv()
            for body in bodies:
                _store(database, report_of(body))
            pipe.send("done")
    database.close()


def _graphs_per_second(writers: Sequence[Any], bodies: Sequence[bytes]) -> float:
    """How many graphs these writers store in a second, from the moment at which all have theirs."""
    for place, writer in enumerate(writers):
        writer.send(bodies[place :: len(writers)])
    for writer in writers:
        writer.recv()
    began = time.perf_counter()
    for writer in writers:
        writer.send("go")
    for writer in writers:
        writer.recv()
    return len(bodies) / (time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class _Found:
    deadlocks: int | None
    lost: int


def _found(url: str, bodies: Sequence[bytes]) -> _Found:
    """Deadlocks that PostgreSQL counted, and specs that are missing or have not all edges below them."""
    database = Database(url)
    try:
        lost = sum(database.read_once(partial(_is_lost, body=body)) for body in bodies)
        if database.is_sqlite:
            return _Found(None, lost)
        statement = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        deadlocks = database.read_once(lambda connection: connection.execute(text(statement)).scalar_one())
        return _Found(deadlocks, lost)
    finally:
        database.close()


_COMPLETE = text(
    """
    SELECT (SELECT count(*) FROM dependency d WHERE d.parent_id = s.id) AS edges,
        (SELECT count(*) FROM closure c WHERE c.ancestor_id = s.id) AS below,
        (SELECT count(*) FROM spec_document d WHERE d.spec_id = s.id) AS documents
    FROM spec s WHERE s.hash = :hash
    """
)


def _is_lost(connection: Any, body: bytes) -> bool:
    graph = report_of(body).graph
    root = graph.nodes[graph.root]
    rows = connection.execute(_COMPLETE, {"hash": root.hash}).all()
    return [tuple(row) for row in rows] != [(len(root.edges), len(graph.nodes) - 1, 1)]
