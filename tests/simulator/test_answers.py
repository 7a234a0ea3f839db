"""What is asked by GraphQL: a build shows its newest run, and every run its own facts."""

import asyncio
import json
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest

from spackmon.database import Database
from spackmon.query.serve.service import QueryService
from spackmon.schema import schema
from tests.simulator import reading
from tests.simulator.arriving import deliver
from tests.simulator.histories import history
from tests.simulator.steps import arranged
from tests.simulator.telling import told
from tests.simulator.trials import people

FACTS = """
    status prefix configureArguments startedAt finishedAt environmentVariables { name value }
    tags { nodes { name } }
    phases { nodes { name position status } } installFiles(first: 10) { nodes { path } }
"""
QUESTION = f"{{ builds(first: 100) {{ nodes {{ id {FACTS} attempts {{ nodes {{ number {FACTS} }} }} }} }} }}"


async def _ask(database: Database, question: str) -> Any:
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(database.reader())
        answer = json.loads((await QueryService(schema, database, reader).execute(question, None, None)).body)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


@pytest.mark.parametrize("seed", [11, 12])
def test_a_build_shows_its_newest_run_and_a_run_its_own_facts(database: Database, seed: int) -> None:
    dice = Random(seed)
    people(database)
    deliver(database, arranged(told(history(dice), dice), dice))
    stored = {(one.build_id, one.number): one for one in database.read_once(reading.attempts)}
    builds = asyncio.run(_ask(database, QUESTION))["builds"]["nodes"]
    assert sum(len(build["attempts"]["nodes"]) for build in builds) == len(stored) > 5
    for build in builds:
        attempts = {attempt.pop("number"): attempt for attempt in build.pop("attempts")["nodes"]}
        build_id = int(build.pop("id"))
        assert build == attempts[max(attempts)]
        for number, attempt in attempts.items():
            facts = stored[build_id, number].facts
            assert attempt["prefix"] == facts["prefix"]
            assert attempt["configureArguments"] == facts["arguments"]
            assert {v["name"]: v["value"] for v in attempt["environmentVariables"]} == facts["variables"]
            assert {file["path"] for file in attempt["installFiles"]["nodes"]} == facts["files"]
            assert {tag["name"] for tag in attempt["tags"]["nodes"]} == facts["tags"]
