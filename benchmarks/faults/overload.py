"""Readers, ten times as many as a service answers at once; each asks something that costs."""

import asyncio
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from spackmon.database.roles import READER

READERS = 10 * READER.connections
_QUESTION = """
query Costly { builds(first: 100) { totalCount nodes {
  id status errorCount spec { hash name } attempts(first: 5) { totalCount }
  phases { nodes { name status log { lineCount } } }
} } }
"""
_GIVE_UP_SECONDS = 120.0


def overloaded(urls: Sequence[str], seconds: float) -> Counter[int]:
    """What READERS readers of each service were answered, by status; 0 where no answer came."""
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    processes = [context.Process(target=_read, args=(url, seconds, queue), daemon=True) for url in urls]
    for process in processes:
        process.start()
    found: Counter[int] = Counter()
    for _ in processes:
        found += queue.get(timeout=10 * _GIVE_UP_SECONDS)
    for process in processes:
        process.join()
    return found


def _read(url: str, seconds: float, queue: Any) -> None:
    queue.put(asyncio.run(_all(url, seconds)))


async def _all(url: str, seconds: float) -> Counter[int]:
    found: Counter[int] = Counter()
    limits = httpx.Limits(max_connections=READERS)
    over_at = time.monotonic() + seconds

    async def one(client: httpx.AsyncClient, number: int) -> None:
        turn = 0
        while time.monotonic() < over_at:
            turn += 1
            # A variable that the operation does not have: the answer is none that was kept.
            question = {"query": _QUESTION, "variables": {"n": f"{number} {turn}"}}
            try:
                found[(await client.post("/graphql", json=question)).status_code] += 1
            except httpx.TransportError:
                found[0] += 1

    async with httpx.AsyncClient(base_url=url, timeout=_GIVE_UP_SECONDS, limits=limits) as client:
        await asyncio.gather(*(one(client, number) for number in range(READERS)))
    return found
