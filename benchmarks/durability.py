"""What a commit costs when it is on the disk before it is acknowledged: SQLite's FULL against its NORMAL.

`python -m benchmarks.durability [DIRECTORY]`; the directory is on the disk that is measured. In turns, so
that the load of the machine meets both.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.data import Size
from benchmarks.ingest import Graphs, report_of
from spackmon.auth.people import add_person
from spackmon.database import Database, engine
from spackmon.ingest import store
from spackmon.ops.migrations import upgrade
from spackmon.submission import SpecReport

_TURNS, _GRAPHS, _SMALL = 7, 20, 100


def main() -> None:
    """Print milliseconds for a graph of new specs and for a small write, by each setting."""
    graphs = Graphs(Size(specs=3000))
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as directory:
        databases = {name: _opened(Path(directory), name) for name in ("FULL", "NORMAL")}
        times: dict[tuple[str, str], list[float]] = {}
        for _ in range(_TURNS):
            bodies = [report_of(graphs.new()) for _ in range(_GRAPHS)]
            for name, database in databases.items():
                times.setdefault((name, "a graph"), []).append(_graphs(database, bodies))
                times.setdefault((name, "a small write"), []).append(_small_writes(database))
    for (name, what), seconds in sorted(times.items(), key=lambda item: item[0][1]):
        median, fastest = statistics.median(seconds) * 1000, min(seconds) * 1000
        print(f"{what:14} {name:7} {median:8.2f} ms (fastest {fastest:.2f})")


def _opened(directory: Path, synchronous: str) -> Database:
    engine.SYNCHRONOUS = synchronous
    url = f"sqlite:///{directory}/{synchronous}.db"
    upgrade(url)
    database = Database(url)
    database.write(lambda connection: add_person(connection, "somebody"))
    (level,) = database.read_once(lambda c: c.exec_driver_sql("PRAGMA synchronous").one())
    assert level == {"NORMAL": 1, "FULL": 2}[synchronous]
    return database


def _graphs(database: Database, bodies: list[SpecReport]) -> float:
    began = time.perf_counter()
    for body in bodies:
        database.write(lambda connection, body=body: store.apply(connection, body, 1))  # type: ignore[misc]
    return (time.perf_counter() - began) / len(bodies)


def _small_writes(database: Database) -> float:
    began = time.perf_counter()
    for _ in range(_SMALL):
        database.write(lambda c: c.exec_driver_sql("UPDATE person SET disabled_at = NULL WHERE id = 1"))
    return (time.perf_counter() - began) / _SMALL


if __name__ == "__main__":
    main()
