"""What people and pages ask of a site, each over HTTP: how long they wait, and the CPU that it takes.

`questions.json` has them by name, each a document with its variables or the path of a page, and for most the
milliseconds that it may take at two million runs. What stands in braces is something of the site, by a name
of `facts_of`.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, text

from benchmarks.databases import Loaded
from benchmarks.measure import Cost, Meter, Result, at_most, backends, median
from benchmarks.query import large_graph
from benchmarks.server import Server, served
from spackmon.database import Database

TOPIC = "questions"
_FILE = Path(__file__).with_name("questions.json")
# A plan is settled after some runs on each connection; what takes longer than this has settled before.
_WARM_SECONDS, _MOST_WARM = 3.0, 12
_SLOW_SECONDS = 4.0
_GIVEN_UP_MS = 30_000.0
_FAR_PAGES = 20

_FACTS = {
    "zlib_hash": """
        SELECT s.hash FROM spec s JOIN package_version v ON v.id = s.package_version_id
        JOIN package p ON p.id = v.package_id
        WHERE p.name = 'zlib' AND v.version = '1.2.11' ORDER BY s.id LIMIT 1
    """,
    "common_fingerprint": """
        SELECT g.fingerprint FROM build_event e JOIN error_group g ON g.id = e.error_group_id
        GROUP BY g.fingerprint ORDER BY count(*) DESC, g.fingerprint LIMIT 1
    """,
    "common_error_build": """
        SELECT b.id FROM build b JOIN build_event e ON e.attempt_id = b.newest_attempt_id
        JOIN error_group g ON g.id = e.error_group_id
        WHERE g.fingerprint = :common_fingerprint ORDER BY b.id DESC LIMIT 1
    """,
    "failed_build": "SELECT min(id) FROM build WHERE status = 'FAILED'",
    "variant": """
        SELECT CASE min(a.value) WHEN 'true' THEN '+' ELSE '~' END || a.name FROM parameter a
        JOIN spec s ON s.parameter_set_id = a.parameter_set_id
        JOIN package_version v ON v.id = s.package_version_id JOIN package p ON p.id = v.package_id
        WHERE p.name = 'hdf5' AND a.value IN ('true', 'false') AND a.name NOT IN ('pic', 'shared')
        GROUP BY a.name HAVING count(DISTINCT a.value) = 2 ORDER BY count(*), a.name LIMIT 1
    """,
    "first_hash": """
        SELECT min(s.hash) FROM spec s JOIN package_version v ON v.id = s.package_version_id
        JOIN package p ON p.id = v.package_id WHERE p.name = 'hdf5'
    """,
    "second_hash": """
        SELECT max(s.hash) FROM spec s JOIN package_version v ON v.id = s.package_version_id
        JOIN package p ON p.id = v.package_id WHERE p.name = 'hdf5'
    """,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and for how long one may wait for its answer."""

    name: str
    document: str | None
    variables: Mapping[str, Any]
    path: str | None
    at_most_ms: float | None

    def ask(self, http: httpx.Client, turn: int = 0) -> httpx.Response:
        """One answer, anew in each turn. Raises RuntimeError if it is an error."""
        if self.path is not None:
            answer = http.get(self.path)
        else:
            # Answers about specs are kept, by all variables that were sent.
            variables = {**self.variables, "turn": turn}
            answer = http.post("/graphql", json={"query": self.document, "variables": variables})
        if answer.status_code != 200 or "errors" in answer.json():
            raise RuntimeError(f"{self.name}: {answer.text[:500]}")
        return answer


def questions(facts: Mapping[str, Any]) -> list[Question]:
    """Every question, about a site of which these things are known."""
    stored = json.loads(_FILE.read_text(encoding="utf-8"))
    found = []
    for one in stored["questions"]:
        document = one.get("document")
        for name, fragment in stored["fragments"].items():
            if document is not None and f"...{name} " in document:
                document = f"{document} {fragment}"
        path = one.get("path")
        found.append(
            Question(
                one["name"].format_map(facts), document, _filled(one.get("variables", {}), facts),
                None if path is None else path.format_map(facts), one.get("at_most_ms"),
            )
        )  # fmt: skip
    return found


