"""A shell over a fresh database."""

from pathlib import Path

import pytest

from tests.cli.command import Shell


@pytest.fixture
def shell(sqlite_url: str, tmp_path: Path) -> Shell:
    """Over an embedded database."""
    return Shell(sqlite_url, tmp_path)


@pytest.fixture
def shell_on_both(database_url: str, tmp_path: Path) -> Shell:
    """The test runs once on each kind of database."""
    return Shell(database_url, tmp_path)
