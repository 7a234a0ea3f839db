"""The collector is held off while something is compiled, and not for ever."""

import gc
import weakref

from spackmon import garbage
from spackmon.garbage import uncollected


class Knot:
    """Refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.own = self


def test_works_that_overlap_without_end_leave_nothing_uncollected() -> None:
    with uncollected():
        assert not gc.isenabled()
        knot = weakref.ref(Knot())
        made = [[] for _ in range(garbage._MOST_OBJECTS + 1)]
        assert knot() is not None
        # Another begins before the first ends.
        with uncollected():
            assert not gc.isenabled()
            assert knot() is None
    assert gc.isenabled()
    assert made
