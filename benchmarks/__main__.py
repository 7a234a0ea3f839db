"""`python -m benchmarks`: a table for each topic and database, with its targets beside what was measured."""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from benchmarks import (
    abi,
    against,
    against_postgraphile,
    bulk,
    growth,
    ingest,
    logs,
    memory,
    pages,
    prices,
    query,
    questions,
    search,
    sizes,
)
from benchmarks.data import Size
from benchmarks.databases import POSTGRESQL_CONFIGURATION, DatabaseName, Loaded, loaded
from benchmarks.measure import Result, show

Topic = Callable[[Loaded, Size, bool], list[Result]]

TOPICS: dict[str, Topic] = {
    ingest.TOPIC: lambda loaded, size, quick: ingest.measure(loaded, size, quick=quick),
    query.TOPIC: lambda loaded, size, quick: query.measure(loaded, quick=quick),
    bulk.TOPIC: lambda loaded, size, quick: bulk.measure(loaded, quick=quick),
    against_postgraphile.TOPIC: lambda loaded, size, quick: against_postgraphile.measure(loaded, quick=quick),
    growth.TOPIC: lambda loaded, size, quick: growth.measure(loaded, quick=quick),
    questions.TOPIC: lambda loaded, size, quick: questions.measure(loaded, quick=quick),
    pages.TOPIC: lambda loaded, size, quick: pages.measure(loaded, quick=quick),
    prices.TOPIC: lambda loaded, size, quick: prices.measure(loaded, size, quick=quick),
    logs.TOPIC: lambda loaded, size, quick: logs.measure(loaded, quick=quick),
    search.TOPIC: lambda loaded, size, quick: search.measure(loaded, quick=quick),
    abi.TOPIC: lambda loaded, size, quick: abi.measure(loaded, quick=quick),
    sizes.TOPIC: lambda loaded, size, quick: sizes.measure(loaded),
    memory.TOPIC: lambda loaded, size, quick: memory.measure(loaded, quick=quick),
}
DATABASES: tuple[DatabaseName, ...] = ("postgresql", "sqlite")


def main() -> int:
    """Run what was asked for; 1 if a target was missed."""
    asked = _arguments()
    # PostgreSQL is a child that would outlive us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if asked.against:
        return int(not against.against(asked.against, _of_both(asked)))
    size = Size()
    results: list[Result] = []
    for name in asked.database or DATABASES:
        with loaded(name, size) as original:
            site = original.times(asked.factor)
            held = ", ".join(f"{value:,} {what}" for what, value in asdict(site.counts).items())
            print(f"{name}: {held}; the machine's load is {os.getloadavg()[0]:.1f}", flush=True)
            for topic in asked.only or TOPICS:
                found = TOPICS[topic](site, size, asked.quick)
                show(f"{topic} on {name}", found)
                results += found
    if asked.json:
        asked.json.write_text(json.dumps(_report(size, results), indent=1, ensure_ascii=False) + "\n")
    missed = [result for result in results if result.is_met is False]
    print(f"{len(missed)} of {sum(result.is_met is not None for result in results)} targets missed")
    return int(bool(missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller logs")
    parser.add_argument("--only", action="append", choices=TOPICS, help="one topic; may be repeated")
    parser.add_argument("--database", action="append", choices=DATABASES, help="one database")
    parser.add_argument(
        "--factor", type=int, default=1, help="how many times 20,000 builds: 1, 10, 100 (default 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result there as well")
    parser.add_argument(
        "--against", metavar="COMMIT", help="measure that commit, too, in turns with this one"
    )
    return parser.parse_args()


def _of_both(asked: argparse.Namespace) -> list[str]:
    """The arguments that both checkouts are measured with."""
    names = [("--only", name) for name in asked.only or ()] + [
        ("--database", name) for name in asked.database or ()
    ]
    return [*(["--quick"] if asked.quick else []), *(word for pair in names for word in pair)]


def _report(size: Size, results: list[Result]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
        "specs": size.specs,
        "builds": size.builds,
        "postgresql": POSTGRESQL_CONFIGURATION,
        "results": [result.as_json() for result in results],
    }


if __name__ == "__main__":
    sys.exit(main())
