"""Whatever order the reports come in, the database holds what ran: true histories are compared with it.

The big count is `make simulate`; one history of it is repeated by `python -m tests.simulator --only SEED`.
"""

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, settings

from tests.simulator.histories import histories, history
from tests.simulator.in_bytes import Written
from tests.simulator.judging import FAULTS, Verdict, report
from tests.simulator.telling import told
from tests.simulator.trials import Fresh, try_history, try_seed, try_steps
from tests.simulator.truth import History


def assert_as_it_was(verdict: Verdict) -> None:
    assert {fault: verdict.counts[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), report(verdict)


def test_many_histories_are_stored_as_they_happened_whatever_the_order(on_sqlite: Fresh) -> None:
    total = Verdict()
    for seed in range(8):
        total.add(try_seed(seed, on_sqlite, orders=2))
    print(report(total))
    assert total.counts["runs"] > 300
    assert_as_it_was(total)


def test_histories_are_stored_alike_on_postgresql(on_postgresql: Fresh) -> None:
    assert_as_it_was(try_seed(101, on_postgresql, orders=2))


def test_a_history_is_stored_as_it_happened_out_of_the_bytes_that_sources_write(
    on_sqlite: Fresh, tmp_path: Path
) -> None:
    dice = Random(7)
    steps = told(history(dice), dice)
    assert_as_it_was(try_steps(Written(tmp_path).again(steps), dice, on_sqlite, orders=2))


# Explaining takes minutes for histories, and the judge says what is wrong.
@settings(
    max_examples=25,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
)
@given(drawn=histories(most_runs=3))
def test_no_small_history_is_stored_otherwise_than_it_happened(
    on_sqlite: Fresh, drawn: tuple[History, Random]
) -> None:
    happened, dice = drawn
    assert_as_it_was(try_history(happened, dice, on_sqlite, orders=2))
