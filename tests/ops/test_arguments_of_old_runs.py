"""Arguments that older versions stored with each run become rows that runs share, while services write."""

from functools import partial
from pathlib import Path

from sqlalchemy import text

from spackmon.database import Database
from spackmon.ingest.tables.configure_arguments import arguments_of
from tests.ops.landed import upgrade_to
from tests.ops.meanwhile import run, upgrade_meanwhile
from tests.ops.test_migrations import ERRING

_OTHER = "--with=é 'x'"
_CLAIM = (
    "INSERT INTO claim (id, attempt_id, key, owner_id, owner_is_certain, kind, environment_id, status,"
    " is_live, time_uncertainty_seconds, times_enclose_run, configure_arguments, first_reported_at,"
    " last_reported_at)"
)
_CONFIGURED = [
    *ERRING[:4],
    f"{_CLAIM} VALUES (1, 1, 'a', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '--x', :t, :t),"
    " (2, 2, 'b', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, '--x', :t, :t),"
    " (3, 9000, 'c', 1, true, 'MS1', 1, 'SUCCESS', true, 0, false, NULL, :t, :t)",
    "UPDATE attempt SET configure_arguments = '--x' WHERE id < 9000",
    "UPDATE build SET configure_arguments = '--x' WHERE id < 9000",
]
# What a service writes meanwhile.
_CHANGES = [
    f"UPDATE {table} SET configure_arguments = '--with=é ''x''' WHERE id = {row_id}"
    for table, row_id in (("claim", 3), ("attempt", 9000), ("build", 9000))
]


def test_builds_runs_and_claims_keep_their_arguments(empty_url: str, tmp_path: Path) -> None:
    upgrade_to(74, empty_url, tmp_path / "before")
    database = Database(empty_url)

    run(database, *_CONFIGURED)
    upgrade_meanwhile(
        database,
        empty_url,
        interrupted="an index of attempt",
        copied="an index of claim, ix_claim_manifest_id",
        change=lambda: run(database, *_CHANGES),
    )

    def rows(table: str) -> list[tuple[int, str | None]]:
        question = text(
            f"SELECT r.id, g.text FROM {table} r"
            " LEFT JOIN configure_arguments g ON g.id = r.configure_arguments_id ORDER BY r.id"
        )
        return [(row.id, row.text) for row in database.read_once(lambda c: c.execute(question).all())]

    assert rows("build") == [(1, "--x"), (9000, _OTHER)]
    assert rows("attempt") == [(1, "--x"), (2, "--x"), (9000, _OTHER)]
    assert rows("claim") == [(1, "--x"), (2, "--x"), (3, _OTHER)]
    # They are found by their digests from now on.
    before = database.read_once(lambda c: c.scalars(text("SELECT id FROM configure_arguments")).all())
    found = database.write_once(partial(arguments_of, wanted=["--x", _OTHER]))
    assert {found["--x"], found[_OTHER]} == set(before)
    database.close()
