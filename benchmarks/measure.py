"""How things are measured and how results are shown."""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, make_url, text

Done = TypeVar("Done")


def cpu_seconds(process_id: int) -> float:
    """The CPU time a process has used, all its threads together, to the nanosecond.

    Linux: the clock id of another process, as clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime((~process_id << 3) | 2)


def reaped_seconds(process_id: int) -> float:
    """The CPU time of a process's children that have ended; proc(5), /proc/pid/stat."""
    fields = _stat(process_id)
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _alive_seconds(process_id: int) -> float:
    """The CPU time of a process; none of one that has ended, whose parent has it (`reaped_seconds`)."""
    try:
        return cpu_seconds(process_id)
    except OSError:
        return 0.0


def _stat(process_id: int) -> list[str]:
    """What stands behind the program's name, which may have blanks in it."""
    return Path(f"/proc/{process_id}/stat").read_text().rpartition(") ")[2].split()


def processor_ticks() -> list[int]:
    """What the machine's processors have done since it started, by kind; proc(5), /proc/stat."""
    first_line = Path("/proc/stat").read_text().split("\n", 1)[0]
    return [int(ticks) for ticks in first_line.split()[1:9]]


def idle_share(before: Sequence[int], after: Sequence[int]) -> float:
    """The share of time between two `processor_ticks` in which processors had nothing to do."""
    spent = [end - start for start, end in zip(before, after, strict=True)]
    return (spent[3] + spent[4]) / max(sum(spent), 1)


def backends(url: str) -> list[int]:
    """The PostgreSQL processes that serve this database; none for SQLite."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return []
    engine = create_engine(parsed.set(drivername="postgresql+psycopg", database="postgres"))
    try:
        with engine.connect() as connection:
            found = connection.execute(
                text(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE datname = :name AND backend_type = 'client backend'"
                ),
                {"name": parsed.database},
            )
            return [pid for (pid,) in found]
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds for one run of something: on the wall's clock, of our CPU, of PostgreSQL's CPU."""

    wall: float
    python: float
    database: float

    @property
    def cpu(self) -> float:
        """CPU of both sides."""
        return self.python + self.database


class Meter:
    """Takes the cost of pieces of work; `servers` are PostgreSQL's processes, known once they exist.

    What they hand to parallel workers is known when these end, to a hundredth of a second, and so is what
    one used that ends meanwhile, as a connection of a pool may.
    """

    def __init__(self, own: int, servers: Sequence[int] = ()) -> None:
        self._own, self._servers = own, servers
        self._postmasters = {int(_stat(pid)[1]) for pid in servers}

    def _now(self) -> tuple[float, float, float]:
        database = sum(map(_alive_seconds, self._servers)) + sum(map(reaped_seconds, self._postmasters))
        return time.perf_counter(), cpu_seconds(self._own), database

    def cost(self, work: Callable[[], Any], runs: int = 1) -> Cost:
        """The cost of one run, where `work` does `runs` of them."""
        return self.cost_of(work, runs)[1]

    def cost_of(self, work: Callable[[], Done], runs: int = 1) -> tuple[Done, Cost]:
        """What `work` gives, and the cost of one run."""
        before = self._now()
        done = work()
        after = self._now()
        return done, Cost(*((end - start) * 1000 / runs for start, end in zip(before, after, strict=True)))


def interleaved(
    meter: Meter, works: Mapping[str, tuple[Callable[[], Any], int]], rounds: int
) -> dict[str, Cost]:
    """The median cost of each work; all are run in every round, each time another one first."""
    names = list(works)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for work, _ in works.values():
        work()
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            work, runs = works[name]
            costs[name].append(meter.cost(work, runs))
    return {name: median(found) for name, found in costs.items()}


def median(costs: Iterable[Cost]) -> Cost:
    """The medians of each part."""
    found = list(costs)
    return Cost(
        *(statistics.median(getattr(one, part) for one in found) for part in ("wall", "python", "database"))
    )


@dataclass(frozen=True, slots=True)
class Target:
    """What issue 2 asks of a measurement."""

    relation: Literal["≤", "≥", "="]
    value: float

    def met_by(self, value: float) -> bool:
        """Whether a measured value is good enough."""
        match self.relation:
            case "≤":
                return value <= self.value
            case "≥":
                return value >= self.value
            case _:
                return value == self.value


def at_most(value: float) -> Target:
    """No more than this."""
    return Target("≤", value)


def at_least(value: float) -> Target:
    """No less than this."""
    return Target("≥", value)


def exactly(value: float) -> Target:
    """This and nothing else."""
    return Target("=", value)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of a table."""

    topic: str
    database: str
    what: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        return None if self.target is None else self.target.met_by(self.value)

    def as_json(self) -> dict[str, Any]:
        """For the machine-readable report."""
        return {**asdict(self), "is_met": self.is_met}


def show(title: str, results: Sequence[Result]) -> None:
    """Print a topic's table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for result in results:
        verdict = {True: "met", False: "MISSED", None: ""}[result.is_met]
        target = "" if result.target is None else f"{result.target.relation} {result.target.value:g}"
        table.add_row(result.what, f"{result.value:,.3g} {result.unit}", target, verdict)
    Console(width=110).print(table)
