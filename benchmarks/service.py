"""The query service in this process, and the statements of its answers sent by hand."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from itertools import count
from typing import Any

import uvloop

from spackmon.database import Database, Reader
from spackmon.query.serve.service import QueryService
from spackmon.schema import schema


class _Fetching:
    """A reader that is asked for whole answers only."""

    def stream(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> AsyncGenerator[list[tuple[bytes, ...]], None]:
        """Nothing is streamed here."""
        raise TypeError("only whole answers are measured")


class _Ready(_Fetching):
    """A reader that has the answer already: only what surrounds it costs anything."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        """The answer."""
        return self._answer

    async def close(self) -> None:
        """Nothing to give back."""


class _Recording(_Fetching):
    """A reader that remembers the last statement it was given."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.last: tuple[str, Mapping[str, Any]] = ("", {})

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> bytes:
        """The same, remembered."""
        self.last = statement, parameters
        return await self._reader.fetch(statement, parameters)

    async def close(self) -> None:
        """The same."""
        await self._reader.close()


class Service:
    """The query service in this process, and the same statements sent by hand."""

    def __init__(self, runner: asyncio.Runner, reader: Reader, database: Database) -> None:
        self._runner, self.reader, self._database = runner, reader, database
        self._recording = _Recording(reader)
        self._plain = QueryService(schema, database, reader)
        self._numbers = count()
        self._recorded = QueryService(schema, database, self._recording)

    def ask(self, query: str, variables: Mapping[str, Any]) -> bytes:
        """One answer."""
        return self._runner.run(self._plain.execute(query, variables)).body

    def asking(self, query: str, variables: Mapping[str, Any], runs: int) -> Callable[[], None]:
        """Ask `runs` times."""

        async def work() -> None:
            for _ in range(runs):
                # A variable that no operation declares: the answer is none that was kept.
                await self._plain.execute(query, {**variables, "number": next(self._numbers)})

        return lambda: self._runner.run(work())

    def statement(self, query: str, variables: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """What is sent to the database for a question."""
        self._runner.run(self._recorded.execute(query, variables))
        return self._recording.last

    def without_database(self, query: str, variables: Mapping[str, Any], runs: int) -> Callable[[], None]:
        """Ask `runs` times, and find each answer at hand."""
        answer = self._runner.run(self.reader.fetch(*self.statement(query, variables)))
        ready = QueryService(schema, self._database, _Ready(answer))

        async def work() -> None:
            for _ in range(runs):
                await ready.execute(query, variables)

        return lambda: self._runner.run(work())

    def by_hand(self, query: str, variables: Mapping[str, Any], runs: int) -> Callable[[], None]:
        """Send the question's own statement `runs` times, without GraphQL."""
        statement, parameters = self.statement(query, variables)

        async def work() -> None:
            for _ in range(runs):
                b'{"data":' + await self.reader.fetch(statement, parameters) + b"}"

        return lambda: self._runner.run(work())


@contextmanager
def service(database: Database) -> Iterator[Service]:
    """A query service on the event loop that the server runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        reader = runner.run(stack.enter_async_context(database.reader()))
        try:
            yield Service(runner, reader, database)
        finally:
            runner.run(stack.aclose())
