"""The big count: `python -m tests.simulator --runs 10000 --stored 1000`.

So many true runs are resolved without a database, from what one order of arrival makes of them, and so many
are stored in SQLite files in a temporary directory, in several orders.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

from spackmon.ops.migrations import upgrade
from tests.simulator.judging import FAULTS, Verdict, report
from tests.simulator.trials import copies_of, resolve_seed, try_seed

_AT_ONCE = 8


def main() -> int:
    """Print the counts; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10000, help="true runs that are resolved")
    parser.add_argument("--stored", type=int, default=1000, help="true runs that are stored as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=2, help="orders in which each history is stored")
    parser.add_argument("--only", type=int, help="one history, by the seed that is printed with a fault")
    parser.add_argument("--jobs", type=int, default=1, help="histories at a time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty.db"
        upgrade(f"sqlite:///{empty}")
        if arguments.only is None:
            totals = _all(arguments, empty)
        else:
            totals = [("stored", _one(arguments.only, empty, arguments.orders))]
    for what, total in totals:
        print(f"{what}:\n{report(total)}")
    return int(any(total.counts[fault] for _, total in totals for fault in FAULTS))


def _all(arguments: argparse.Namespace, empty: Path) -> list[tuple[str, Verdict]]:
    first = arguments.seed * 1_000_000
    with ProcessPoolExecutor(arguments.jobs) as pool:
        resolved = _many(pool, resolve_seed, first, arguments.runs)
        stored = partial(_one, empty=empty, orders=arguments.orders)
        several = _many(pool, stored, first, arguments.stored * arguments.orders)
    return [("resolved", resolved), (f"stored in {arguments.orders} orders", several)]


def _many(pool: Executor, trial: Callable[[int], Verdict], first: int, runs: int) -> Verdict:
    total = Verdict()
    for seed in count(first, _AT_ONCE):
        if total.counts["runs"] >= runs:
            break
        for verdict in pool.map(trial, range(seed, seed + _AT_ONCE)):
            total.add(verdict)
    return total


def _one(seed: int, empty: Path, orders: int) -> Verdict:
    with tempfile.TemporaryDirectory() as directory:
        return try_seed(seed, copies_of(empty, Path(directory)), orders)


if __name__ == "__main__":
    sys.exit(main())
