"""Whatever order the reports come in, the database holds what ran: true histories are compared with it.

The big count is `make simulate`; one history of it is repeated by `python -m tests.simulator --only SEED`.
"""

from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, settings

from tests.simulator import reading
from tests.simulator.arriving import deliver
from tests.simulator.histories import histories, history
from tests.simulator.in_bytes import Written
from tests.simulator.judging import FAULTS, Verdict, report
from tests.simulator.reading import StoredAttempt
from tests.simulator.steps import arranged
from tests.simulator.telling import told
from tests.simulator.trials import Fresh, people, resolve_seed, try_history, try_seed, try_steps
from tests.simulator.truth import History
from tests.simulator.without_database import Claimed


def assert_as_it_was(verdict: Verdict) -> None:
    assert {fault: verdict.counts[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), report(verdict)


def test_many_histories_are_stored_as_they_happened_whatever_the_order(on_sqlite: Fresh) -> None:
    total = Verdict()
    # In the last one, sources that know no package report a spec of which there is no document.
    for seed in (*range(8), 31_000_007):
        total.add(try_seed(seed, on_sqlite, orders=2))
    print(report(total))
    assert total.counts["runs"] > 300
    assert_as_it_was(total)


def test_thousands_of_runs_are_resolved_as_they_happened() -> None:
    total = Verdict()
    for seed in range(100, 180):
        total.add(resolve_seed(seed))
    assert total.counts["runs"] > 1500
    assert_as_it_was(total)
    # What nobody can tell apart ran within the two minutes by which clocks may be off.
    assert total.counts["undecidable"] < total.counts["runs"] / 500


def test_what_is_resolved_without_a_database_is_what_is_stored(on_sqlite: Fresh) -> None:
    for seed in (5, 23_000_004):
        dice = Random(seed)
        arrivals = arranged(told(history(dice), dice), dice)
        claimed = Claimed()
        claimed.take(arrivals)
        with on_sqlite() as database:
            people(database)
            deliver(database, arrivals)
            stored = database.read_once(reading.attempts)
        assert _shown(stored) == _shown(claimed.attempts())


def _shown(attempts: list[StoredAttempt]) -> set[tuple[object, ...]]:
    return {
        (
            frozenset((source.owner, source.kind, source.first) for source in one.sources), one.status,
            one.started, one.finished, one.hostname, tuple((p.name, p.status, p.log) for p in one.phases),
        )
        for one in attempts
    }  # fmt: skip


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
