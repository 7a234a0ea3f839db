"""Many at once, and somebody in the way: who waits for whom, how long, and what they are answered."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from spackmon.database import Database
from spackmon.database.probe import probe
from spackmon.database.roles import WRITER
from spackmon.errors import Refused
from spackmon.models import utc_now
from spackmon.ops import revisions
from tests.waiting import GIVE_UP_SECONDS


@contextlib.contextmanager
def opened(url: str, hold_seconds: float) -> Iterator[Database]:
    database = Database(url, role=WRITER, hold_seconds=hold_seconds)
    yield database
    database.close()


def add(name: str) -> Callable[[Connection], None]:
    """Adds a person."""
    statement = text("INSERT INTO person (name, created_at) VALUES (:name, :now)")

    def work(connection: Connection) -> None:
        connection.execute(statement, {"name": name, "now": utc_now().isoformat()})

    return work


def people(connection: Connection) -> int:
    count: int = connection.execute(text("SELECT count(*) FROM person")).scalar_one()
    return count


@contextlib.contextmanager
def in_the_way(url: str) -> Iterator[None]:
    """Somebody else, of another process, has begun to write and does not go on."""
    other: Engine = create_engine(Database(url).url)
    with other.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("LOCK TABLE person IN SHARE MODE")
        yield
        connection.rollback()
    other.dispose()


def test_sixty_writers_that_wait_are_in_nobody_elses_way(database_url: str) -> None:
    with opened(database_url, hold_seconds=0.5) as database:

        async def crowd() -> list[Any]:
            with in_the_way(database_url):
                writers = [asyncio.create_task(database.write_held(add(f"p{i}"))) for i in range(60)]
                first = await asyncio.wait(writers, return_when=asyncio.FIRST_COMPLETED)
                assert first
                # Who asks for a token, and who looks after the service, is answered meanwhile.
                assert await database.admit_held(people) == 0
                assert probe(database) is None
                return await asyncio.gather(*writers, return_exceptions=True)

        answers = asyncio.run(crowd())
        assert {type(answer) for answer in answers} == {Refused}
        assert {(answer.code, answer.status) for answer in answers} == {("DATABASE_BUSY", 503)}
        # It is not away: others are using it.
        assert database.condition.trouble is None
        asyncio.run(database.write_held(add("after")))
        assert database.read_once(people) == 1


def test_what_waits_for_a_lock_is_written_when_that_is_free(database_url: str) -> None:
    with opened(database_url, hold_seconds=GIVE_UP_SECONDS) as database:

        async def wait() -> None:
            with in_the_way(database_url):
                writers = [asyncio.create_task(database.write_held(add(f"p{i}"))) for i in range(60)]
                await asyncio.wait(writers, timeout=0.5)
            await asyncio.gather(*writers)

        asyncio.run(wait())
        assert database.read_once(people) == 60


def test_each_role_is_named_and_bounded(postgresql_url: str) -> None:
    seen: dict[str, tuple[str, ...]] = {}
    settings = ("application_name", "transaction_isolation", "statement_timeout", "lock_timeout")
    question = "SELECT concat_ws(';', {})".format(", ".join(f"current_setting('{one}')" for one in settings))

    def note(answer: str | bytes) -> None:
        shown = answer.decode() if isinstance(answer, bytes) else answer
        role, *limits = shown.split(";")
        seen[role.removeprefix("spackmon ")] = tuple(limits)

    def ask(connection: Connection) -> str:
        answer: str = connection.execute(text(question)).scalar_one()
        return answer

    async def look(database: Database) -> None:
        note(await database.write_held(ask))
        note(await database.admit_held(ask))
        note(database.look_once(ask))
        async with database.reader(7) as reader:
            note(await reader.fetch(question, {}))
            async for rows in reader.stream(question, {}):
                note(rows[0][0])

    serializable = "ALTER DATABASE {} SET default_transaction_isolation = 'serializable'"
    with opened(postgresql_url, hold_seconds=30) as database:
        with database.engine.begin() as connection:
            connection.execute(text(serializable.format(database.url.database)))
        database.engine.dispose()
        asyncio.run(look(database))
    assert seen == {
        "writer": ("read committed", "30s", "10s"),
        "admission": ("read committed", "5s", "2s"),
        "health": ("read committed", "2s", "1s"),
        "reader": ("read committed", "7s", "10s"),
        "export": ("read committed", "7s", "10s"),
    }


def test_connections_that_are_killed_are_replaced(postgresql_url: str) -> None:
    kill = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other = create_engine(Database(postgresql_url).url)

    async def use() -> None:
        with opened(postgresql_url, hold_seconds=GIVE_UP_SECONDS) as database:
            async with database.reader() as reader:
                for number in range(3):
                    asked = [reader.fetch("SELECT count(*)::text FROM person", {}) for _ in range(16)]
                    assert set(await asyncio.gather(*asked)) == {str(number).encode()}
                    await asyncio.gather(*(database.admit_held(people) for _ in range(8)))
                    await database.write_held(add(f"p{number}"))
                    with other.begin() as connection:
                        assert connection.execute(kill).all()
                export = reader.stream("SELECT i::text FROM generate_series(1, 1000000) i", {})
                assert await anext(export)
                with other.begin() as connection:
                    connection.execute(kill)
                with pytest.raises(Refused) as refused:
                    async for _ in export:
                        pass
                assert refused.value.code == "DATABASE_UNAVAILABLE"

    asyncio.run(use())
    other.dispose()


def test_a_write_that_takes_too_long_is_run_once(postgresql_url: str) -> None:
    runs = 0

    def slow(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        connection.execute(text("SET LOCAL statement_timeout = 10"))
        connection.execute(text("SELECT pg_sleep(10)"))

    with opened(postgresql_url, hold_seconds=30) as database, pytest.raises(Refused) as refused:
        asyncio.run(database.write_held(slow))
    assert (refused.value.code, refused.value.status, runs) == ("STATEMENT_TIMEOUT", 503, 1)


def test_a_write_into_tables_that_were_upgraded_under_the_program_waits_for_the_next_one(
    database_url: str,
) -> None:
    """Between `spackmon db upgrade` and the reload: a report goes into the spool and not into a 500."""
    database = Database(database_url, role=WRITER, hold_seconds=0.0, check=revisions.check_revision)
    database.write_once(add("before"))
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE person RENAME TO people"))
    with pytest.raises(DBAPIError):
        database.write_once(add("of a fault of our own"))
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Refused) as refused:
        database.write(add("after"))
    assert refused.value.code == "DATABASE_UNAVAILABLE"
    assert "revision 9999" in refused.value.sentence
    database.close()
