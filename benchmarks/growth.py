"""The same questions at one size and at ten times that: what grows with the site, and how.

Both sites are in the same PostgreSQL (or beside each other as SQLite files) and take their turns in the same
rounds.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from benchmarks.databases import Loaded
from benchmarks.measure import Cost, Meter, Result, at_most, backends, interleaved
from benchmarks.query import (
    CONTAINING,
    CONTAINING_IDS,
    GRAPH,
    NEWEST,
    QUERIES,
    SATISFYING,
    SETTLING,
    Graph,
    large_graph,
    variables_of,
)
from benchmarks.service import Service, service
from spackmon.database import Database

TOPIC = "growth"
FACTOR = 10
_RUNS = 5
# Which of them may become twice as dear and no more.
_BOUNDED = "builds that contain"
_POPULARITIES = ("a version that most contain", "a version of 400", "a version of a few")

Question = tuple[str, Mapping[str, Any]]


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """All of it on one database."""
    with ExitStack() as stack:
        large_site = loaded.times(FACTOR)
        databases = Database(loaded.url), Database(large_site.url)
        small, large = (_opened(stack, database) for database in databases)
        graph = databases[0].read_once(large_graph)
        works: dict[str, tuple[Callable[[], Any], int]] = {}
        for name, site, asked in (("small", loaded, small), ("large", large_site, large)):
            for what, question in _questions(site, graph).items():
                works[f"{what} {name}"] = (asked.by_hand(*question, _RUNS), _RUNS)
        for _ in range(SETTLING):
            for work, _ in works.values():
                work()
        processes = backends(loaded.url) + backends(large_site.url)
        costs = interleaved(Meter(os.getpid(), processes), works, 3 if quick else 9)
    return [
        result
        for what in _questions(loaded, graph)
        for result in _results(loaded, what, costs[f"{what} small"], costs[f"{what} large"])
    ]


def _opened(stack: ExitStack, database: Database) -> Service:
    stack.callback(database.close)
    return stack.enter_context(service(database))


def _questions(site: Loaded, graph: Graph) -> dict[str, Question]:
    """What is asked of a site; the same graph, and versions that are as common or as rare there."""
    contained = {
        f"{_BOUNDED} {popularity}, {what}": (query, variables_of(dependency))
        for query, what in ((CONTAINING, "first 100, with their phases"), (CONTAINING_IDS, "only their ids"))
        for popularity, dependency in zip(_POPULARITIES, site.dependencies, strict=True)
    }
    return {
        **contained,
        **{f"specs(satisfying: {query!r})": (SATISFYING, {"satisfying": query}) for query in QUERIES},
        str(graph): (GRAPH, {"hash": graph.hash}),
        "50 newest builds with their number": (NEWEST, {}),
        "50 newest builds without": (NEWEST.replace("totalCount", ""), {}),
    }


def _results(loaded: Loaded, what: str, small: Cost, large: Cost) -> list[Result]:
    bounded = what.startswith(_BOUNDED)
    what = f"{what}: {FACTOR} × the site"
    ratio = large.cpu / small.cpu
    return [
        Result(TOPIC, loaded.name, f"{what}, time", large.wall, "ms", at_most(20) if bounded else None),
        Result(TOPIC, loaded.name, f"{what}, CPU", large.cpu, "ms"),
        Result(TOPIC, loaded.name, f"{what}, CPU", ratio, "× that of one", at_most(2) if bounded else None),
    ]
