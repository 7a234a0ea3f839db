"""Whether suspects name the causes that were planted: `python -m benchmarks.causes --runs 50000 --seeds 1 2`.

Each seed is a site of its own (tests/simulator/planted), written into a new database. What is not as it was
planted is printed, with the counts behind it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.databases import temporary_postgresql
from benchmarks.load import tidy
from benchmarks.service import service
from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.simulator.planted import judging
from tests.simulator.planted.causes import Truth, planted
from tests.simulator.planted.judging import Score
from tests.simulator.planted.rows import write
from tests.simulator.planted.site import Planned, Size

_CAUSES_OF_A_SITE = 24
_RUNS_OF_A_PACKAGE = 420


def main() -> int:
    """Print the shares; 1 where fewer than 95 % are named, or anything else is not as it was planted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes", description=__doc__)
    parser.add_argument("--runs", type=int, default=50_000, help="runs of a site")
    parser.add_argument("--nights", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--keep", type=Path, help="where to leave the SQLite files, and to look for them")
    asked = parser.parse_args()
    total = Score()
    for seed in asked.seeds:
        size, truth, planned = made(asked.runs, asked.nights, seed)
        with _database(asked.database, asked.keep, f"{asked.runs}-{seed}") as (url, is_new):
            score = _score(url, is_new, planned, truth, size)
        print(f"seed {seed}: {_shown(score)}", *score.wrong, sep="\n  ", flush=True)
        total.add(score)
    print(f"all: {_shown(total)}")
    return int(total.share("named", "named: cases") < 0.95 or total.share("history", "history: answers") < 1)


def made(runs: int, nights: int, seed: int) -> tuple[Size, Truth, Planned]:
    """A site and its truth."""
    size = Size(runs, packages=max(24, runs // _RUNS_OF_A_PACKAGE), stacks=12, nights=nights)
    planned = Planned(size, Random(f"{seed}:site"))
    return size, planted(planned, Random(f"{seed}:causes"), _CAUSES_OF_A_SITE), planned


def _score(url: str, is_new: bool, planned: Planned, truth: Truth, size: Size) -> Score:
    database = Database(url)
    try:
        if is_new:
            write(database, planned, truth)
            tidy(database)
        with service(database) as served:

            def ask(query: str, **variables: Any) -> dict[str, Any]:
                answer = json.loads(served.ask(query, variables))
                if "errors" in answer:
                    raise RuntimeError(answer["errors"])
                data: dict[str, Any] = answer["data"]
                return data

            began = time.process_time()
            found = judging.suspects(ask, truth)
            spent = time.process_time() - began
            score = judging.judged(truth, found)
            score.counts["milliseconds of CPU for suspects"] += round(1000 * spent)
            score.add(judging.history(ask, truth, size.nights))
    finally:
        database.close()
    failed = sum(run.error is not None for run in truth.runs)
    score.counts.update({"runs": len(truth.runs), "failed": failed})
    return score


@contextmanager
def _database(kind: str, kept: Path | None, name: str) -> Iterator[tuple[str, bool]]:
    if kind == "postgresql":
        with temporary_postgresql() as url:
            yield url, True
        return
    with tempfile.TemporaryDirectory() as directory:
        path = (kept or Path(directory)) / f"{name}.db"
        is_new = not path.exists()
        upgrade(f"sqlite:///{path}")
        yield f"sqlite:///{path}", is_new


def _shown(score: Score) -> str:
    counts = score.counts
    return (
        f"named {counts['named']} of {counts['named: cases']} ({score.share('named', 'named: cases'):.1%}), "
        f"first or with what nobody can tell from it {counts['first, or one that nobody can tell from it']}, "
        f"in the first three {counts['in the first three']}; "
        f"'cannot tell' {counts['cannot tell']} of {counts['cannot tell: cases']}; "
        f"history {counts['history']} of {counts['history: answers']}; "
        f"{counts['runs']:,} runs, {counts['failed']:,} failed; "
        f"{counts['milliseconds of CPU for suspects']} ms of CPU for all suspects"
    )


if __name__ == "__main__":
    sys.exit(main())
