"""Databases for histories, each empty."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spackmon.database import Database
from tests.databases import PostgresqlDatabases
from tests.simulator.trials import Fresh, copies_of


@pytest.fixture(scope="session")
def on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Opens copies of a migrated file."""
    return copies_of(sqlite_template, tmp_path_factory.mktemp("histories"))


@pytest.fixture(scope="session")
def on_postgresql(postgresql_databases: PostgresqlDatabases) -> Fresh:
    """Opens databases of the real server."""

    @contextmanager
    def fresh() -> Iterator[Database]:
        with postgresql_databases.fresh() as url:
            database = Database(url)
            try:
                yield database
            finally:
                database.close()

    return fresh
