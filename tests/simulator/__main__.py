"""The big count, on SQLite files in a temporary directory: `python -m tests.simulator --runs 10000`."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.simulator.histories import history
from tests.simulator.judging import Verdict
from tests.simulator.trials import Fresh, try_history

FAULTS = (
    "fused",
    "doubled",
    "lost",
    "lost claims",
    "facts",
    "numbers",
    "order differences",
    "refused",
    "unclaimed",
)


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


def try_seed(seed: int, fresh: Fresh, orders: int) -> Verdict:
    """The verdict over the history of a seed, which its examples name."""
    dice = Random(seed)
    verdict = try_history(history(dice), dice, fresh, orders)
    for what, examples in verdict.examples.items():
        verdict.examples[what] = [f"[{seed}] {example}" for example in examples]
    return verdict


def copies_of(template: Path, directory: Path) -> Fresh:
    """Opens copies of a migrated SQLite file, one at a time."""

    @contextmanager
    def fresh() -> Iterator[Database]:
        path = directory / "history.db"
        shutil.copy(template, path)
        database = Database(f"sqlite:///{path}")
        try:
            yield database
        finally:
            database.close()
            for left in directory.glob("history.db*"):
                left.unlink()

    return fresh


def report(total: Verdict) -> str:
    """Counts, then examples of what is wrong."""
    lines = [f"{total.counts[what]:8} {what}" for what in sorted(total.counts)]
    for fault in (*FAULTS, "undecidable"):
        lines += [f"{fault}: {example}" for example in total.examples.get(fault, [])]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
