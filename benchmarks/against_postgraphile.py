"""Sixteen clients at once: spackmon and PostGraphile 5 over the same tables of the same PostgreSQL.

Each server is one process. They are loaded in turns, ours first in one pair of turns and second in the
next. Both answers are brought into one form and compared before anything is timed.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from benchmarks import postgraphile_server
from benchmarks.databases import Loaded
from benchmarks.http_load import CLIENTS, NUMBER, Clients, clients
from benchmarks.measure import Meter, Result, at_least, backends
from benchmarks.query import GRAPH, NEWEST, Graph, large_graph
from benchmarks.server import Server, served
from spackmon.database import Database
from spackmon.graph.spec import Deptype

TOPIC = "postgraphile"
_SECONDS, _QUICK_SECONDS = 2.0, 0.7
_PAIRS, _QUICK_PAIRS = 4, 2

_THEIR_NEWEST = """
{
  builds: allBuilds(first: 50, orderBy: PRIMARY_KEY_DESC) {
    totalCount
    nodes {
      id: rowId status createdAt
      spec: specBySpecId {
        version: packageVersionByPackageVersionId { version package: packageByPackageId { name } }
        hash compiler: compilerByCompilerId { name version }
        architecture: architectureByArchitectureId {
          platform operatingSystem target: targetByTargetId { name }
        }
      }
      environment: buildEnvironmentByEnvironmentId { hostname operatingSystem kernelVersion }
      attempts: attemptsByBuildIdList(first: 1, orderBy: NUMBER_DESC) {
        set: tagSetByTagSetId { tags: tagSetMembersByTagSetIdList { tag: tagByTagId { name } } }
        phases: phasesByAttemptIdList(orderBy: PLACE_ASC) {
          kind: phaseKindByKindId { name status } reportedAt
        }
        errors: buildEventsByAttemptId(condition: {kind: "ERROR"}) { totalCount }
      }
    }
    pageInfo { hasNextPage }
  }
}
"""
_THEIR_GRAPH = """
query ($hash: String!) {
  spec: specByHashAndHashKind(hash: $hash, hashKind: "hash") {
    ...node
    below: closuresByAncestorIdList { spec: specByDescendantId { ...node } }
  }
}
fragment node on Spec {
  version: packageVersionByPackageVersionId { version package: packageByPackageId { name } }
  hash
  edges: dependenciesByParentIdList { child: specByChildId { hash } deptypes }
}
"""


@dataclass(frozen=True, slots=True)
class _Question:
    """The same question to both, and what brings both answers into one form."""

    what: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    form: Callable[[Any], Any]
    their_form: Callable[[Any], Any]
    wanted: float


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn of one server: answers a second, milliseconds to wait, CPU milliseconds an answer."""

    rate: float
    wait: float
    server_cpu: float
    database_cpu: float


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """All of it on one database; on SQLite there is nobody to compare with."""
    database = Database(loaded.url)
    try:
        questions = _questions(database.read_once(large_graph))
    finally:
        database.close()
    with ExitStack() as stack:
        servers = {"spackmon": stack.enter_context(served(loaded.url))}
        if loaded.name == "postgresql":
            theirs = f"PostGraphile {postgraphile_server.version()}"
            servers[theirs] = stack.enter_context(postgraphile_server.postgraphile(loaded.url))
        asking = stack.enter_context(clients())
        return [
            result
            for question in questions
            for result in _results(loaded, question, _turns(loaded, question, servers, asking, quick=quick))
        ]


def _questions(graph: Graph) -> Sequence[_Question]:
    variables = {"hash": graph.hash}
    theirs = {"query": _THEIR_GRAPH, "variables": variables}
    new = {"query": GRAPH, "variables": {**variables, "number": NUMBER}}
    again = {"query": GRAPH, "variables": variables}
    return (
        _Question(
            "50 newest builds", {"query": NEWEST}, {"query": _THEIR_NEWEST}, lambda data: data["builds"],
            _builds, 3,
        ),
        _Question(str(graph), new, theirs, _our_graph, _their_graph, 4),
        _Question(f"{graph}, again", again, theirs, _our_graph, _their_graph, 10),
    )  # fmt: skip


