"""Questions: what an answer costs in the server, in GraphQL's layer and in the database."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from benchmarks import peers
from benchmarks.databases import Dependency, Loaded
from benchmarks.measure import Cost, Meter, Result, at_most, backends, interleaved
from benchmarks.server import served
from benchmarks.service import Service, service
from spackmon.database import Database

TOPIC = "query"

CONTAINING = """
query ($name: String!, $version: String!) {
  builds(first: 100, where: {dependency: {name: $name, version: $version}}) {
    nodes { id status spec { name version hash } phases { nodes { name status } } }
    pageInfo { hasNextPage }
  }
}
"""
SATISFYING = """
query ($satisfying: String!) {
  specs(first: 100, satisfying: $satisfying) { nodes { name version hash } pageInfo { hasNextPage } }
}
"""
# Thousands of specs, hundreds and a few satisfy the first three, none the others.
QUERIES = (
    "+pic target=zen2 %gcc@11: ^zlib@1.2.11:1.2.13",
    "hdf5@1.12: ~pic target=zen2 ^zlib@1.2.8:1.2.12",
    "hdf5@1.14: ~pic target=zen2 %gcc@11 ^openmpi@3.1:",
    "+pic %gcc@11: target=zen2 ^zlib@1.2.11:1.2.13",
    "hdf5@1.8.22 ~pic %gcc@9 ^openmpi@4.1:4.1.1",
)
CONTAINING_IDS = """
query ($name: String!, $version: String!) {
  builds(first: 100, where: {dependency: {name: $name, version: $version}}) { nodes { id } }
}
"""
NEWEST = """
{
  builds(first: 50) {
    totalCount
    nodes {
      id status createdAt
      spec {
        name version hash compiler { name version }
        architecture { platform operatingSystem target { name } }
      }
      environment { hostname operatingSystem kernelVersion }
      tags { nodes { name } }
      phases { nodes { name status reportedAt } }
      errorCount
    }
    pageInfo { hasNextPage }
  }
}
"""
GRAPH = """
query ($hash: String!) {
  spec(hash: $hash) {
    name version hash
    graph {
      nodes { name version hash }
      edges { parent { hash } child { hash } deptypes }
    }
  }
}
"""
_CLIENTS = 4
# PostgreSQL plans a statement anew in its first five runs on a connection, of which the pool may have two.
SETTLING = 12


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """All of it on one database."""
    rounds = 5 if quick else 15
    database = Database(loaded.url)
    try:
        with service(database) as asked:
            return [
                *_layer(loaded, asked, rounds),
                *_popularity(loaded, asked, rounds),
                *_satisfying(loaded, asked, rounds),
                *_against_peers(loaded, asked, database, rounds),
                *_http(loaded, asked, rounds),
            ]
    finally:
        database.close()


def variables_of(dependency: Dependency) -> dict[str, str]:
    return {"name": dependency.name, "version": dependency.version}


def _meter(loaded: Loaded) -> Meter:
    return Meter(os.getpid(), backends(loaded.url))


def _layer(loaded: Loaded, asked: Service, rounds: int) -> list[Result]:
    """What GraphQL adds to the statement: the whole way but for the database, whose noise is larger."""
    runs = 200
    work = asked.without_database(CONTAINING, variables_of(loaded.dependencies[0]), runs)
    cost = interleaved(Meter(os.getpid()), {"layer": (work, runs)}, rounds)["layer"]
    what = "GraphQL above the same SQL sent by hand, CPU"
    return [Result(TOPIC, loaded.name, what, cost.python * 1000, "µs", at_most(50))]


def _popularity(loaded: Loaded, asked: Service, rounds: int) -> list[Result]:
    """The dependency filter's first 100 for versions that many and few builds contain."""
    results = []
    for query, what, target in (
        (CONTAINING, "builds that contain a version, first 100, with their phases", at_most(10)),
        (CONTAINING_IDS, "the same, only their ids", at_most(10)),
    ):
        works = {}
        for dependency in loaded.dependencies:
            runs = 5
            works[f"{dependency.builds:,}"] = (asked.by_hand(query, variables_of(dependency), runs), runs)
        for _ in range(SETTLING):
            for work, _ in works.values():
                work()
        costs = interleaved(_meter(loaded), works, rounds)
        results += [
            Result(TOPIC, loaded.name, f"{what}: {matching} match", cost.wall, "ms", target)
            for matching, cost in costs.items()
        ]
    return results


def _satisfying(loaded: Loaded, asked: Service, rounds: int) -> list[Result]:
    """Spack's language: the first 100 specs that satisfy a query."""
    works = {query: (asked.by_hand(SATISFYING, {"satisfying": query}, 5), 5) for query in QUERIES}
    for _ in range(SETTLING):
        for work, _ in works.values():
            work()
    costs = interleaved(_meter(loaded), works, rounds)
    results = []
    for query, cost in costs.items():
        what = f"specs(satisfying: {query!r})"
        results += [
            Result(TOPIC, loaded.name, f"{what}, first 100", cost.wall, "ms", at_most(25)),
            Result(TOPIC, loaded.name, f"{what}, CPU", cost.cpu, "ms"),
        ]
    return results


