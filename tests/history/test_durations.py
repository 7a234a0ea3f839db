"""What takes longer is found, and nothing else is."""

import itertools
from random import Random
from statistics import NormalDist, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.history.durations import Stratum, Timed, shift, trend

TIMED = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=4)


def _runs(pairs: list[tuple[int, int]]) -> list[Timed]:
    return [Timed(float(day), float(seconds)) for day, seconds in pairs]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


@given(TIMED, TIMED)
def test_the_variances_are_those_of_all_ways_to_deal_out(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    old, new = _runs(before), _runs(after)
    found, rising = shift([Stratum(old, new)]), trend([Stratum(old, new)])
    assert found is not None
    assert found.seconds == median(a.seconds - b.seconds for a in new for b in old)
    seconds = [run.seconds for run in (*old, *new)]
    if len(set(seconds)) == 1:
        assert found.p == 1
    # Chance deals out the durations; both statistics then have a mean of 0.
    days = [run.day for run in (*old, *new)]
    if len(seconds) > 6:
        return
    ranked, steady = [], []
    for dealt in itertools.permutations(seconds):
        sides = dealt[: len(old)], dealt[len(old) :]
        ranked.append(sum(_sign(a - b) for b in sides[0] for a in sides[1]) / 2)
        pairs = itertools.combinations(zip(days, dealt, strict=True), 2)
        steady.append(sum(_sign(b[0] - a[0]) * _sign(b[1] - a[1]) for a, b in pairs))
    for statistics, p, step in ((ranked, found.p, 0.5), (steady, rising.p if rising else 1.0, 1.0)):
        variance = sum(one * one for one in statistics) / len(statistics)
        seen = statistics[0]
        assert p == pytest.approx(_two_sided(seen, variance, step))


def _two_sided(seen: float, variance: float, step: float) -> float:
    if not variance:
        return 1.0
    return 2 * NormalDist().cdf(-max(abs(seen) - step, 0) / variance**0.5)


def _history(dice: Random, factor: float) -> list[Stratum]:
    """Three machines, one twice as fast as the others; the fast one runs more often since the moment."""
    strata = []
    for speed, old, new in ((1.0, 12, 6), (2.0, 6, 12), (1.0, 10, 10)):
        before = [Timed(dice.uniform(0, 30), dice.lognormvariate(4, 0.15) / speed) for _ in range(old)]
        after = [
            Timed(dice.uniform(30, 60), factor * dice.lognormvariate(4, 0.15) / speed) for _ in range(new)
        ]
        strata.append(Stratum(before, after))
    return strata


def test_a_planted_slowdown_is_found_and_another_mix_of_machines_is_none() -> None:
    for factor, is_slower in ((1.3, True), (1.0, False), (0.75, True)):
        shifts = [shift(_history(Random(seed), factor)) for seed in range(40)]
        trends = [trend(_history(Random(seed), factor)) for seed in range(40)]
        # A step is no trend, but looks like one.
        for found, least in ((shifts, 38), (trends, 32)):
            sure = sum(one is not None and one.p < 0.01 for one in found)
            assert sure >= least if is_slower else sure <= 2
        right = [one for one in shifts if one is not None and (one.seconds > 0) == (factor > 1)]
        assert len(right) >= 38 or not is_slower


def test_a_run_that_hung_is_no_slowdown() -> None:
    before = [Timed(day, 60.0 + day % 3) for day in range(20)]
    after = [Timed(20.0 + day, 60.0 + day % 3) for day in range(20)]
    after[7] = Timed(27.0, 86_400.0)
    found = shift([Stratum(before, after)])
    assert found is not None
    assert abs(found.seconds) <= 1
    assert found.p > 0.1


def test_without_runs_to_compare_nothing_is_said() -> None:
    run = Timed(1.0, 2.0)
    assert shift([Stratum([run], []), Stratum([], [run])]) is None
    assert trend([Stratum([run], [run])]) is None
