"""Writes that wait for one another: who goes together, who alone, and what each is told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.database import together as together_module
from spackmon.database.together import Together
from spackmon.errors import Code, Refused
from spackmon.models import utc_now
from tests.waiting import GIVE_UP_SECONDS, until_in_loop

_ADD = text("INSERT INTO person (name, created_at) VALUES (:name, :now)")


class Writers:
    """Adds people by their names: `bad` is refused, and `odd` never goes with others."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.together = Together[str, str](database, self._write)
        self.transactions: list[list[str]] = []
        self.alone: list[str] = []
        self.asked = 0
        self.open = asyncio.Event()

    async def add(self, name: str, *, key: str = "") -> str:
        """Write one, alone only once the gate is open."""

        async def alone() -> str:
            self.alone.append(name)
            await self.open.wait()
            return await self.database.write_held(lambda connection: _add(connection, name))

        self.asked += 1
        return await self.together.write(name, key or name, 10, alone)

    def _write(self, connection: Connection, names: Sequence[str]) -> list[str | None]:
        self.transactions.append(list(names))
        return [None if name == "odd" else _add(connection, name) for name in names]

    async def all(self, *names: str, first: str = "first") -> list[Any]:
        """Write `first`, for which all others wait; what each was told."""
        before = asyncio.ensure_future(self.add(first))
        await until_in_loop(lambda: self.alone)
        others = [asyncio.ensure_future(self.add(name, key=name[0])) for name in names]
        self.open.set()
        return await asyncio.gather(before, *others, return_exceptions=True)

    def stored(self) -> list[str]:
        """Who was added."""
        found = self.database.read_once(
            lambda connection: connection.execute(text("SELECT name FROM person ORDER BY name")).all()
        )
        return [row.name for row in found]


def _add(connection: Connection, name: str) -> str:
    connection.execute(_ADD, {"name": name, "now": utc_now().isoformat()})
    if name == "bad":
        raise Refused(Code.VALUE_REFUSED, "bad")
    return name.upper()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits goes on waiting, however busy the machine is."""
    monkeypatch.setattr(together_module, "_PATIENCE_SECONDS", GIVE_UP_SECONDS)


def run(database: Database, scenario: Callable[[Writers], Awaitable[None]]) -> Writers:
    async def main() -> Writers:
        writers = Writers(database)
        await scenario(writers)
        return writers

    return asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_who_comes_meanwhile_goes_together_but_none_twice_by_its_key(database: Database) -> None:
    async def scenario(writers: Writers) -> None:
        told = await writers.all("a1", "b1", "a2", "odd", "c1", "a3")
        assert told == ["FIRST", "A1", "B1", "A2", "ODD", "C1", "A3"]

    writers = run(database, scenario)
    assert writers.transactions == [["a1", "b1", "odd", "c1"]]
    assert sorted(writers.alone) == ["a2", "a3", "first", "odd"]
    assert writers.stored() == ["a1", "a2", "a3", "b1", "c1", "first", "odd"]


@pytest.mark.usefixtures("patient")
def test_one_that_is_refused_harms_no_other_and_holds_up_fewer_the_next_time(database: Database) -> None:
    async def scenario(writers: Writers) -> None:
        told = await writers.all("a", "bad", "c", "d")
        assert [str(one) for one in told] == ["FIRST", "A", "bad", "C", "D"]
        assert writers.stored() == ["a", "c", "d", "first"]
        await again(writers)

    async def again(writers: Writers) -> None:
        writers.open.clear()
        writers.alone.clear()
        assert await writers.all(*"efghij", first="0") == ["0", "E", "F", "G", "H", "I", "J"]

    assert run(database, scenario).transactions == [["a", "bad", "c", "d"], ["e", "f"], ["g", "h", "i", "j"]]


def test_nobody_waits_for_one_that_hangs(database: Database) -> None:
    async def scenario(writers: Writers) -> None:
        first = asyncio.ensure_future(writers.add("first"))
        await until_in_loop(lambda: writers.alone)
        assert [*await asyncio.gather(writers.add("a"), writers.add("b"))] == ["A", "B"]
        writers.open.set()
        assert await first == "FIRST"

    assert run(database, scenario).transactions == [["a", "b"]]


@pytest.mark.usefixtures("patient")
def test_one_who_leaves_is_not_written_and_keeps_nobody(database: Database) -> None:
    async def scenario(writers: Writers) -> None:
        first = asyncio.ensure_future(writers.add("first"))
        await until_in_loop(lambda: writers.alone)
        leaving, *others = [asyncio.ensure_future(writers.add(name)) for name in "abc"]
        await until_in_loop(lambda: writers.asked == 4)
        leaving.cancel()
        await asyncio.wait([leaving])
        writers.open.set()
        assert await asyncio.gather(first, *others) == ["FIRST", "B", "C"]

    assert run(database, scenario).stored() == ["b", "c", "first"]
