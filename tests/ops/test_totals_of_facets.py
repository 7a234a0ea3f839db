"""Builds of totals are counted by facet while others report and fold."""

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ingest.tables.totals import recount_totals
from spackmon.ops.migrations import upgrade
from tests.databases import PostgresqlDatabases
from tests.ingest.test_facts import OF_FACETS, OF_FACETS_KEPT
from tests.ops.landed import RELEASES, fill, revision_of, upgrade_to

# A build's newest run loses a tag.
REPORT = """
    WITH gone AS (
        DELETE FROM attempt_tag WHERE (attempt_id, tag_id) IN (
            SELECT t.attempt_id, t.tag_id FROM attempt_tag t
            JOIN build b ON b.newest_attempt_id = t.attempt_id ORDER BY 1, 2 LIMIT 1
        ) RETURNING attempt_id, tag_id
    ), written AS (
        UPDATE build SET updated_at = now() WHERE newest_attempt_id IN (SELECT attempt_id FROM gone)
    )
    INSERT INTO build_total_change (kind, key_id, facet_id, build_count)
    SELECT 'TAG', g.tag_id, b.facet_id, -1 FROM gone g JOIN build b ON b.newest_attempt_id = g.attempt_id
"""
# As the program of before does.
FOLD = """
    WITH folded AS (DELETE FROM build_total_change RETURNING *)
    INSERT INTO build_total (kind, key_id, status, installed_from, build_count)
    SELECT c.kind, c.key_id, f.status, f.installed_from, sum(c.build_count)
    FROM folded c JOIN build_facet f ON f.id = c.facet_id GROUP BY 1, 2, 3, 4
    ON CONFLICT (kind, key_id, status, installed_from) DO UPDATE
    SET build_count = build_total.build_count + excluded.build_count
"""


def _execute(statements: list[str], connection: Connection) -> None:
    for statement in statements:
        connection.execute(text(statement))


def test_builds_are_counted_by_facet_whatever_changes_meanwhile(
    postgresql_databases: PostgresqlDatabases, tmp_path: Path
) -> None:
    with postgresql_databases.empty() as url:
        upgrade_to(revision_of(RELEASES[-1]), url, tmp_path / "release")
        database = Database(url)
        fill(database, RELEASES[-1])
        upgrade_to(62, url, tmp_path / "before")
        database.write_once(partial(_execute, [REPORT]))
        made: list[str] = []

        def change(progress: str) -> None:
            if "by facet" in progress:
                made.append(progress)
                ended = [FOLD, REPORT] if progress.endswith("%") else [REPORT]
                database.write_once(partial(_execute, ended))
                if len(made) == 2:
                    raise InterruptedError

        with pytest.raises(InterruptedError):
            upgrade(url, tell=change)
        upgrade(url, tell=change)
        assert len(made) == 2
        assert database.write_once(recount_totals) == 0
        kept, counted = (
            database.read_once(
                lambda connection, q=question: set(map(tuple, connection.execute(text(q)).all()))
            )
            for question in (OF_FACETS_KEPT, OF_FACETS)
        )
        assert kept == counted != set()
        database.close()
