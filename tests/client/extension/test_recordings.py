"""What the extension sent while real Spacks installed (0.23, and 1.2 with the new installer), played again.

Each line of `data/recordings` is one request: the reports of successes, a failure and what it cancelled, an
overwrite, Ctrl-C, `--until`, a log in Latin-1, a solver that found no way, and of prefixes that were pushed.
"""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.client.extension.spack import Line
from tests.server import Server

DIRECTORY = Path(__file__).parents[2] / "data" / "recordings"
RECORDINGS = pytest.mark.parametrize("name", ["0.23", "1.2-new"])

ATTEMPTS = """{ builds(first: 100) { nodes {
  status package { name } spec { hash }
  attempts { nodes { status phases { nodes { name status durationSeconds log { text } } } } }
  sources { kind } tags { nodes { name } } installFiles(first: 500) { totalCount }
} }
concretizationFailures(first: 10) { nodes { abstractSpec message } } }"""
RUNS = """{ builds(first: 100) { nodes {
  spec { hash } sources { kind } attempts { nodes { status startedAt } }
} } }"""


@RECORDINGS
def test_all_that_was_sent_is_taken_and_played_twice_is_that_played_once(name: str, server: Server) -> None:
    answers = _played(server, _requests(name))
    assert [answer for answer in answers if answer["status"] == "refused"] == []
    assert len(answers) == sum(map(len, _requests(name)))
    _assert_each_run_is_one_attempt(server, *_live_and_pushed(_requests(name)))
    once = server.ask(ATTEMPTS)
    # Without an Idempotency-Key each line is looked at again.
    answers = _played(server, _requests(name))
    assert {answer["status"] for answer in answers} == {"known"}
    assert server.ask(ATTEMPTS) == once


# Each order, and each recording, in each of the databases.
@pytest.mark.parametrize(
    ("name", "order", "database_url"),
    [
        ("0.23", "pushed first", "sqlite"),
        ("0.23", "last first", "postgresql"),
        ("1.2-new", "pushed first", "postgresql"),
        ("1.2-new", "last first", "sqlite"),
    ],
    indirect=["database_url"],
)
def test_each_run_is_one_attempt_whatever_was_pushed_of_it_and_when(
    name: str, order: str, server: Server
) -> None:
    live, pushed = _live_and_pushed(_requests(name))
    _played(server, pushed + live if order == "pushed first" else (live + pushed)[::-1])
    _assert_each_run_is_one_attempt(server, live, pushed)


def _assert_each_run_is_one_attempt(server: Server, live: list[list[Line]], pushed: list[list[Line]]) -> None:
    builds = server.ask(RUNS)["builds"]["nodes"]
    attempts = {build["spec"]["hash"]: build["attempts"]["nodes"] for build in builds}
    assert len(attempts) == len(builds)
    assert {
        spec_hash: [attempt["status"] for attempt in sorted(of_spec, key=lambda a: str(a["startedAt"]))]
        for spec_hash, of_spec in attempts.items()
    } == _ends(live)
    # A prefix is what the last success left in it.
    with_prefix = {build["spec"]["hash"] for build in builds if {"kind": "PREFIX"} in build["sources"]}
    assert with_prefix == {line["spec_hash"] for lines in pushed for line in lines}


def _live_and_pushed(requests: list[list[Line]]) -> tuple[list[list[Line]], list[list[Line]]]:
    """What was sent while Spack installed, and what an import of the prefixes says as well."""
    kinds: tuple[list[list[Line]], list[list[Line]]] = ([], [])
    for lines in requests:
        for line in lines:
            kinds[line.get("source", {}).get("kind") == "PREFIX"].append([line])
    return kinds


def _ends(live: list[list[Line]]) -> dict[str, list[str]]:
    """How the runs of each spec ended, in the order in which they ran."""
    ends: dict[str, list[str]] = {}
    for (line,) in sorted(live, key=lambda lines: lines[0].get("finished_at") or 0):
        if line.get("status") in ("SUCCESS", "FAILED", "CANCELLED"):
            ends.setdefault(line["spec_hash"], []).append(line["status"])
    return ends


def _requests(name: str) -> list[list[Line]]:
    with gzip.open(DIRECTORY / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(request) for request in file]


def _played(server: Server, requests: Iterable[list[Line]]) -> list[dict[str, Any]]:
    answers = []
    for lines in requests:
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        response = server.post("/api/submissions", body)
        assert response.status_code == 200, response.text
        answers += [json.loads(answer) for answer in response.text.splitlines()]
    return answers