def _against_peers(loaded: Loaded, asked: Service, database: Database, rounds: int) -> list[Result]:
    common = loaded.dependencies[0]
    graph = database.read_once(large_graph)
    questions: dict[str, tuple[str, dict[str, str], Callable[[Session, bool], bytes]]] = {
        "100 builds that contain zlib 1.2.11": (
            CONTAINING, variables_of(common),
            lambda session, eager: peers.builds_with(session, common.name, common.version, eager=eager),
        ),
        "50 newest builds": (NEWEST, {}, lambda session, eager: peers.newest_builds(session, eager=eager)),
        str(graph): (
            GRAPH, {"hash": graph.hash},
            lambda session, eager: peers.whole_graph(session, graph.hash, eager=eager),
        ),
    }  # fmt: skip
    results = []
    for what, (query, variables, peer) in questions.items():
        works = {
            "ours": (asked.asking(query, variables, 5), 5),
            "eager": (_by_orm(database, peer, eager=True), 1),
            "lazy": (_by_orm(database, peer, eager=False), 1),
        }
        ours = json.loads(asked.ask(query, variables))
        for name in ("eager", "lazy"):
            if json.loads(works[name][0]()) != ours:
                raise RuntimeError(f"{what}: the ORM ({name}) gives another answer, so that nothing compares")
        costs = interleaved(_meter(loaded), works, rounds)
        results += _compared(loaded, what, costs)
    return results


def _by_orm(database: Database, peer: Callable[[Session, bool], bytes], *, eager: bool) -> Callable[[], Any]:
    def work() -> bytes:
        with Session(database.engine.execution_options(spackmon_reads_only=True)) as session:
            return peer(session, eager)

    return work


def _compared(loaded: Loaded, what: str, costs: Mapping[str, Cost]) -> list[Result]:
    ours = costs["ours"]
    results = [Result(TOPIC, loaded.name, f"{what}: CPU in all", ours.cpu, "ms")]
    if loaded.name == "postgresql":
        results.append(Result(TOPIC, loaded.name, f"{what}: of it PostgreSQL's", ours.database, "ms"))
    for name, peer in (("ORM looking ahead", costs["eager"]), ("ORM loading lazily", costs["lazy"])):
        results.append(Result(TOPIC, loaded.name, f"{what}: {name}, CPU", peer.cpu / ours.cpu, "× ours"))
    return results


@dataclass(frozen=True, slots=True)
class Graph:
    """A spec with as many specs and edges below it as the targets speak of, as far as the site has one."""

    hash: str
    nodes: int
    edges: int

    def __str__(self) -> str:
        return f"graph of {self.nodes} specs, {self.edges} edges"


def large_graph(connection: Connection) -> Graph:
    """Of the specs whose graphs are nearest to 80 specs, the one nearest to 300 edges."""
    found = connection.exec_driver_sql(
        "SELECT s.hash, n.nodes, (SELECT count(*) FROM dependency WHERE parent_id IN ("
        "  SELECT n.id UNION ALL SELECT descendant_id FROM closure WHERE ancestor_id = n.id)) AS edges FROM ("
        "  SELECT ancestor_id AS id, count(*) + 1 AS nodes FROM closure GROUP BY 1"
        "  ORDER BY abs(count(*) - 79), 1 LIMIT 300) n JOIN spec s ON s.id = n.id"
    )
    return min((Graph(*row) for row in found), key=lambda graph: (abs(graph.edges - 300), graph.hash))


def _http(loaded: Loaded, asked: Service, rounds: int) -> list[Result]:
    """Requests to the real server: its whole CPU, and for SQLite what of it is not the database's."""
    variables = variables_of(loaded.dependencies[0])
    body = {"query": CONTAINING, "variables": variables}
    runs = 25 * _CLIENTS
    with served(loaded.url) as server, ThreadPoolExecutor(_CLIENTS) as threads, ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=server.url)) for _ in range(_CLIENTS)]
        together = partial(_requests_of_many, threads, clients, partial(_ask, body=body), runs // _CLIENTS)
        nothing = partial(_requests_of_many, threads, clients, _ask_nothing, runs // _CLIENTS)
        # The clients' own CPU is in another process and does not count.
        meter = Meter(server.process_id)
        costs = interleaved(
            meter,
            {
                "alone": (partial(_ask, clients[0], body), 1),
                "together": (together, runs),
                "nothing": (nothing, runs),
            },
            rounds,
        )
    what = "100 builds that contain zlib 1.2.11, over HTTP"
    results = [
        Result(TOPIC, loaded.name, f"{what}: a client alone waits", costs["alone"].wall, "ms"),
        Result(TOPIC, loaded.name, "/healthz over HTTP: server CPU", costs["nothing"].python, "ms"),
    ]
    server_cpu = costs["together"].python
    if loaded.name == "sqlite":
        results.append(Result(TOPIC, loaded.name, f"{what}: server CPU, SQL within", server_cpu, "ms"))
        by_hand = asked.by_hand(CONTAINING, variables, runs)
        server_cpu -= interleaved(_meter(loaded), {"sql": (by_hand, runs)}, rounds)["sql"].python
    what = f"{what}: server CPU without SQL"
    return [*results, Result(TOPIC, loaded.name, what, server_cpu, "ms", at_most(1))]


def _requests_of_many(
    threads: ThreadPoolExecutor, clients: Sequence[httpx.Client], request: Callable[[httpx.Client], None],
    runs: int,
) -> None:  # fmt: skip
    def requests(client: httpx.Client) -> None:
        for _ in range(runs):
            request(client)

    for _ in threads.map(requests, clients):
        pass


def _ask(client: httpx.Client, body: dict[str, Any]) -> None:
    client.post("/graphql", json=body).raise_for_status()


def _ask_nothing(client: httpx.Client) -> None:
    client.get("/healthz").raise_for_status()
