"""A site with two people on a fresh database of each kind, and a clock that the tests set."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from spackmon.database import Database
from spackmon.database.roles import Role
from spackmon.ingest import store
from tests.ingest.installs import START
from tests.ingest.reports import Site


class Clock:
    """When reports arrive: a second after each other, from the middle of the run on that tests report."""

    def __init__(self) -> None:
        self.now = START + timedelta(seconds=30)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which the store takes its arrivals."""
    clock = Clock()
    monkeypatch.setattr(store, "utc_now", clock)
    return clock


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database of each kind, with a connection for each of the tests' writers."""
    opened = Database(database_url, role=Role("test", 8))
    yield opened
    opened.close()


@pytest.fixture
def site(database: Database) -> Site:
    """Where tests store what they report."""
    return Site(database)
