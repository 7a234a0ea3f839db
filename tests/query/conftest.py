"""A site whose builds can be asked about, without HTTP between."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from spackmon.database import Database, Reader
from spackmon.ingest.tables.sealing import seal
from spackmon.query.serve.service import Answer, QueryService
from spackmon.schema import schema
from tests.databases import PostgresqlDatabases
from tests.ingest.reports import Site
from tests.once import made_once
from tests.reference.site import copy, furnish


class CountingReader:
    """The database's own reader, the statements that went through it, and the last one's parameters."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.statements: list[str] = []
        self.parameters: Mapping[str, Any] = {}

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        self.statements.append(statement)
        self.parameters = parameters
        return await self._reader.fetch(statement, parameters)

    def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        self.statements.append(statement)
        return self._reader.stream(statement, parameters)

    async def close(self) -> None:
        await self._reader.close()


class AskedSite(Site):
    """A site and its query service."""

    def __init__(
        self, database: Database, runner: asyncio.Runner, reader: Reader, *, has_people: bool = False
    ) -> None:
        super().__init__(database, has_people=has_people)
        self._runner = runner
        self.reader = CountingReader(reader)
        self.service = QueryService(schema, database, self.reader)

    def answer(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        name: str | None = None,
        *,
        explain: bool = False,
    ) -> Answer:
        """The response to an operation."""
        return self._runner.run(self.service.execute(query, variables, name, explain=explain))

    def ask_ourselves(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation of our own."""
        return self._runner.run(self.service.ask(query, variables))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        response = json.loads(self.answer(query, variables).body)
        assert "errors" not in response, response["errors"]
        data: dict[str, Any] = response["data"]
        return data

    def ask_raw(self) -> bytes:
        """What the database answers to the last statement."""
        return self._runner.run(self.reader.fetch(self.reader.statements[-1], self.reader.parameters))

    def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The first error of an answer."""
        error: dict[str, Any] = json.loads(self.answer(query, variables).body)["errors"][0]
        return error


@contextmanager
def asked(database: Database, *, has_people: bool = False) -> Iterator[AskedSite]:
    """A site over a database, with two people more unless it `has_people`."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        reader = runner.run(stack.enter_async_context(database.reader()))
        yield AskedSite(database, runner, reader, has_people=has_people)
        runner.run(stack.aclose())


@pytest.fixture
def site(database: Database) -> Iterator[AskedSite]:
    """A site with two people that can be asked."""
    with asked(database) as site:
        yield site


@pytest.fixture(scope="session")
def random_site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A site with some of everything, in SQLite, for all that only ask."""

    def make(directory: Path) -> None:
        path = shutil.copy(sqlite_template, directory / "site.db")
        with closing(Database(f"sqlite:///{path}")) as database:
            furnish(database)

    furnished = made_once(tmp_path_factory, "random-site", make) / "site.db"
    path = shutil.copy(furnished, tmp_path_factory.mktemp("random") / "site.db")
    with closing(Database(f"sqlite:///{path}")) as database:
        yield database


@contextmanager
def _on_postgresql(site: Database, databases: PostgresqlDatabases) -> Iterator[Database]:
    with databases.fresh() as url, closing(Database(url)) as database:
        copy(site, database)
        yield database


@pytest.fixture(scope="session")
def random_site_on_postgresql(
    random_site: Database, postgresql_databases: PostgresqlDatabases
) -> Iterator[Database]:
    """The same rows."""
    with _on_postgresql(random_site, postgresql_databases) as database:
        yield database


@pytest.fixture(scope="session")
def sealed_site(random_site: Database, postgresql_databases: PostgresqlDatabases) -> Iterator[Database]:
    """The same rows, where what old builds contain is read another way."""
    with _on_postgresql(random_site, postgresql_databases) as database:
        database.write_once(partial(seal, chunk=0))
        yield database


@pytest.fixture(scope="session", params=["random_site", "sealed_site"], ids=["sqlite", "postgresql"])
def furnished(request: pytest.FixtureRequest) -> Iterator[AskedSite]:
    """A site with some of everything, on each kind of database, for all tests that only ask."""
    with asked(request.getfixturevalue(request.param), has_people=True) as site:
        yield site
