"""The database of every release is upgraded with all that it holds, on both kinds."""

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, func, select, text

from spackmon.database import Database
from spackmon.ingest.checking import check_database
from spackmon.ops.migrations import upgrade
from spackmon.ops.revisions import check
from tests.ops.landed import RELEASES, fill, revision_of, upgrade_to

# What is counted and told of changes may be folded or forgotten.
FOLDED = ("build_day", "build_facet", "build_total", "error_group_change", "reported_change")

# A tag of a run was a row once.
_TAGS_OF_RUNS = text("SELECT count(*) FROM attempt a JOIN tag_set_member m ON m.tag_set_id = a.tag_set_id")


def _counts(database: Database) -> dict[str, int]:
    """How many rows each table has that has any."""
    with database.engine.connect() as connection:
        metadata = MetaData()
        # A table of a release may be a view today, of the same rows.
        metadata.reflect(connection, views=True)
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
            if not table.name.startswith(FOLDED) and "_search" not in table.name
        }
        if "attempt_tag" not in counts:
            counts["attempt_tag"] = connection.scalar(_TAGS_OF_RUNS) or 0
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize("rows", RELEASES, ids=lambda path: path.name)
def test_all_that_a_release_held_is_there_after_the_upgrade(
    empty_url: str, tmp_path: Path, rows: Path
) -> None:
    upgrade_to(revision_of(rows), empty_url, tmp_path / "scripts")
    with closing(Database(empty_url)) as database:
        fill(database, rows)
        before = _counts(database)
        assert len(before) > 40
        upgrade(empty_url)
        assert check(database) is None
        after = _counts(database)
        assert {name: after.get(name, 0) for name in before} == before
        checked = check_database(database, repair=False)
        assert [one.differences for one in checked if any(one.differences.values())] == []
