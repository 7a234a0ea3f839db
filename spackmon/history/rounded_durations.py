"""Durations that are counted rather than listed: each is rounded to one of a few.

Two of these differ by a tenth, so that a duration is at most 6 % from what stands for it. Databases have
counts by these: they change with a migration.
"""

from bisect import bisect_right
from itertools import pairwise
from math import floor, sqrt

_FIRST, _RATIO, _STEPS = 0.01, 1.1, 218


def _short(seconds: float) -> float:
    # Three digits, so that every program reads the same number.
    return float(f"{seconds:.3g}")


BOUNDS = tuple(_short(_FIRST * _RATIO**step) for step in range(_STEPS))
"""Between two of these durations are rounded alike, and so are those of more than 111 days."""
ROUNDED = (
    0.0,
    *(_short(sqrt(begin * end)) for begin, end in pairwise(BOUNDS)),
    BOUNDS[-1],
)
"""What stands for those below the first bound, between it and the second, and so on."""


def rounded(seconds: float) -> float:
    """What a duration is rounded to."""
    return ROUNDED[bisect_right(BOUNDS, seconds)]


def microseconds_of(seconds: float) -> int:
    """A duration as it is summed up: sums of floats depend on the order they are added in."""
    return floor(seconds * 1_000_000 + 0.5)
