"""What PostgreSQL's CPU goes into when a client reports: `python -m benchmarks.statements`.

The reports are those of `benchmarks.prices`, written in this process, so that each statement is seen.
"""

import argparse
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import event

from benchmarks.data import SPACK_VERSION, Size
from benchmarks.databases import loaded
from benchmarks.ingest import Graphs
from benchmarks.measure import cpu_seconds
from benchmarks.prices import LINES, MACHINE
from spackmon.database import Database
from spackmon.formats import ms1
from spackmon.ingest import store

_PERSON_ID = 1
_SETTLING = 12
_SHOWN_CHARACTERS = 110


class Seen:
    """The statements of reports, by what is reported: the CPU of each in milliseconds, and how many ran."""

    def __init__(self) -> None:
        self.reports: dict[str, list[Mapping[str, float]]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self._now: dict[str, float] = {}
        self._count = 0
        self._began = 0.0

    @contextmanager
    def report(self, kind: str) -> Iterator[None]:
        """Around a report."""
        self._now, self._count = defaultdict(float), 0
        yield
        self.reports[kind].append(self._now)
        self.counts[kind] += self._count

    def begin(self, connection: Any, *_: Any) -> None:
        """Before a statement."""
        self._began = cpu_seconds(_process_of(connection))

    def end(self, connection: Any, _: Any, statement: str, *__: Any) -> None:
        """After it."""
        spent = cpu_seconds(_process_of(connection)) - self._began
        self._now[" ".join(statement.split())] += spent * 1000
        self._count += 1

    def show(self, most: int) -> None:
        """Print each kind of report, and its dearest statements."""
        for kind, reports in self.reports.items():
            costs = {
                statement: statistics.median(one.get(statement, 0.0) for one in reports)
                for statement in {statement for one in reports for statement in one}
            }
            count = self.counts[kind] / len(reports)
            print(f"{kind}: {sum(costs.values()):.2f} ms in {count:.0f} statements")
            for statement, cost in sorted(costs.items(), key=lambda entry: -entry[1])[:most]:
                print(f"  {cost:.3f} ms  {statement[:_SHOWN_CHARACTERS]}")


def _process_of(connection: Any) -> int:
    return int(connection.connection.driver_connection.info.backend_pid)


def _report(database: Database, graphs: Graphs, seen: Seen, number: int) -> None:
    def write(kind: str, report: Any) -> Any:
        with seen.report(kind):
            return database.write(partial(store.apply, submission=report, person_id=_PERSON_ID))

    body = graphs.new("statements")
    root = json.loads(body)["spec"]["nodes"][0]["hash"]
    log = "\n".join(f"checking for header {line}.h... yes" for line in range(LINES))
    write("a graph", ms1.read_spec(ms1.read_json(body)))
    build = {"full_hash": root, "spack_version": SPACK_VERSION, "tags": "price", **MACHINE}
    build_id = write("its build", ms1.read_build(build)).build_id
    phase = {"build_id": build_id, "phase_name": "build", "status": "SUCCESS", "output": f"{log}\n{number}"}
    write("a phase", ms1.read_phase(phase))
    write("how it ended", ms1.read_status({"build_id": build_id, "status": "SUCCESS"}))


def main() -> None:
    """Report some builds into a copy of the site, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statements", description=__doc__)
    parser.add_argument("--factor", type=int, default=1, help="as that of python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--most", type=int, default=15, help="statements that are shown of a report")
    asked = parser.parse_args()
    with loaded("postgresql", Size()) as original, original.times(asked.factor).copy() as url:
        database, graphs = Database(url), Graphs(Size())
        for number in range(_SETTLING):
            _report(database, graphs, Seen(), number)
        seen = Seen()
        event.listen(database.engine, "before_cursor_execute", seen.begin)
        event.listen(database.engine, "after_cursor_execute", seen.end)
        for number in range(_SETTLING, _SETTLING + asked.rounds):
            _report(database, graphs, seen, number)
        database.close()
    seen.show(asked.most)


if __name__ == "__main__":
    main()
