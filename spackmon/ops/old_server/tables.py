"""Statements over the old server's tables, which may be of any of its migrations.

All of a reading is one transaction: the old server may go on writing. Rows come some at a time by their ids,
so that no memory is needed for a large table.
"""

import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from psycopg.rows import namedtuple_row
from sqlalchemy import Connection, Engine, Row, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from spackmon.errors import Code, Refused

Kind = Literal["plain", "text", "bytes"]

_ROWS_AT_ONCE = 500
# SQLite takes 32,766 parameters of a statement; older ones 999.
_IDS_AT_ONCE = 500
# What stands for a table that is not there where a statement asks for it.
_NO_ROW = "SELECT 0 AS id, 0 AS build_id, '' AS app_label, '' AS model WHERE 1 = 0"
_COLUMN = re.compile(r"\bt\.(\w+)")
_TABLE = re.compile(r"\b(?:main|taggit|users|django)_\w+")
_SQLITE_HEAD = b"SQLite format 3\0"


@contextmanager
def opened(place: str) -> Iterator["OldTables"]:
    """The old server's tables at the path of an SQLite file, or the address of a database; only read.

    Raises Refused OLD_DATABASE_UNREADABLE.
    """
    engine = _engine(place)
    try:
        with engine.connect() as connection:
            _begin(connection)
            tables = OldTables(connection)
            if not (tables.has("main_spec") and tables.has("main_build")):
                raise _unreadable(place, "it has no tables main_spec and main_build")
            yield tables
    except DBAPIError as error:
        raise _unreadable(place, str(error.orig).strip().splitlines()[0]) from error
    finally:
        engine.dispose()


def _engine(place: str) -> Engine:
    if "://" not in place:
        return _sqlite_engine(place, Path(place))
    try:
        url = make_url(place)
    except ArgumentError:
        raise _unreadable("the address", "expected sqlite:///PATH or postgresql://…") from None
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url.database or "", Path(url.database or ""))
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"):
        raise _unreadable(url.drivername, "expected sqlite:///PATH or postgresql://…")
    return create_engine(url.set(drivername="postgresql+psycopg"), poolclass=NullPool)


def _sqlite_engine(place: str, path: Path) -> Engine:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_HEAD))
    except OSError as error:
        raise _unreadable(place, error.strerror or "it cannot be read") from None
    if head != _SQLITE_HEAD:
        raise _unreadable(place, "it is no SQLite database")

    def connect() -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        connection = _connected(address)
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:
            # Where nobody may write beside the file, SQLite cannot lock it: then nobody writes to it either.
            connection.close()
            connection = _connected(f"{address}&immutable=1")
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _connected(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
    # What is no UTF-8 is shown as such, and does not end the import.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


def _unreadable(place: str, reason: str) -> Refused:
    return Refused(Code.OLD_DATABASE_UNREADABLE, f"{place} is no database of the old server: {reason}")


class OldTables:
    """The tables that there are; a column or table that an older server had not is null, or empty."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._inspector = inspect(connection)
        self._columns: dict[str, frozenset[str]] = {}

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self._inspector.get_table_names())

    def has(self, table: str) -> bool:
        """Whether there is such a table."""
        return table in self._names

    def count(self, table: str, condition: str = "1 = 1") -> int:
        """How many rows of a table, `t`, fulfil a condition, which may ask for others by their names."""
        if not self.has(table):
            return 0
        there = self.columns_of(table)
        asked = _COLUMN.sub(lambda found: found[0] if found[1] in there else "NULL", condition)
        missing = sorted({name for name in _TABLE.findall(asked) if not self.has(name)})
        empty = ", ".join(f"{name} AS ({_NO_ROW})" for name in missing)
        with_empty = f"WITH {empty} " if empty else ""
        statement = f"{with_empty}SELECT count(*) FROM {table} t WHERE {asked}"  # noqa: S608 -- of our own constants
        return int(self._connection.execute(text(statement)).scalar_one())

    def shared(self, table: str, column: str) -> frozenset[Any]:
        """The values that several rows of a table have in a column."""
        if not self.has(table) or column not in self.columns_of(table):
            return frozenset()
        rows = self._connection.exec_driver_sql(
            f"SELECT {column} FROM {table} GROUP BY {column} HAVING count(*) > 1"  # noqa: S608 -- as above
        )
        return frozenset(rows.scalars())

    def batches(self, table: str, columns: str) -> Iterator[Sequence[Row[Any]]]:
        """All rows of a table with an `id`, some at a time, in the order of their ids.

        `columns` are names, each with its kind if that is not plain: `name, output bytes`.
        """
        last = None
        while self.has(table):
            # A first id may be anything.
            after = "" if last is None else f"WHERE t.id > {last}"
            rows = self._run(table, columns, f"{after} ORDER BY t.id LIMIT {_ROWS_AT_ONCE}")
            if not rows:
                return
            yield rows
            last = int(rows[-1].id)

    def of(
        self, table: str, columns: str, key: str, ids: Iterable[int | None], order: str = "id"
    ) -> dict[int, list[Row[Any]]]:
        """The rows of a table whose column `key` is one of `ids`, by that, in the order of a column."""
        found: dict[int, list[Row[Any]]] = defaultdict(list)
        wanted = sorted({int(one) for one in ids if one is not None})
        if not self.has(table) or key not in self.columns_of(table):
            return found
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            listed = ", ".join(map(str, wanted[start : start + _IDS_AT_ONCE]))
            rows = self._run(table, columns, f'WHERE t."{key}" IN ({listed}) ORDER BY t.{order}', key)
            for row in rows:
                found[row.of_id].append(row)
        return found

    def columns_of(self, table: str) -> frozenset[str]:
        """The columns of a table."""
        if table not in self._columns:
            self._columns[table] = frozenset(c["name"] for c in self._inspector.get_columns(table))
        return self._columns[table]

    def _run(self, table: str, columns: str, rest: str, key: str = "") -> Sequence[Any]:
        there = self.columns_of(table)
        selected = [f't."{key}" AS of_id'] if key else []
        for column in columns.split(","):
            name, _, kind = column.strip().partition(" ")
            selected.append(f'{self._as(name, kind or "plain") if name in there else "NULL"} AS "{name}"')
        statement = f"SELECT {', '.join(selected)} FROM {table} t {rest}"  # noqa: S608 -- of our own constants
        if " bytes" in columns and self._connection.dialect.name != "sqlite":
            return self._run_binary(statement)
        return self._connection.exec_driver_sql(statement.replace("%", "%%")).all()

    def _run_binary(self, statement: str) -> Sequence[Any]:
        """As hexadecimal digits a log would be sent as two of itself."""
        driver: Any = self._connection.connection
        with driver.cursor(binary=True, row_factory=namedtuple_row) as cursor:
            rows: Sequence[Any] = cursor.execute(statement).fetchall()
        return rows

    def _as(self, name: str, kind: str) -> str:
        if kind == "plain":
            return f't."{name}"'
        if kind == "text":
            return f'CAST(t."{name}" AS text)'
        if self._connection.dialect.name == "sqlite":
            return f'CAST(t."{name}" AS blob)'
        return f"convert_to(t.\"{name}\", 'UTF8')"
