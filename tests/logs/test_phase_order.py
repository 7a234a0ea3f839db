"""Phases of one run as several sources saw them: one order, whoever reports first."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs.phase_order import USUAL_ORDER, ordered

_names = st.sampled_from(USUAL_ORDER) | st.sampled_from(["bootstrap_tools", "link-check", "zip"])
_lists = st.lists(st.lists(_names, max_size=6), max_size=6)


@pytest.mark.parametrize(
    ("lists", "as_they_ran"),
    [
        # CDash sends Build before Configure; the prefix of the same run tells what configuring was.
        ([["build"], ["configure"]], ["configure", "build"]),
        (
            [["build"], ["configure"], ["stage", "cmake", "install"]],
            ["stage", "cmake", "configure", "build", "install"],
        ),
        # A package may run its phases otherwise, and may have others.
        ([["install", "build"], ["configure"]], ["configure", "install", "build"]),
        ([["unzip", "configure"], ["build"]], ["unzip", "configure", "build"]),
        ([["build", "sign", "install"], ["configure"]], ["configure", "build", "sign", "install"]),
        # One that contradicts a longer list is not heard.
        ([["cmake", "build", "install"], ["install", "cmake"]], ["cmake", "build", "install"]),
        ([[]], []),
        ([], []),
    ],
)
def test_phases_stand_in_the_order_in_which_they_ran(lists: list[list[str]], as_they_ran: list[str]) -> None:
    assert ordered(lists) == tuple(as_they_ran)


@given(lists=_lists, data=st.data())
def test_the_order_is_a_function_of_what_was_seen_and_not_of_who_came_first(
    lists: list[list[str]], data: st.DataObject
) -> None:
    found = ordered(lists)
    assert sorted(found) == sorted({name for names in lists for name in names})
    assert ordered(data.draw(st.permutations(lists + lists[:2]))) == found
    assert ordered([found]) == found


@given(run=st.lists(_names, unique=True, max_size=8), data=st.data())
def test_parts_of_one_run_are_put_together_as_it_was(run: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sets(st.sampled_from(run)) if run else st.just(set()), max_size=5))
    lists = [[name for name in run if name in part] for part in parts]
    found = ordered(lists)
    for names in lists:
        for first, second in combinations(names, 2):
            assert found.index(first) < found.index(second)
