"""Whether something takes longer than it did, as a pure function of how long it took and when.

Runs are compared within strata: with runs of the same kind alone, so that another mix of machines or variants
is no change. Both tests look at ranks: a run that hung for a night counts as one long run.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import combinations, groupby
from statistics import median
from typing import NamedTuple


class Timed(NamedTuple):
    """A run: on which day it began, as days since any moment, and how long it took."""

    day: float
    seconds: float


class Stratum(NamedTuple):
    """Runs of one kind before a moment and since."""

    before: Sequence[Timed]
    after: Sequence[Timed]


class Shift(NamedTuple):
    """How much longer runs take: the median of all differences within strata, and how likely by chance."""

    seconds: float
    p: float


class Trend(NamedTuple):
    """How much longer runs take each day: the median of all slopes within strata; how likely by chance."""

    seconds_per_day: float
    p: float


def shift(strata: Iterable[Stratum]) -> Shift | None:
    """What changed at the moment; None where no stratum has runs on both sides.

    Mann and Whitney's test (1947), its statistics and their variances added up over the strata (van Elteren,
    1960), by a normal distribution with corrections for ties and continuity, two-sided. The shift is that of
    Hodges and Lehmann (1963).
    """
    differences: list[float] = []
    more = variance = 0.0
    for before, after in strata:
        own = [new.seconds - old.seconds for new in after for old in before]
        if not own:
            continue
        differences += own
        more += sum((one > 0) - (one < 0) for one in own) / 2
        runs = len(before) + len(after)
        ties = sum(count**3 - count for count in _counts(one.seconds for one in (*before, *after)))
        variance += len(own) * (runs + 1 - ties / (runs * (runs - 1))) / 12
    return Shift(median(differences), _two_sided(more, variance, 0.5)) if differences else None


def trend(strata: Iterable[Stratum]) -> Trend | None:
    """What changes day by day; None where no stratum has runs of two moments.

    Mann and Kendall's test (1945), added up over the strata (Hirsch, 1982), by a normal distribution with
    corrections for ties and continuity, two-sided. The slope is that of Theil (1950) and Sen (1968).
    """
    slopes: list[float] = []
    rising = variance = 0.0
    for before, after in strata:
        runs = sorted((*before, *after))
        pairs = [(old, new) for old, new in combinations(runs, 2) if new.day > old.day]
        slopes += [(new.seconds - old.seconds) / (new.day - old.day) for old, new in pairs]
        rising += sum((new.seconds > old.seconds) - (new.seconds < old.seconds) for old, new in pairs)
        variance += _kendall_variance(runs)
    return Trend(median(slopes), _two_sided(rising, variance, 1.0)) if slopes else None


def _kendall_variance(runs: Sequence[Timed]) -> float:
    """The variance of Kendall's statistic where days and durations may be tied (Kendall, 1970)."""
    number = len(runs)
    tied = [_counts(one[place] for one in runs) for place in (0, 1)]

    def summed(counts: Sequence[int], factors: int) -> int:
        return sum(math.prod(count - one for one in range(factors)) for count in counts)

    def spread(count: int) -> int:
        return count * (count - 1) * (2 * count + 5)

    found = (spread(number) - sum(spread(one) for counts in tied for one in counts)) / 18
    if number > 2:
        found += summed(tied[0], 3) * summed(tied[1], 3) / (9 * number * (number - 1) * (number - 2))
    if number > 1:
        found += summed(tied[0], 2) * summed(tied[1], 2) / (2 * number * (number - 1))
    return found


def _counts(values: Iterable[float]) -> list[int]:
    """How often each value is there."""
    return [len(list(same)) for _, same in groupby(sorted(values))]


def _two_sided(statistic: float, variance: float, step: float) -> float:
    """How likely one as far from 0 is, or farther; `step` is half of the least difference between two."""
    if variance <= 0:
        return 1.0
    return math.erfc(max(abs(statistic) - step, 0.0) / math.sqrt(2 * variance))
