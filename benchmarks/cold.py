"""`python -m benchmarks.cold`: what questions cost when nothing of the database is in memory, on PostgreSQL.

Before each question of `questions.json` that has a bar PostgreSQL is started anew, and the system forgets its
files; then it is asked, and again while all of it is there. How long one waits depends on the disk: how much
is read does not.
"""

import argparse
import os
import statistics
import time
from dataclasses import dataclass

from sqlalchemy import text

from benchmarks.data import Size
from benchmarks.databases import Loaded, loaded
from benchmarks.questions import Question, facts_of, in_time_or_said, questions
from benchmarks.server import Server, served
from spackmon.database import Database
from tests.waiting import until

_RENEWALS, _WARM = 6, 3
_BLOCK_BYTES = 8192
_MB = 1e6
_SHOWN = 25


@dataclass(frozen=True, slots=True)
class _Found:
    """Milliseconds of the first answer and of one from memory, and what the first read."""

    name: str
    cold_ms: float
    warm_ms: float
    read_mb: float


def main() -> None:
    """Print what each waits for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--factor", type=int, default=1, help="so many times the runs (default 1)")
    asked = parser.parse_args()
    with loaded("postgresql", Size()) as original:
        site = original.times(asked.factor)
        with served(site.url) as server:
            found = [
                _asked(site, server, question)
                for question in questions(facts_of(site, server))
                if question.at_most_ms is not None
            ]
        stored_mb = _counter(site.url, "SELECT pg_database_size(current_database())") / _MB
    print(f"{stored_mb:,.0f} MB; the machine's load is {os.getloadavg()[0]:.1f}\n\n{_table(found)}")


def _asked(site: Loaded, server: Server, question: Question) -> _Found:
    site.forget()
    until(lambda: server.http.get("/readyz").status_code == 200)
    for turn in range(_RENEWALS):
        # What is measured does not meet a connection to the PostgreSQL of before.
        server.http.post("/graphql", json={"query": f"{{ packages(first: {turn + 1}) {{ totalCount }} }}"})
    before = _blocks(site.url)
    cold_ms = _wait_ms(server, question, 0)
    read_mb = (_blocks(site.url) - before) * _BLOCK_BYTES / _MB
    warm_ms = min(_wait_ms(server, question, turn + 1) for turn in range(_WARM))
    return _Found(question.name, cold_ms, warm_ms, read_mb)


def _wait_ms(server: Server, question: Question, turn: int) -> float:
    began = time.perf_counter()
    with in_time_or_said(question):
        question.ask(server.http, turn)
    return (time.perf_counter() - began) * 1000


def _blocks(url: str) -> float:
    # What a session has read is told when it has been idle for a second, or is made to tell.
    time.sleep(1.1)
    return _counter(url, "SELECT blks_read FROM pg_stat_database WHERE datname = current_database()")


def _counter(url: str, statement: str) -> float:
    database = Database(url)
    try:
        return float(database.read_once(lambda connection: connection.execute(text(statement)).scalar_one()))
    finally:
        database.close()


def _table(found: list[_Found]) -> str:
    lines = ["| question | cold, ms | from memory, ms | read, MB |", "|---|---|---|---|"]
    for one in sorted(found, key=lambda one: -one.cold_ms)[:_SHOWN]:
        lines.append(f"| {one.name} | {one.cold_ms:.0f} | {one.warm_ms:.0f} | {one.read_mb:.1f} |")
    cold, warm, read = zip(*((one.cold_ms, one.warm_ms, one.read_mb) for one in found), strict=True)
    lines.append(
        f"| the median of {len(found)} | {statistics.median(cold):.0f} | {statistics.median(warm):.0f} "
        f"| {statistics.median(read):.1f} |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