def _turns(
    loaded: Loaded, question: _Question, servers: Mapping[str, Server], asking: Clients, *, quick: bool
) -> dict[str, Sequence[_Turn]]:
    asked = dict(zip(servers, (question.ours, question.theirs), strict=False))
    forms = dict(zip(servers, (question.form, question.their_form), strict=False))
    told = {name: forms[name](_answer(server, asked[name])) for name, server in servers.items()}
    if any(one != next(iter(told.values())) for one in told.values()):
        raise RuntimeError(f"{question.what}: PostGraphile gives another answer, so that nothing compares")

    seconds = _QUICK_SECONDS if quick else _SECONDS

    def turn(name: str, seconds: float, processes: Sequence[int]) -> _Turn:
        server = servers[name]
        load, cost = Meter(server.process_id, processes).cost_of(
            lambda: asking.load(server.port, "/graphql", dict(asked[name]), seconds)
        )
        return _Turn(load.rate, load.wait, cost.python / load.answers, cost.database / load.answers)

    for name in servers:
        turn(name, 1, ())
    # Both servers have all their connections now.
    processes = backends(loaded.url)
    turns: dict[str, list[_Turn]] = {name: [] for name in servers}
    for pair in range(_QUICK_PAIRS if quick else _PAIRS):
        for name in list(servers)[:: 1 if pair % 2 == 0 else -1]:
            turns[name].append(turn(name, seconds, processes))
    return dict(turns)


def _answer(server: Server, question: Mapping[str, Any]) -> Any:
    answer = server.http.post("/graphql", json=question, headers={"Accept": "application/json"})
    told = answer.raise_for_status().json()
    if "errors" in told:
        raise RuntimeError(f"a question of the benchmark is refused: {told['errors'][:1]}")
    return told["data"]


def _results(loaded: Loaded, question: _Question, turns: Mapping[str, Sequence[_Turn]]) -> list[Result]:
    results = []
    medians = {
        name: _Turn(*(statistics.median(values) for values in zip(*map(_parts, some), strict=True)))
        for name, some in turns.items()
    }
    what = f"{question.what}, {CLIENTS} clients"
    for name, median in medians.items():
        results += [
            Result(TOPIC, loaded.name, f"{what}: {name}", median.rate, "answers/s"),
            Result(TOPIC, loaded.name, f"{what}: {name}, a client waits", median.wait, "ms"),
            Result(TOPIC, loaded.name, f"{what}: {name}, server's CPU an answer", median.server_cpu, "ms"),
        ]
        if loaded.name == "postgresql":
            text = f"{what}: {name}, PostgreSQL's CPU an answer"
            results.append(Result(TOPIC, loaded.name, text, median.database_cpu, "ms"))
    if len(medians) > 1:
        ours, theirs = medians.values()
        times = ours.rate / theirs.rate
        results.append(
            Result(
                TOPIC, loaded.name, f"{what}: answers/s", times, "× PostGraphile's", at_least(question.wanted)
            )
        )
    return results


def _parts(turn: _Turn) -> tuple[float, float, float, float]:
    return turn.rate, turn.wait, turn.server_cpu, turn.database_cpu


def _builds(data: Any) -> Any:
    """Their list of builds in the form of ours."""
    nodes = [
        {
            **build,
            "id": str(build["id"]),
            "createdAt": _moment(build["createdAt"]),
            "spec": {**build["spec"], **_named(build["spec"])},
            "tags": {
                "nodes": sorted(
                    (one["tag"] for one in (build["attempts"][0]["set"] or {"tags": []})["tags"]),
                    key=lambda tag: str(tag["name"]),
                )
            },
            "phases": {
                "nodes": [
                    {**phase["kind"], "reportedAt": _moment(phase["reportedAt"])}
                    for phase in build["attempts"][0]["phases"]
                ]
            },
            "errorCount": build["attempts"][0]["errors"]["totalCount"],
        }
        for build in data["builds"]["nodes"]
    ]
    for node in nodes:
        del node["attempts"]
    return {**data["builds"], "nodes": nodes}


def _our_graph(data: Any) -> Any:
    graph = data["spec"]["graph"]
    nodes = {node["hash"]: (node["name"], node["version"]) for node in graph["nodes"]}
    edges = {(one["parent"]["hash"], one["child"]["hash"]): one["deptypes"] for one in graph["edges"]}
    return data["spec"]["hash"], nodes, edges


def _their_graph(data: Any) -> Any:
    root = data["spec"]
    specs = [root, *(pair["spec"] for pair in root["below"])]
    nodes = {spec["hash"]: tuple(_named(spec).values()) for spec in specs}
    edges = {
        (spec["hash"], edge["child"]["hash"]): [
            one.name for one in Deptype if one.name and one & edge["deptypes"]
        ]
        for spec in specs
        for edge in spec["edges"]
    }
    return root["hash"], nodes, edges


def _named(spec: Any) -> dict[str, str]:
    return {"name": spec["version"]["package"]["name"], "version": spec["version"]["version"]}


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
