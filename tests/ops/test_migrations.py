"""The schema's history leads to the models, on both databases, and keeps what is in place."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.models import Base
from spackmon.ops.migrations import SCRIPTS, check, upgrade

REBUILDS_PERSON = '''
"""A revision that SQLite can only do by copying a table that others refer to."""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("person", recreate="auto") as table:
        table.alter_column("name", type_=sa.String(100))
'''


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with request.getfixturevalue("postgresql_databases").empty() as url:
        yield url


def test_the_migrations_lead_to_exactly_the_models(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    assert database.read_once(differences) == []


def test_text_in_postgresql_sorts_by_bytes_whatever_the_locale_of_its_cluster(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    otherwise = text(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        " AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version'"
        " AND collation_name IS DISTINCT FROM 'C'"
    )
    assert database.read_once(lambda connection: connection.execute(otherwise).all()) == []
    database.close()


def test_a_database_says_whether_it_is_migrated(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database(empty_url)
    refused = check(database)
    assert refused is not None
    assert refused.code == "DATABASE_NOT_MIGRATED"
    assert "spackmon db upgrade" in refused.sentence
    upgrade(empty_url)
    assert check(database) is None
    database.close()


def test_an_upgrade_keeps_the_rows_that_refer_to_a_rebuilt_table(database_url: str, tmp_path: Path) -> None:
    database = Database(database_url)
    moment = "2024-01-01T00:00:00.000000Z"
    database.write_once(
        lambda c: (
            c.execute(text("INSERT INTO person (id, name, created_at) VALUES (1, 'ada', :t)"), {"t": moment}),
            c.execute(
                text("INSERT INTO token (id, person_id, digest, created_at) VALUES (1, 1, :d, :t)"),
                {"d": b"digest", "t": moment},
            ),
        )
    )
    scripts = tmp_path / "later"
    shutil.copytree(SCRIPTS, scripts)
    (scripts / "versions" / "9999_later.py").write_text(REBUILDS_PERSON)
    upgrade(database_url)
    upgrade(database_url, scripts)
    rows = database.read_once(
        lambda c: c.execute(text("SELECT p.name FROM token t JOIN person p ON p.id = t.person_id")).all()
    )
    assert [tuple(row) for row in rows] == [("ada",)]
    refused = check(database)
    assert refused is not None
    assert "9999" in refused.sentence
    database.close()
