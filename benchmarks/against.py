"""This checkout beside an earlier commit: both measure themselves in turns, by the benchmarks that each has.

The earlier one is a worktree in .bench/, run with this checkout's packages. Results are compared by name.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.databases import CACHE

_HERE = Path(__file__).parent.parent
_TURNS = 3
# What changes less than this is not told from a busy machine's noise.
SLOWER_BY = 0.05
_COSTS, _RATES = ("ms", "µs", "µs a row", "MB"), ("graphs/s", "rows/s", "answers/s")
Name = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A measurement before and after; `ratio` is how many times as much it costs after."""

    name: Name
    unit: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """Above 1 is slower."""
        return self.before / self.after if self.unit in _RATES else self.after / self.before

    @property
    def is_slower(self) -> bool:
        """Whether it costs more than may be noise."""
        return self.ratio > 1 + SLOWER_BY


def against(reference: str, arguments: Sequence[str]) -> bool:
    """Measure both with these arguments of the benchmarks, and show it; whether nothing is slower."""
    earlier = _worktree(reference)
    found: dict[Path, list[Mapping[Name, tuple[float, str]]]] = {earlier: [], _HERE: []}
    for turn in range(_TURNS):
        for checkout in (earlier, _HERE)[:: 1 if turn % 2 == 0 else -1]:
            found[checkout].append(_measured(checkout, arguments))
    changes = compare(found[earlier], found[_HERE])
    _show(f"{reference} and this checkout", changes)
    return not any(change.is_slower for change in changes)


def compare(
    before: Sequence[Mapping[Name, tuple[float, str]]], after: Sequence[Mapping[Name, tuple[float, str]]]
) -> list[Change]:
    """What both measured, by the medians of their turns."""
    changes = []
    for name, (_, unit) in before[0].items():
        if unit not in _COSTS + _RATES or not all(name in one for one in (*before, *after)):
            continue
        earlier, later = (statistics.median(one[name][0] for one in turns) for turns in (before, after))
        if earlier and later:
            changes.append(Change(name, unit, earlier, later))
    return changes


def _worktree(reference: str) -> Path:
    commit = _git("rev-parse", "--verify", f"{reference}^{{commit}}")
    path = CACHE / f"commit-{commit[:12]}"
    if not path.exists():
        _git("worktree", "add", "--detach", str(path), commit)
    return path


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=_HERE, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def _measured(checkout: Path, arguments: Sequence[str]) -> Mapping[Name, tuple[float, str]]:
    report = CACHE / "turn.json"
    command = [sys.executable, "-m", "benchmarks", "--json", str(report), *arguments]
    # Its status says whether it met its targets.
    subprocess.run(command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, check=False)
    results = json.loads(report.read_text())["results"]
    report.unlink()
    return {(one["topic"], one["database"], one["what"]): (one["value"], one["unit"]) for one in results}


def _show(title: str, changes: Sequence[Change]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in ("", "before", "after", "× the cost", ""):
        table.add_column(heading)
    for change in changes:
        topic, database, what = change.name
        verdict = "SLOWER" if change.is_slower else ""
        table.add_row(
            f"{what} ({topic}, {database})", f"{change.before:,.3g} {change.unit}",
            f"{change.after:,.3g} {change.unit}", f"{change.ratio:.2f}", verdict,
        )  # fmt: skip
    Console(width=130).print(table)
