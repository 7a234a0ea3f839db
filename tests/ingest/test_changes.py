"""What changes is noted with it, and its order is one in which whoever reads on misses nothing."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text, update

from spackmon.database import Database
from spackmon.ingest.tables import changes
from spackmon.models import ReportedChange, utc_now
from tests.ingest.installs import ZLIB
from tests.ingest.reports import Site

_DAY = 86_400.0


def noted(database: Database) -> list[tuple[int | None, str, int]]:
    """The changes, in the order of their ids."""
    statement = text("SELECT position, kind, row_id FROM reported_change ORDER BY id")
    return [tuple(row) for row in database.read_once(lambda connection: connection.execute(statement))]


def number(database: Database) -> None:
    """Give what is committed a position, where that is not done as it is noted."""
    if not database.is_sqlite:
        assert not database.write_once(changes.number_changes)


@pytest.fixture
def postgresql(postgresql_url: str) -> Iterator[Database]:
    opened = Database(postgresql_url)
    yield opened
    opened.close()


@pytest.mark.parametrize("late_is_first", [True, False])
def test_what_commits_late_stands_behind_what_was_read_before(
    postgresql: Database, late_is_first: bool
) -> None:
    with postgresql.engine.connect() as late:
        if late_is_first:
            changes.note_changes(late, builds=[7])
        postgresql.write_once(lambda connection: changes.note_changes(connection, builds=[8]))
        if not late_is_first:
            changes.note_changes(late, builds=[7])
        number(postgresql)
        assert [(position, row_id) for position, _, row_id in noted(postgresql)] == [(1, 8)]
        late.commit()
    number(postgresql)
    positions = {row_id: position for position, _, row_id in noted(postgresql)}
    assert positions == {8: 1, 7: 2}


def test_a_report_notes_what_it_changes_and_the_same_again_no_phase(site: Site) -> None:
    build_id = site.build(ZLIB)
    site.status(build_id, "RUNNING")
    site.phase(build_id, "build", output=b"ok\n")
    number(site.database)
    seen = noted(site.database)
    assert [position for position, _, _ in seen] == list(range(1, len(seen) + 1))
    kinds = [kind for _, kind, _ in seen]
    assert sorted(kinds[-3:]) == ["BUILD", "LOG", "PHASE"]
    assert set(kinds[:-3]) == {"BUILD"}
    assert {row_id for _, kind, row_id in seen if kind == "BUILD"} == {build_id}

    site.phase(build_id, "build", output=b"ok\n")
    site.status(build_id, "RUNNING")
    assert {kind for _, kind, _ in noted(site.database)[len(seen) :]} <= {"BUILD"}
    seen = noted(site.database)
    site.phase(build_id, "build", output=b"ok\nmore\n")
    assert sorted(kind for _, kind, _ in noted(site.database)[len(seen) :]) == ["BUILD", "LOG", "PHASE"]


def test_old_changes_go_from_the_oldest_on_and_the_newest_stays(database: Database) -> None:
    for build_id in range(1, 5):
        database.write_once(lambda connection, one=build_id: changes.note_changes(connection, builds=[one]))
    number(database)
    # The second one is not old: what was before it goes, and nothing after it.
    young = update(ReportedChange).where(ReportedChange.position == 2)
    database.write_once(
        lambda connection: connection.execute(young.values(changed_at=utc_now() + timedelta(days=2)))
    )
    tomorrow = utc_now() + timedelta(days=1, minutes=1)
    forget = partial(changes.forget_changes, now=tomorrow, kept_seconds=_DAY)
    assert not database.write_once(forget)
    assert [position for position, _, _ in noted(database)] == [2, 3, 4]
    later = utc_now() + timedelta(days=9)
    # Whoever has come no farther than that reads on after it.
    assert not database.write_once(lambda connection: changes.forget_changes(connection, later, _DAY, 2))
    assert [position for position, _, _ in noted(database)] == [3, 4]
    assert not database.write_once(lambda connection: changes.forget_changes(connection, later, _DAY))
    assert [position for position, _, _ in noted(database)] == [4]
    database.write_once(lambda connection: changes.note_changes(connection, builds=[9]))
    number(database)
    assert noted(database)[-1] == (5, "BUILD", 9)
