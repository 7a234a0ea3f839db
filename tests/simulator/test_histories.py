"""Whatever order the reports come in, the database holds what ran: true histories are compared with it.

The big count is `make simulate`; one history of it is repeated by `python -m tests.simulator --only SEED`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from spackmon.database import Database
from tests.databases import PostgresqlDatabases
from tests.simulator.__main__ import FAULTS, copies_of, report, try_seed
from tests.simulator.histories import histories
from tests.simulator.judging import Verdict
from tests.simulator.trials import Fresh, try_history
from tests.simulator.truth import History


@pytest.fixture(scope="session")
def on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return copies_of(sqlite_template, tmp_path_factory.mktemp("histories"))


@pytest.fixture(scope="session")
def on_postgresql(postgresql_databases: PostgresqlDatabases) -> Fresh:
    return lambda: _opened(postgresql_databases)


def _opened(databases: PostgresqlDatabases) -> AbstractContextManager[Database]:
    @contextmanager
    def fresh() -> Iterator[Database]:
        with databases.fresh() as url:
            database = Database(url)
            try:
                yield database
            finally:
                database.close()

    return fresh()


def assert_as_it_was(verdict: Verdict) -> None:
    print(report(verdict))
    assert {fault: verdict.counts[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0), report(verdict)


def test_many_histories_are_stored_as_they_happened_whatever_the_order(on_sqlite: Fresh) -> None:
    total = Verdict()
    for seed in range(20):
        total.add(try_seed(seed, on_sqlite, orders=2))
    assert total.counts["runs"] > 900
    assert_as_it_was(total)


def test_histories_are_stored_alike_on_postgresql(on_postgresql: Fresh) -> None:
    total = Verdict()
    for seed in (101, 102):
        total.add(try_seed(seed, on_postgresql, orders=2))
    assert_as_it_was(total)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=histories(most_runs=4))
def test_no_small_history_is_stored_otherwise_than_it_happened(
    on_sqlite: Fresh, drawn: tuple[History, Random]
) -> None:
    happened, dice = drawn
    assert_as_it_was(try_history(happened, dice, on_sqlite, orders=2))
