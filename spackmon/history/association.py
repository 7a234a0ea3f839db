"""How surely failing runs have something more often than chance gives it to them, package by package.

Each package is a table of two by two: runs that fail or pass, with what is asked about or without. Given how
many fail and how many have it, chance deals out the failing runs that have it as balls are drawn from an urn:
the hypergeometric distribution, of one package Fisher's exact test. Packages are added up, so that one
which fails often does not accuse whatever it alone depends on (Mantel and Haenszel, 1959).
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

# Above it adding up distributions takes longer than a normal distribution is wrong.
_MOST_TERMS = 20_000


class Table(NamedTuple):
    """One package's runs: `failing_with` of `failing` have it, `passing_with` of `passing`; neither is 0."""

    failing_with: int
    failing: int
    passing_with: int
    passing: int


class Excess(NamedTuple):
    """`expected` failing runs would have it by chance; `score` standard deviations more have it."""

    expected: float
    score: float


def excess(tables: Iterable[Table]) -> Excess:
    """How many more failing runs have it than chance gives, all packages together."""
    more = expected = variance = 0.0
    for one in tables:
        chance = _expected(one)
        expected += chance
        more += one.failing_with - chance
        variance += _variance(one)
    return Excess(expected, more / math.sqrt(variance) if variance else 0.0)


def p_value(tables: Sequence[Table]) -> float:
    """How likely chance gives it to as many failing runs or more; exact unless that takes long."""
    drawn = sum(one.failing_with for one in tables)
    variance = sum(map(_variance, tables))
    if not variance:
        return 1.0
    terms, width = 0, 1
    for low, high in map(_span, tables):
        terms += width * (high - low + 1)
        width += high - low
    if terms <= _MOST_TERMS:
        return _exact(tables, drawn)
    return _normal(drawn - sum(map(_expected, tables)), variance)


def least_p_value(tables: Iterable[Table]) -> float:
    """The p that it has if as many failing runs as can have it."""
    return math.prod(_chance(one, _span(one)[1]) for one in tables)


def _expected(one: Table) -> float:
    return one.failing * (one.failing_with + one.passing_with) / (one.failing + one.passing)


def _variance(one: Table) -> float:
    runs, having = one.failing + one.passing, one.failing_with + one.passing_with
    return one.failing * one.passing * having * (runs - having) / (runs * runs * (runs - 1))


def _span(one: Table) -> tuple[int, int]:
    """The fewest and the most failing runs that can have it."""
    having = one.failing_with + one.passing_with
    return max(0, having - one.passing), min(having, one.failing)


def _exact(tables: Iterable[Table], drawn: int) -> float:
    sums, least = [1.0], 0
    for one in tables:
        low, high = _span(one)
        chances = [_chance(one, count) for count in range(low, high + 1)]
        least += low
        sums = _added(sums, chances) if len(chances) > 1 else sums
    return min(1.0, math.fsum(sums[drawn - least :]))


def _added(sums: Sequence[float], chances: Sequence[float]) -> list[float]:
    """The distribution of the sum of two."""
    found = [0.0] * (len(sums) + len(chances) - 1)
    for place, one in enumerate(sums):
        if one:
            for shift, chance in enumerate(chances):
                found[place + shift] += one * chance
    return found


def _chance(one: Table, count: int) -> float:
    """That `count` of the failing runs have it."""
    having = one.failing_with + one.passing_with
    return math.exp(
        _log_choose(having, count)
        + _log_choose(one.failing + one.passing - having, one.failing - count)
        - _log_choose(one.failing + one.passing, one.failing)
    )


def _log_choose(many: int, few: int) -> float:
    return math.lgamma(many + 1) - math.lgamma(few + 1) - math.lgamma(many - few + 1)


def _normal(more: float, variance: float) -> float:
    """With half a run off for what counts cannot tell."""
    return 0.5 * math.erfc((more - 0.5) / math.sqrt(2 * variance))
