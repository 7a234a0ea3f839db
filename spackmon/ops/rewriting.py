"""Tables of PostgreSQL that a migration writes anew while services of before read and write them.

All of them are copied beside the old ones with their indexes, what changes meanwhile again, and put in their
place in one transaction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from sqlalchemy import Connection, inspect, text

from spackmon.ops.ahead import Ids, Notes, Progress, lock, outside, step
from spackmon.ops.replacing import Replacing

_ROWS_AT_ONCE, _ROWS_OF_A_STATEMENT = 5_000, 50_000
_KINDS = {
    "int": "integer", "short": "smallint", "long": "bigint", "real": "double precision", "at": "timestamptz",
    "is": "boolean", "text": 'text COLLATE "C"', "json": 'varchar COLLATE "C"',
    "bytes": "bytea",
}  # fmt: skip


def columns(described: str) -> str:
    """Columns as CREATE TABLE takes them, of `kind: name name!; ...`; `!` marks those that have a value."""
    found = []
    for part in described.split(";"):
        kind, _, names = part.strip().partition(": ")
        for name in names.split():
            found.append(f"{name.rstrip('!')} {_KINDS[kind]}{' NOT NULL' * name.endswith('!')}")
    return ", ".join(found)


def ranges(connection: Connection, table: str, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of so many ids, which together are all of a table: above the one and up to the other."""
    greatest = connection.scalar(text(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608 -- our own
    return ((last, last + size) for last in range(0, greatest, size))


@dataclass(frozen=True, slots=True)
class Part:
    """A table that is written anew; `key` is the column by whose ranges that is done, ids of `source`.

    Parts of one `source` are copied again together. `kept` is true of the rows that are copied at all.
    """

    replacing: Replacing
    key: str
    source: str
    kept: str = field(default="true", kw_only=True)

    @property
    def table(self) -> str:
        """Its name."""
        return self.replacing.table

    def copy(self, connection: Connection, which: str, values: Mapping[str, object]) -> None:
        """Copy the rows of which the condition `which` is true."""
        definitions = self.replacing.columns.split(", ")
        names = ["id"] * bool(self.replacing.id_type) + [one.split()[0] for one in definitions]
        copied = ", ".join(self.replacing.values.get(name, name) for name in names)
        source, given = self._source(connection, which, values)
        where = f"({which}) AND {self.kept}"
        rows = f"SELECT {copied} FROM {source} WHERE {where} ORDER BY {self.key}"  # noqa: S608 -- our own
        into = f"{self.replacing.next} ({', '.join(names)})"
        connection.execute(text(f"INSERT INTO {into} {rows}"), {**values, **given})

    def _source(
        self, connection: Connection, which: str, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object]]:
        """What those rows are copied from, and its parameters: the table, joined to what SQL cannot make."""
        return self.table, {}

    def copy_range(self, connection: Connection, last: int, after: int) -> None:
        """Copy the rows whose key is above `last` and up to `after`."""
        self.copy(connection, f"{self.key} > :last AND {self.key} <= :after", {"last": last, "after": after})

    def copy_all(self, connection: Connection) -> None:
        """Copy all rows, so many at a time as memory and a statement's parameters have room for."""
        for last, after in ranges(connection, self.source, _ROWS_OF_A_STATEMENT):
            self.copy_range(connection, last, after)

    def again(self, connection: Connection, ids: Ids) -> None:
        """Copy anew what was noted of its source."""
        among = f"{self.key} = ANY (CAST(:ids AS bigint[]))"
        values = {"ids": sorted(ids[self.source])}
        connection.execute(text(f"DELETE FROM {self.replacing.next} WHERE {among}"), values)  # noqa: S608
        self.copy(connection, among, values)


@dataclass(frozen=True, slots=True)
class Repacked(Part):
    """A table with a column that the program makes: copied as `repacked`, which is null where there is none.

    `repack` gives the ids of rows of which a condition is true, each with that value, of `made_type`.
    """

    repack: Callable[[Connection, str, Mapping[str, object]], Sequence[tuple[int, bytes | int | None]]]
    made_type: Literal["bytea", "integer"] = "bytea"

    def _source(
        self, connection: Connection, which: str, values: Mapping[str, object]
    ) -> tuple[str, Mapping[str, object]]:
        found = self.repack(connection, which, values)
        values_made = f"CAST(:made AS {self.made_type}[])"
        made = f"unnest(CAST(:made_ids AS bigint[]), {values_made}) w(made_id, repacked)"
        given = {"made_ids": [one for one, _ in found], "made": [value for _, value in found]}
        return f"{self.table} LEFT JOIN {made} ON made_id = id", given


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Tables that are written anew together, in the order of their references.

    `name` begins the names of the tables that it needs meanwhile. `altered` are others, which refer to these.
    `watched` are (table, column, part) of others: a change of one is a change of the row of this number.
    """

    name: str
    parts: tuple[Part, ...]
    altered: tuple[str, ...] = ()
    watched: tuple[tuple[str, str, str], ...] = ()

    @property
    def _notes(self) -> Notes:
        own = ((one.table, one.key, one.source) for one in self.parts)
        return Notes(f"{self.name}_note", (*own, *self.watched))

    @property
    def locked(self) -> tuple[str, ...]:
        """The tables that nobody else uses while the new ones are put in their places."""
        replaced = [part.table for part in self.parts]
        referred = {name for part in self.parts for name in part.replacing.references.values()}
        # Whoever drops a table takes all from readers of those that it refers to, too: they first, since
        # a report reads them before it waits for what is replaced.
        others = sorted(referred - {*replaced, *self.altered})
        return (*others, *replaced, *self.altered)

    @property
    def _progress(self) -> str:
        return f"{self.name}_progress"

    def ahead(self, connection: Connection, tell: Callable[[str], None]) -> None:
        """Copy all, and again what changes; it may be interrupted. `tell` is given how far that is."""
        progress = Progress(connection, self._progress, tell)
        step(connection, lambda: self._create(connection, progress))
        self._notes.create(connection)
        for part in self.parts:
            # Of what came since all was copied there are notes, and it may have been copied by them.
            if not progress.is_done(next(iter(part.replacing.indexes))):
                copy = partial(part.copy_range, connection)
                progress.by_ids(part.table, part.source, _ROWS_AT_ONCE, copy)
            for name in part.replacing.indexes:
                tell(f"an index of {part.table}, {name}")
                progress.once(name, partial(part.replacing.index, connection, name))
            outside(connection, f"VACUUM (ANALYZE) {part.replacing.next}")
        tell("what changed meanwhile")
        if not self._notes.rounds(connection, partial(self._again, connection)):
            tell("rows change as fast as they are prepared: the rest follows at once")

    def put(self, connection: Connection) -> None:
        """In the transaction of the migration: put the new tables in the places of the old ones."""
        progress = Progress(connection, self._progress, lambda _: None)
        if inspect(connection).has_table(self._progress):
            lock(connection, self.locked, ())
            self._notes.rest(connection, partial(self._again, connection))
            self._notes.drop(connection)
        else:
            self._create(connection, progress)
            for part in self.parts:
                part.copy_all(connection)
                for name in part.replacing.indexes:
                    part.replacing.index(connection, name)
                connection.execute(text(f"ANALYZE {part.replacing.next}"))
        progress.drop()
        for part in self.parts:
            part.replacing.put(connection)

    def _create(self, connection: Connection, progress: Progress) -> None:
        if inspect(connection).has_table(self.parts[0].replacing.next):
            return
        progress.create()
        for part in self.parts:
            part.replacing.create(connection)

    def _again(self, connection: Connection, ids: Ids) -> None:
        for part in self.parts:
            part.again(connection, ids)