def _filled(value: Any, facts: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        # A fact may be missing: on a small site there is no page far behind.
        is_fact = value.startswith("{") and value.endswith("}") and value[1:-1] in facts
        return facts[value[1:-1]] if is_fact else value.format_map(facts)
    if isinstance(value, dict):
        return {key: _filled(inner, facts) for key, inner in value.items()}
    return [_filled(inner, facts) for inner in value] if isinstance(value, list) else value


def facts_of(loaded: Loaded, server: Server) -> dict[str, Any]:
    """What questions name of the site: common and rare things of it."""
    database = Database(loaded.url)
    try:
        facts = database.read_once(_stored_facts)
    finally:
        database.close()
    for what, dependency in zip(("common", "mid", "rare"), loaded.dependencies, strict=True):
        facts |= {f"{what}_name": dependency.name, f"{what}_version": dependency.version}
    return {**facts, "far_cursor": _far_cursor(server, facts)}


def _stored_facts(connection: Connection) -> dict[str, Any]:
    facts: dict[str, Any] = {"graph_hash": large_graph(connection).hash}
    for name, statement in _FACTS.items():
        given = {known: facts[known] for known in facts if f":{known}" in statement}
        facts[name] = connection.execute(text(statement), given).scalar()
    return facts


def _far_cursor(server: Server, facts: Mapping[str, Any]) -> str | None:
    """Where a page begins that is some thousand builds behind the newest."""
    document = """
        query ($name: String!, $version: String!, $after: String) {
          builds(first: 500, after: $after, where: {dependency: {name: $name, version: $version}}) {
            pageInfo { endCursor hasNextPage }
          }
        }
    """
    after = None
    for _ in range(_FAR_PAGES):
        variables = {"name": facts["common_name"], "version": facts["common_version"], "after": after}
        answer = server.http.post("/graphql", json={"query": document, "variables": variables}).json()
        page = answer["data"]["builds"]["pageInfo"]
        if not page["hasNextPage"]:
            break
        after = page["endCursor"]
    return after


def measure(loaded: Loaded, *, quick: bool) -> list[Result]:
    """Every question on one database.

    What it may take is asked of the CPU of whoever runs the SQL: a client of a busy machine waits longer.
    """
    results = []
    who = "the server's" if loaded.name == "sqlite" else "PostgreSQL's"
    with served(loaded.url) as server:
        for question in questions(facts_of(loaded, server)):
            cost = _cost_or_none(loaded, server, question, rounds=3 if quick else 7)
            target = None if question.at_most_ms is None else at_most(question.at_most_ms)
            cpu = cost.python if loaded.name == "sqlite" else cost.database
            results.append(Result(TOPIC, loaded.name, f"{question.name}: {who} CPU", cpu, "ms", target))
            results.append(Result(TOPIC, loaded.name, f"{question.name}: a client waits", cost.wall, "ms"))
    return results


def _cost_or_none(loaded: Loaded, server: Server, question: Question, rounds: int) -> Cost:
    """The cost, or the time after which the service gave up: the other questions are asked all the same."""
    with in_time_or_said(question):
        return _cost(loaded, server, question, rounds)
    return Cost(_GIVEN_UP_MS, _GIVEN_UP_MS, _GIVEN_UP_MS)


@contextmanager
def in_time_or_said(question: Question) -> Iterator[None]:
    """Ask within: where the service gives the question up the block ends there, and a line says so."""
    try:
        yield
    except RuntimeError as error:
        if "STATEMENT_TIMEOUT" not in str(error):
            raise
        print(f"no answer in time: {question.name}", flush=True)


def _cost(loaded: Loaded, server: Server, question: Question, rounds: int) -> Cost:
    turns = count()

    def ask() -> None:
        question.ask(server.http, next(turns))

    began = time.monotonic()
    ask()
    is_slow = time.monotonic() - began > _SLOW_SECONDS
    for _ in range(0 if is_slow else _MOST_WARM):
        if time.monotonic() - began > _WARM_SECONDS:
            break
        ask()
    meter = Meter(server.process_id, backends(loaded.url))
    return median(meter.cost(ask) for _ in range(3 if is_slow else rounds))
