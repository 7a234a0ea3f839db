"""What migrations do while services of before read and write: in small steps, which try again.

A table that is filled ahead is beside those that are used. What changes meanwhile is noted by triggers
(`Notes`), in the transaction that changes it, and is done again.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from spackmon.database.outcome import Outcome, classify
from spackmon.database.roles import MIGRATION

_TRIES, _PAUSE_SECONDS = 20, 0.5
# Who waits for a lock that tables are changed with has all others wait behind.
_LOCK_SECONDS = 2
_NOTES_AT_ONCE = 2_000
_ROUNDS = 2_000

_NOTE = """
    CREATE OR REPLACE FUNCTION {table}_of_rows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF current_setting('spackmon.ahead', true) IS DISTINCT FROM 'on' THEN
            EXECUTE format('INSERT INTO {table} SELECT DISTINCT %L, %I FROM changed WHERE %2$I IS NOT NULL',
                TG_ARGV[1], TG_ARGV[0]);
        END IF;
        RETURN NULL;
    END $$
"""

Ids = dict[str, set[int]]
"""Of what was noted, by its kind."""
Result = TypeVar("Result")


def step(connection: Connection, work: Callable[[], Result]) -> Result:
    """Do `work` in a transaction of its own, which Notes do not see; again where others were in the way."""

    def attempt() -> Result:
        with connection.begin():
            connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
            connection.execute(text("SET LOCAL spackmon.ahead = 'on'"))
            return work()

    return _try(attempt)


def outside(connection: Connection, statement: str) -> None:
    """Run what PostgreSQL runs in no transaction, such as VACUUM."""
    connection.rollback()
    driver: Any = connection.connection.driver_connection
    driver.autocommit = True
    try:
        _try(partial(driver.execute, statement))
    finally:
        driver.autocommit = False


def lock(connection: Connection, replaced: Iterable[str], watched: Iterable[str]) -> None:
    """In a transaction: from now on only this one uses tables that are replaced, and writes into others."""
    statements = [f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"]
    for tables, mode in ((watched, "SHARE ROW EXCLUSIVE"), (replaced, "ACCESS EXCLUSIVE")):
        statements += [f"LOCK TABLE {table} IN {mode} MODE" for table in tables]
    statements.append(f"SET LOCAL lock_timeout = '{MIGRATION.lock_seconds:g}s'")

    def take() -> None:
        with connection.begin_nested():
            for statement in statements:
                connection.execute(text(statement))

    _try(take)


def _try(work: Callable[[], Result]) -> Result:
    for _ in range(_TRIES):
        try:
            return work()
        except (DBAPIError, psycopg.Error) as error:
            if classify(error).outcome is not Outcome.BUSY:
                raise
        time.sleep(_PAUSE_SECONDS)
    return work()


class Progress:
    """How far each part of a fill is; a table of its own, so that whoever comes next goes on there."""

    def __init__(self, connection: Connection, table: str, tell: Callable[[str], None]) -> None:
        self.connection, self.table, self.tell = connection, table, tell

    def create(self) -> None:
        """Make the table."""
        columns = "part text PRIMARY KEY, done bigint NOT NULL"
        self.connection.execute(text(f"CREATE TABLE IF NOT EXISTS {self.table} ({columns})"))

    def drop(self) -> None:
        """Nothing is to be gone on with."""
        self.connection.execute(text(f"DROP TABLE {self.table}"))

    def by_ids(self, part: str, source: str, at_once: int, fill: Callable[[int, int], Any]) -> None:
        """Call `fill` for ids above one and up to another, until all of `source` are done."""
        connection = self.connection
        greatest = step(connection, lambda: connection.scalar(text(f"SELECT max(id) FROM {source}"))) or 0  # noqa: S608
        last = step(connection, lambda: self._done(part))
        while last < greatest:
            after = last + at_once

            def fill_and_note(last: int = last, after: int = after) -> None:
                fill(last, after)
                self._note(part, after)

            step(connection, fill_and_note)
            last = after
            self.tell(f"{part}: {min(last * 100 // greatest, 100)} %")

    def once(self, part: str, work: Callable[[], Any]) -> None:
        """Do `work` unless it was done."""

        def do() -> None:
            if not self._done(part):
                work()
                self._note(part, 1)

        step(self.connection, do)

    def is_done(self, part: str) -> bool:
        """Whether `once` did it."""
        return step(self.connection, lambda: self._done(part)) > 0

    def _done(self, part: str) -> int:
        question = text(f"SELECT done FROM {self.table} WHERE part = :part")  # noqa: S608 -- ours, as below
        return self.connection.scalar(question, {"part": part}) or 0

    def _note(self, part: str, done: int) -> None:
        note = f"INSERT INTO {self.table} VALUES (:part, :done) ON CONFLICT (part) DO UPDATE SET done = :done"  # noqa: S608
        self.connection.execute(text(note), {"part": part, "done": done})


@dataclass(frozen=True, slots=True)
class Notes:
    """Triggers that note the ids of what changes, by kinds; `watched` are (table, column, kind)."""

    table: str
    watched: tuple[tuple[str, str, str], ...]

    def create(self, connection: Connection) -> None:
        """Note what changes from now on; a step for each trigger, as each waits for writers."""
        columns = "kind text NOT NULL, id bigint NOT NULL"
        statements = [f"CREATE TABLE IF NOT EXISTS {self.table} ({columns})", _NOTE.format(table=self.table)]
        for name, table, column, kind, event, rows in self._triggers():
            trigger = f"{name} AFTER {event} ON {table} REFERENCING {rows} TABLE AS changed"
            call = f"{self.table}_of_rows('{column}', '{kind}')"
            statements.append(
                f"CREATE OR REPLACE TRIGGER {trigger} FOR EACH STATEMENT EXECUTE FUNCTION {call}"
            )
        for statement in statements:
            step(connection, partial(connection.execute, text(statement)))

    def drop(self, connection: Connection) -> None:
        """Note no more."""
        for name, table, *_ in self._triggers():
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name} ON {table}"))
        connection.execute(text(f"DROP FUNCTION {self.table}_of_rows()"))
        connection.execute(text(f"DROP TABLE {self.table}"))

    def _triggers(self) -> Iterator[tuple[str, ...]]:
        for table, column, kind in self.watched:
            for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD"), ("UPDATE", "OLD"), ("UPDATE", "NEW")):
                yield f"{self.table}_{column}_{event}_{rows}".lower(), table, column, kind, event, rows

    def rounds(self, connection: Connection, again: Callable[[Ids], None]) -> bool:
        """Do again what was noted, in steps, until hardly anything is; False where it is noted as fast."""
        rounds = range(_ROUNDS)
        return any(step(connection, lambda: self._some(connection, again)) < _NOTES_AT_ONCE for _ in rounds)

    def rest(self, connection: Connection, again: Callable[[Ids], None]) -> None:
        """The same in the transaction of the migration: all of it."""
        connection.execute(text("SET LOCAL spackmon.ahead = 'on'"))
        while self._some(connection, again):
            pass

    def _some(self, connection: Connection, again: Callable[[Ids], None]) -> int:
        # First the notes: who changes the same from now on leaves others.
        some = f"SELECT ctid FROM {self.table} LIMIT {_NOTES_AT_ONCE}"  # noqa: S608 -- ours
        take = f"DELETE FROM {self.table} WHERE ctid IN ({some}) RETURNING kind, id"  # noqa: S608 -- ours
        taken = connection.execute(text(take)).all()
        ids: Ids = defaultdict(set)
        for kind, number in taken:
            ids[kind].add(number)
        if taken:
            again(ids)
        return len(taken)
