"""The dump by which orders are compared shows facts, all of them, and nothing else."""

import dataclasses
from random import Random

import pytest
from sqlalchemy import text

from tests.simulator.arriving import deliver
from tests.simulator.dump import canonical_dump, differences
from tests.simulator.histories import history
from tests.simulator.steps import arranged
from tests.simulator.telling import told
from tests.simulator.trials import Fresh, people

CHANGES = [
    "UPDATE attempt SET spack_version = 'another' WHERE id = (SELECT max(id) FROM attempt)",
    "UPDATE attempt SET finished_at = started_at WHERE finished_at IS NOT NULL",
    "UPDATE phase_kind SET position = position + 1 WHERE id = (SELECT max(kind_id) FROM phase)",
    "DELETE FROM log_chunk WHERE log_id = (SELECT max(log_id) FROM log_chunk)",
    "DELETE FROM build_event WHERE id = (SELECT max(id) FROM build_event)",
    "DELETE FROM closure WHERE ancestor_id = (SELECT max(ancestor_id) FROM closure)",
    "UPDATE package SET name = 'another' WHERE id = (SELECT max(id) FROM package)",
]


def test_two_databases_that_hear_the_same_at_other_moments_and_numbers_are_equal(
    on_sqlite: Fresh, on_postgresql: Fresh
) -> None:
    dice = Random(5)
    arrivals = arranged(told(history(dice), dice), dice)
    later = [dataclasses.replace(one, moment=one.moment + (0 if one.step.is_live else 5)) for one in arrivals]
    with on_sqlite() as first, on_postgresql() as second:
        for database, order in ((first, arrivals), (second, later)):
            people(database)
            deliver(database, order)
        one, other = first.read_once(canonical_dump), second.read_once(canonical_dump)
    assert sum(map(len, one.values())) > 200
    assert differences(one, other) == {}


@pytest.mark.parametrize("change", CHANGES)
def test_a_fact_that_differs_is_in_the_dump(on_sqlite: Fresh, change: str) -> None:
    dice = Random(5)
    with on_sqlite() as database:
        people(database)
        deliver(database, arranged(told(history(dice), dice), dice))
        before = database.read_once(canonical_dump)
        database.write_once(lambda connection: connection.execute(text(change)))
        assert differences(before, database.read_once(canonical_dump))
