"""Where two logs differ is found whatever the machine, the day and the directory, and no line is left out."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spackmon.logs import alignment
from spackmon.logs.alignment import Alignment, compare

BEFORE = """\
==> [2026-03-01-06:00:01.1] zlib: Executing phase: 'build'
checking for gcc... /opt/a/spack/lib/spack/env/gcc/gcc
checking version... 11.4.0
building one.c in 1.5 s
building two.c
building three.c
pid 812 done
"""
AFTER = """\
==> [2026-04-02-07:10:11.9] zlib: Executing phase: 'build'
checking for gcc... /home/b/spack/lib/spack/env/gcc/gcc
checking version... 12.1.0
building one.c in 9.25 s
building three.c
three.c:7: error: unknown type name
pid 4711 done
"""


def _compared(one: Sequence[str], other: Sequence[str]) -> Alignment:
    return compare(one, other, (1, 1), are_whole=True)


def test_what_a_machine_and_a_day_bring_about_is_no_difference() -> None:
    found = _compared(BEFORE.splitlines(), AFTER.splitlines())
    assert found.equal_lines == 2
    assert [(one.removed_from, one.removed, one.added_from, one.added) for one in found.differences] == [
        (3, ["checking version... 11.4.0"], 3, ["checking version... 12.1.0"]),
        (5, ["building two.c"], 5, []),
        (7, [], 6, ["three.c:7: error: unknown type name"]),
    ]
    assert found.differences[0].before == AFTER.splitlines()[:2]
    assert found.next_lines is None


@given(st.lists(st.sampled_from("abcde"), max_size=30), st.lists(st.sampled_from("abcde"), max_size=30))
def test_with_its_differences_one_log_becomes_the_other(one: list[str], other: list[str]) -> None:
    made, at = [], 0
    for each in _compared(one, other).differences:
        made += one[at : each.removed_from - 1]
        assert one[each.removed_from - 1 :][: len(each.removed)] == list(each.removed)
        assert len(made) == each.added_from - 1
        made += each.added
        at = each.removed_from - 1 + len(each.removed)
    assert made + one[at:] == other


def test_page_by_page_every_difference_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "WINDOW_LINES", 5)
    one = [f"line x{number}x" for number in range(30)]
    other = [line + " changed" if number % 7 == 6 else line for number, line in enumerate(one)]
    begin: tuple[int, int] | None = (1, 1)
    found = []
    while begin is not None:
        part = compare(one[begin[0] - 1 :], other[begin[1] - 1 :], begin, are_whole=True)
        found += [(each.removed_from, list(each.added)) for each in part.differences]
        begin = part.next_lines
    assert found == [(number, [f"line x{number - 1}x changed"]) for number in (7, 14, 21, 28)]
