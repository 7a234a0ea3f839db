"""The big count, on SQLite files in a temporary directory: `python -m tests.simulator --runs 10000`."""

import argparse
import sys
import tempfile
import time
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
    arguments = parser.parse_args()
    total = Verdict()
    began = time.monotonic()
    seed = arguments.seed * 1_000_000 if arguments.only is None else arguments.only
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty.db"
        upgrade(f"sqlite:///{empty}")
        fresh = copies_of(empty, Path(directory))
        while total.counts["runs"] < arguments.runs * arguments.orders:
            verdict = try_seed(seed, fresh, arguments.orders)
            total.add(verdict)
            seed += 1
            if arguments.only is not None:
                break
    print(report(total))
    print(f"{time.monotonic() - began:.0f} s")
    return int(any(total.counts[fault] for fault in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
