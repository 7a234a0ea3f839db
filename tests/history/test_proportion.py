"""The interval of a share holds what Wilson's formula says of it."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.history.proportion import wilson_interval


@given(st.integers(1, 10_000).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs))))
def test_an_end_of_the_interval_is_as_far_from_what_is_seen_as_was_asked(seen: tuple[int, int]) -> None:
    having, runs = seen
    low, high = wilson_interval(having, runs, 0.95)
    assert 0 <= low <= having / runs <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            away = abs(having / runs - end) / math.sqrt(end * (1 - end) / runs)
            assert away == pytest.approx(NormalDist().inv_cdf(0.975), rel=1e-6)


def test_known_intervals() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    for having, runs, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert wilson_interval(having, runs, 0.95) == pytest.approx((low, high), abs=5e-5)
