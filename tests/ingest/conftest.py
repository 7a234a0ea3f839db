"""A site with two people on a fresh database of each kind."""

import pytest

from spackmon.database import Database
from tests.ingest.reports import Site


@pytest.fixture
def site(database: Database) -> Site:
    """Where tests store what they report."""
    return Site(database)
