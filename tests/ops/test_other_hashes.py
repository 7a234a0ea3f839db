"""What specs were shown by beside their own hash is told apart while others write."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.databases import PostgresqlDatabases
from tests.ops.landed import upgrade_to
from tests.ops.test_migrations import FILLED

SPECS = 6_000
# Those of today are shown by one hash, older ones by three, and several of these by the same.
STORED = [
    *FILLED[1:6],
    "INSERT INTO spec (id, hash, hash_kind, package_version_id, names_compiler, architecture_id,"
    " parameter_set_id, format_version, recorded_at)"
    " SELECT n, n, CASE n % 3 WHEN 0 THEN 'full_hash' ELSE 'hash' END, 1, true, 1, 1, 3, '2024-01-01'"
    f" FROM generate_series(1, {SPECS}) n",
    "INSERT INTO spec_hash (value, kind, spec_id) SELECT hash, hash_kind, id FROM spec",
    "INSERT INTO spec_hash (value, kind, spec_id) SELECT k || id / 9, k, id FROM spec"
    " CROSS JOIN unnest(ARRAY['hash', 'build_hash']) k WHERE hash_kind = 'full_hash'",
    # The same text as another kind of hash.
    "INSERT INTO spec_hash (value, kind, spec_id) SELECT hash, 'build_hash', id FROM spec WHERE id = 300",
]
CHANGES = [
    "DELETE FROM spec_hash WHERE spec_id IN (3, 5997)",
    "DELETE FROM spec WHERE id IN (3, 5997)",
    "UPDATE spec_hash SET value = 'other' WHERE spec_id = 6 AND kind = 'hash'",
    "INSERT INTO spec (id, hash, hash_kind, package_version_id, names_compiler, architecture_id,"
    " parameter_set_id, format_version, recorded_at) VALUES"
    " (20000, '20000', 'full_hash', 1, true, 1, 1, 3, '2024-01-01')",
    "INSERT INTO spec_hash (value, kind, spec_id) VALUES ('20000', 'full_hash', 20000),"
    " ('weak', 'hash', 20000)",
]


def _execute(statements: list[str], connection: Connection) -> None:
    for statement in statements:
        connection.execute(text(statement), {"b": b"bytes"} if ":b" in statement else {})


def _rows(database: Database, question: str) -> list[Any]:
    rows = database.read_once(lambda connection: connection.execute(text(question)).all())
    return sorted(tuple(row) for row in rows)


@pytest.mark.parametrize("before", [73, 47], ids=["ahead", "at once"])
def test_each_hash_is_there_once_whatever_changes_meanwhile(
    postgresql_databases: PostgresqlDatabases, tmp_path: Path, before: int
) -> None:
    hashes = "SELECT value, kind, spec_id FROM spec_hash"
    with postgresql_databases.empty() as url:
        upgrade_to(before, url, tmp_path / "before")
        database = Database(url)
        database.write_once(partial(_execute, STORED))
        seen = [_rows(database, hashes)]

        def stop(progress: str) -> None:
            if progress.startswith("spec_hash"):
                raise InterruptedError

        def change(progress: str) -> None:
            if progress == "what changed meanwhile" and before == 73 and len(seen) == 1:
                database.write_once(partial(_execute, CHANGES))
                seen.append(_rows(database, hashes))

        if before == 73:
            with pytest.raises(InterruptedError):
                upgrade(url, tell=stop)
        upgrade(url, tell=change)
        assert len(seen) == 1 + (before == 73)
        assert _rows(database, hashes) == seen[-1]
        others = _rows(database, "SELECT value, kind, spec_id FROM spec_other_hash")
        own = set(_rows(database, "SELECT hash, hash_kind, id FROM spec"))
        assert others == [row for row in seen[-1] if row not in own]
        keys = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
        assert _rows(database, keys) == []
        database.close()
