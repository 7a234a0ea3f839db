"""The big count, on SQLite files in a temporary directory: `python -m tests.simulator --runs 10000`."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path

from spackmon.ops.migrations import upgrade
from tests.simulator.judging import FAULTS, Verdict, report
from tests.simulator.trials import copies_of, try_seed


def main() -> int:
    """Print the counts; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="true runs that are reported")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=2, help="orders in which each history is delivered")
    parser.add_argument("--only", type=int, help="one history, by the seed that is printed with a fault")
    parser.add_argument("--jobs", type=int, default=1, help="histories at a time")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty.db"
        upgrade(f"sqlite:///{empty}")
        if arguments.only is not None:
            total = _one(arguments.only, empty, arguments.orders)
        else:
            total = _many(arguments, empty)
    print(report(total))
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(total.counts[fault] for fault in FAULTS))


def _many(arguments: argparse.Namespace, empty: Path) -> Verdict:
    total = Verdict()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        size = 4 * arguments.jobs
        for first in count(arguments.seed * 1_000_000, size):
            seeds = range(first, first + size)
            for verdict in pool.map(_one, seeds, [empty] * size, [arguments.orders] * size):
                total.add(verdict)
            if total.counts["runs"] >= arguments.runs * arguments.orders:
                return total
    raise AssertionError("there is no last seed")


def _one(seed: int, empty: Path, orders: int) -> Verdict:
    with tempfile.TemporaryDirectory() as directory:
        return try_seed(seed, copies_of(empty, Path(directory)), orders)


if __name__ == "__main__":
    sys.exit(main())
