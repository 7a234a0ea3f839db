"""A small site whose runs fail for planted causes: what suspects say, and what is news, flaky and changed."""

from functools import cache
from random import Random

from spackmon.database import Database
from tests.query.conftest import asked
from tests.simulator.planted import judging
from tests.simulator.planted.causes import Truth, planted
from tests.simulator.planted.rows import write
from tests.simulator.planted.site import Planned, Size

_NIGHTS = 40


@cache
def _site() -> tuple[Planned, Truth]:
    size = Size(runs=1_500, packages=24, stacks=6, nights=_NIGHTS, anew_after=4)
    planned = Planned(size, Random(11))
    return planned, planted(planned, Random(12), 10)


def test_planted_causes_are_named_and_the_history_is_what_it_was(database: Database) -> None:
    planned, truth = _site()
    write(database, planned, truth)
    with asked(database, has_people=True) as site:
        found = judging.judged(truth, judging.suspects(site.ask, truth))
        assert found.counts["named: cases"] >= 4
        assert found.counts["cannot tell: cases"] >= 4
        assert not found.wrong
        history = judging.history(site.ask, truth, _NIGHTS)
    assert not history.wrong
