"""The pairs of the closure become lists while others write."""

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
_PAIR = "a, d, a % 2 = 0, d % 3 = 0, (a + d) % 5 = 0, 1 + (a * 7 + d) % 30"
STORED = [
    *FILLED[1:6],
    "INSERT INTO spec (id, hash, hash_kind, package_version_id, names_compiler, architecture_id,"
    " parameter_set_id, format_version, recorded_at)"
    f" SELECT n, n, 'hash', 1, true, 1, 1, 3, '2024-01-01' FROM generate_series(1, {SPECS}) n",
    f"INSERT INTO closure SELECT {_PAIR} FROM generate_series(2, {SPECS}) a"
    " CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY[1, a - 1, a / 2]) AS d) below",
]
CHANGES = [
    "DELETE FROM closure WHERE ancestor_id IN (10, 5121)",
    "DELETE FROM closure WHERE ancestor_id = 512 AND descendant_id = 1",
    "UPDATE closure SET depth = 200, by_caret = NOT by_caret WHERE ancestor_id = 256",
    # It is beyond what was copied.
    f"INSERT INTO closure SELECT {_PAIR} FROM generate_series(20000, 20001) a, generate_series(1, 300) d",
]


def _execute(statements: list[str], connection: Connection) -> None:
    for statement in statements:
        connection.execute(text(statement), {"b": b"bytes"} if ":b" in statement else {})


def _pairs(database: Database, name: str) -> list[Any]:
    question = text(f"SELECT * FROM {name} ORDER BY ancestor_id, descendant_id")
    return [tuple(row) for row in database.read_once(lambda connection: connection.execute(question).all())]


@pytest.mark.parametrize("before", [61, 47], ids=["ahead", "at once"])
def test_pairs_are_lists_whatever_changes_meanwhile(
    postgresql_databases: PostgresqlDatabases, tmp_path: Path, before: int
) -> None:
    with postgresql_databases.empty() as url:
        upgrade_to(before, url, tmp_path / "before")
        database = Database(url)
        database.write_once(partial(_execute, STORED))
        seen = [_pairs(database, "closure")]
        assert len(seen[0]) > 2 * SPECS

        def stop(progress: str) -> None:
            if progress.startswith("closure"):
                raise InterruptedError

        def change(progress: str) -> None:
            # Later migrations say it, too.
            if progress == "what changed meanwhile" and before == 61 and len(seen) == 1:
                database.write_once(partial(_execute, CHANGES))
                seen.append(_pairs(database, "closure"))

        if before == 61:
            with pytest.raises(InterruptedError):
                upgrade(url, tell=stop)
        upgrade(url, tell=change)
        assert len(seen) == 1 + (before == 61)
        for name in ("closure", "closure_above"):
            assert _pairs(database, name) == seen[-1]
        database.close()
