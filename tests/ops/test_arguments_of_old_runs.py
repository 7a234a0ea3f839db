"""Arguments that older versions stored with each run become rows that runs share, while services write."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ingest.tables.configure_arguments import arguments_of
from spackmon.ops.migrations import upgrade
from tests.ops.landed import upgrade_to
from tests.ops.test_migrations import ERRING

_MOMENT = {"t": "2024-01-01T00:00:00.000000Z"}
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

    def run(statements: list[str]) -> None:
        for statement in statements:
            given = _MOMENT if ":t" in statement else {}
            database.write_once(partial(_execute, statement, given))

    def interrupt(progress: str) -> None:
        if progress.startswith("an index of attempt"):
            raise InterruptedError

    def change(progress: str) -> None:
        # All tables have been copied by then.
        if progress == "an index of claim, ix_claim_manifest_id":
            run(_CHANGES)

    run(_CONFIGURED)
    if database.is_sqlite:
        run(_CHANGES)
    else:
        with pytest.raises(InterruptedError):
            upgrade(empty_url, tell=interrupt)
    upgrade(empty_url, tell=change)

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


def _execute(statement: str, values: dict[str, object], connection: Connection) -> None:
    connection.execute(text(statement), values)
