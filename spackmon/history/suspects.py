"""What failing runs of packages have in common that passing runs of the same packages lack."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from spackmon.history.association import Excess, Table, excess, p_value

SURE = 0.01
"""What chance would give more often than this, corrected for how much was tried, is no suspect."""


class Fact(NamedTuple):
    """Something that a run has: `kind` is a word of the schema, as `COMPILER`."""

    kind: str
    name: str
    value: str


class Count(NamedTuple):
    """How many failing and passing runs of a package have a fact; `mark` is the sum of their numbers."""

    fact: Fact
    package: int
    failing: int
    passing: int
    mark: int


class Runs(NamedTuple):
    """How many runs of a package fail and pass."""

    failing: int
    passing: int


class Verdict(Enum):
    """Whether the runs tell a cause."""

    SUSPECTED = "SUSPECTED"
    AMBIGUOUS = "AMBIGUOUS"
    UNKNOWN = "UNKNOWN"


class Suspect(NamedTuple):
    """Facts that the same runs have, in the order of their kinds, and how surely they go with failing.

    `p` is how likely chance is to give them to as many failing runs, `adjusted_p` that times how many
    different sets of runs were tried (Bonferroni).
    """

    facts: tuple[Fact, ...]
    failing_with: int
    failing_without: int
    passing_with: int
    passing_without: int
    excess: Excess
    p: float
    adjusted_p: float


class Suspects(NamedTuple):
    """The suspects, the surest first, and what they come to; `tried` sets of runs were compared."""

    verdict: Verdict
    reason: str
    failing: int
    passing: int
    tried: int
    suspects: tuple[Suspect, ...]


def suspects(runs: Mapping[int, Runs], counts: Iterable[Count], kinds: Sequence[str], most: int) -> Suspects:
    """At most so many suspects, where `runs` are all runs by package and `counts` those that have each fact.

    Facts that the same runs have cannot be told apart: they are one suspect, in the order of `kinds`.
    Packages of which no run passes say nothing.
    """
    failing, passing = (sum(numbers) for numbers in zip(*runs.values(), strict=True)) if runs else (0, 0)
    told = {package: one for package, one in runs.items() if one.failing and one.passing}
    alike = _alike(told, counts)
    tried = [_Tried(tables, excess(tables), facts) for tables, facts in _tables(told, alike)]
    tried.sort(key=lambda one: (-one.excess.score, one.facts))
    totals = Runs(sum(one.failing for one in told.values()), sum(one.passing for one in told.values()))
    found = sorted((_suspect(totals, one, len(tried), kinds) for one in tried[: max(most, 1)]), key=_order)
    verdict, reason = _verdict(failing, told, found)
    return Suspects(verdict, reason, failing, passing, len(tried), tuple(found[:most]))


class _Tried(NamedTuple):
    tables: list[Table]
    excess: Excess
    facts: list[Fact]


class _Having(NamedTuple):
    package: int
    failing: int
    passing: int
    mark: int


_Runs = tuple[_Having, ...]


def _alike(told: Mapping[int, Runs], counts: Iterable[Count]) -> dict[_Runs, list[Fact]]:
    """The facts by the runs that have them."""
    having: dict[Fact, list[_Having]] = defaultdict(list)
    for fact, package, failing, passing, mark in counts:
        if package in told:
            having[fact].append(_Having(package, failing, passing, mark))
    alike: dict[_Runs, list[Fact]] = defaultdict(list)
    for fact, numbers in having.items():
        # One run proves nothing, and what every run has accuses nobody.
        if sum(one.failing for one in numbers) > 1 and not _is_everywhere(told, numbers):
            alike[tuple(sorted(numbers))].append(fact)
    return alike


def _is_everywhere(told: Mapping[int, Runs], numbers: Sequence[_Having]) -> bool:
    return all(Runs(one.failing, one.passing) == told[one.package] for one in numbers)


def _tables(
    told: Mapping[int, Runs], alike: Mapping[_Runs, list[Fact]]
) -> Iterator[tuple[list[Table], list[Fact]]]:
    for numbers, facts in alike.items():
        tables = [
            Table(one.failing, told[one.package].failing, one.passing, told[one.package].passing)
            for one in numbers
        ]
        yield tables, facts


def _suspect(totals: Runs, one: _Tried, tried: int, kinds: Sequence[str]) -> Suspect:
    failing = sum(table.failing_with for table in one.tables)
    passing = sum(table.passing_with for table in one.tables)
    p = p_value(one.tables)
    return Suspect(
        tuple(sorted(one.facts, key=lambda fact: (kinds.index(fact.kind), fact))),
        failing,
        totals.failing - failing,
        passing,
        totals.passing - passing,
        one.excess,
        p,
        min(1.0, p * tried),
    )


def _order(one: Suspect) -> tuple[float, float, tuple[Fact, ...]]:
    return one.adjusted_p, -one.excess.score, one.facts


def _verdict(failing: int, told: Mapping[int, Runs], found: Sequence[Suspect]) -> tuple[Verdict, str]:
    if not failing:
        return Verdict.UNKNOWN, "no run is known that has this error"
    if not told:
        return Verdict.UNKNOWN, "no run of the same packages passed, so that there is nothing to compare with"
    if not found or found[0].adjusted_p > SURE:
        return Verdict.UNKNOWN, "nothing sets the failing runs apart more than chance would"
    if len(found[0].facts) > 1:
        return (
            Verdict.AMBIGUOUS,
            f"the same runs have these {len(found[0].facts)} facts, so that they cannot be told apart",
        )
    return Verdict.SUSPECTED, "the failing runs have it far more often than the passing ones"
