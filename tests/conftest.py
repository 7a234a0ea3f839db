"""Fixtures that every area of the tests uses: fresh migrated databases of both kinds."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from tests.databases import NAMED_SERVER, PostgresqlDatabases, PostgresqlServer, copy_database
from tests.faulty_disk import FaultyDisk, built
from tests.once import made_once

# What whoever runs the tests likes of their terminal is no matter of what commands print to a pipe.
for _variable in ("CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(_variable, None)

_TEMPLATE = "spackmon_template"

pytest_plugins = ["tests.quick", "tests.no_skips", "tests.properties", "tests.server"]


@pytest.fixture(scope="session")
def postgresql_databases(request: pytest.FixtureRequest) -> Iterator[PostgresqlDatabases]:
    """One PostgreSQL server for the whole session, started when the first test wants it."""
    if named := os.environ.get(NAMED_SERVER):
        databases = PostgresqlDatabases(named)
        yield databases
        databases.close()
        return
    server = _own_server(request.getfixturevalue("postgresql_files"))
    # Not among the files: each test with a server of its own would copy it, too.
    copy_database(server.url, _TEMPLATE)
    databases = PostgresqlDatabases(server.url, template=_TEMPLATE)
    yield databases
    databases.close()
    server.remove()


def _own_server(copied: Path | None = None) -> PostgresqlServer:
    try:
        return PostgresqlServer(copied)
    except Exception as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(scope="session")
def postgresql_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of a server with a migrated database: copied in a tenth of the time that making them takes."""

    def make(directory: Path) -> None:
        server = _own_server()
        upgrade(server.url)
        server.stop()
        server.copy_files(directory)
        server.remove()

    return made_once(tmp_path_factory, "postgresql", make)


@pytest.fixture
def private_postgresql(postgresql_files: Path) -> Iterator[PostgresqlServer]:
    """A server that a test may stop and kill; its database is migrated."""
    server = _own_server(postgresql_files)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""

    def make(directory: Path) -> None:
        upgrade(f"sqlite:///{directory / 'template.db'}")

    return made_once(tmp_path_factory, "sqlite", make) / "template.db"


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    path = tmp_path / "spackmon.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_databases: PostgresqlDatabases) -> Iterator[str]:
    """A fresh migrated PostgreSQL database."""
    with postgresql_databases.fresh() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, opened."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def faulty_disk_library() -> Iterator[Path]:
    """What makes a process's disk fail (tests/faulty_disk), compiled where PostgreSQL's user can read it."""
    with tempfile.TemporaryDirectory(prefix="spackmon-disk-") as directory:
        Path(directory).chmod(0o755)
        try:
            yield built(Path(directory))
        except FileNotFoundError:
            pytest.skip("no C compiler")


@pytest.fixture
def faulty_disk(faulty_disk_library: Path, tmp_path: Path) -> FaultyDisk:
    """A disk of a test's own, well at first."""
    return FaultyDisk(faulty_disk_library, tmp_path / "disk", tmp_path / "notes")
