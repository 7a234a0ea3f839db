"""Phases of many clients at once: each has its own answer, whatever the others sent."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from benchmarks.torture import ENVIRONMENT, HASH, SPEC
from spackmon.database import together
from spackmon.ingest import store
from spackmon.ingest.receipts import PhaseReceipt, Receipt
from spackmon.submission import PhaseReport, Submission
from tests.server import Server, new_token, served
from tests.waiting import GIVE_UP_SECONDS, until

_PATH = "/ms1/builds/phases/update/"


def test_one_that_is_refused_has_its_own_answer_and_the_others_theirs(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting, go_on = threading.Event(), threading.Event()
    transactions: list[list[int]] = []
    alone, all_of_them = store.apply, store.apply_phases

    def slow(connection: Connection, report: Submission, person_id: int, **other: Any) -> Receipt:
        if isinstance(report, PhaseReport) and report.name == "slow":
            waiting.set()
            go_on.wait(GIVE_UP_SECONDS)
        return alone(connection, report, person_id, **other)

    def noted(connection: Connection, sent: Sequence[tuple[PhaseReport, int]]) -> list[PhaseReceipt | None]:
        transactions.append([report.build_id for report, _ in sent])
        return all_of_them(connection, sent)

    monkeypatch.setattr(together, "_PATIENCE_SECONDS", GIVE_UP_SECONDS)
    monkeypatch.setattr(store, "apply", slow)
    monkeypatch.setattr(store, "apply_phases", noted)
    writing, asked = together.Together.write, []

    async def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return await writing(*arguments)

    monkeypatch.setattr(together.Together, "write", counted)
    with served(database_url, tmp_path) as server:
        mine = [_build(server, f"node{number}") for number in range(4)]
        theirs = _build(server, "elsewhere", new_token(database_url, "eve"))
        bodies = [
            {"build_id": build_id, "phase_name": "build", "status": "SUCCESS", "output": f"make {build_id}"}
            for build_id in (*mine, theirs, 99_999)
        ]
        with ThreadPoolExecutor(len(bodies) + 1) as threads:
            first = threads.submit(server.post, _PATH, {**bodies[0], "phase_name": "slow"})
            until(waiting.is_set, "the first phase")
            others = [threads.submit(server.post, _PATH, body) for body in bodies]
            until(lambda: len(asked) == 1 + len(others), "the others")
            go_on.set()
            statuses = [one.result().status_code for one in (first, *others)]
        assert statuses == [200, 200, 200, 200, 200, 403, 404]
        assert [sorted(one) for one in transactions] == [sorted((*mine, theirs, 99_999))]
        found = server.ask("{ builds { nodes { phases { nodes { name log { text } } } } } }")
        phases = [one for build in found["builds"]["nodes"] for one in build["phases"]["nodes"]]
        logs = sorted(one["log"]["text"] for one in phases if one["name"] == "build")
        assert logs == sorted(f"make {build_id}" for build_id in mine)


def _build(server: Server, hostname: str, token: str | None = None) -> int:
    spec = {"spec": SPEC, "spack_version": "0.17.0"}
    server.post("/ms1/specs/new/", spec, token).raise_for_status()
    body = {**ENVIRONMENT, "hostname": hostname, "full_hash": HASH, "spack_version": "0.17.0", "tags": None}
    answer = server.post("/ms1/builds/new/", body, token).raise_for_status()
    return int(answer.json()["data"]["build"]["build_id"])
