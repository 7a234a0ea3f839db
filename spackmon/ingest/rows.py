"""Statements over rows that are parameters: one statement a table, whatever the number of rows.

    HASHES = over_rows("value text, spec_id bigint", "INSERT INTO … SELECT i.value … FROM {input} i …")

PostgreSQL takes the rows as one array a column, so that the statement's text never changes and stays
prepared; SQLite as one JSON text. Both are one round trip and one plan. A row by itself, as most reports
bring, is parameters of its own in PostgreSQL: thirty arrays of one value cost it twice what the statement
does. Rows that are only inserted are SQLite's own VALUES (`insert_rows`), which cost it half.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

from sqlalchemy import Connection, Dialect

from spackmon.errors import Code, Refused
from spackmon.ingest.direct import Direct, execute_many
from spackmon.models.columns import UtcDateTime

Row = Any
"""A named tuple of what a statement selects or returns; SQL says which columns it has."""
Kind = Literal["text", "bytea", "boolean", "integer", "bigint", "double precision", "timestamptz"]
LARGEST_ROW_ID = 2**63 - 1
_TRIES = 5
_ROWS_OF_AN_INSERT = 128
_MOMENT = re.compile(r"(?<!:):(now|\w+_at)\b")
_OF_ROW = re.compile(r"\bi\.(\w+)")
_BOUNDS = {"integer": 2**31, "bigint": 2**63}
_UTC = UtcDateTime()


class RowStatement:
    """A statement with `{input}` where the rows stand; see `over_rows`."""

    def __init__(
        self, columns: Sequence[tuple[str, Kind]], statement: str, lock: str, moments: Sequence[str]
    ) -> None:
        self._columns = columns
        self._checked = [(place, name, _BOUNDS[kind]) for place, (name, kind) in enumerate(columns)
                         if kind in _BOUNDS]  # fmt: skip
        self._has_bytes = any(kind == "bytea" for _, kind in columns)
        self._moments = [place for place, (_, kind) in enumerate(columns) if kind == "timestamptz"]
        self._arrays = _with_moments(statement.format(input=self._unnested(), lock=lock), moments)
        self._scalars = _with_moments(statement.format(input=self._of_one(), lock=lock), moments)
        self._json = _with_moments(statement.format(input=self._extracted(), lock=""), moments)

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]], **scalars: Any) -> Sequence[Row]:
        """Execute over `rows`; what RETURNING or SELECT gives, or nothing. No rows, no statement.

        Raises Refused for a number that the column cannot hold.
        """
        if not rows:
            return ()
        self._check(rows)
        if self._moments:
            rows = [self._with_texts(row, connection.dialect) for row in rows]
        if connection.dialect.name == "sqlite":
            return self._json.run(connection, {"input_rows": self._as_json(rows), **scalars})
        kinds = [kind for _, kind in self._columns]
        if len(rows) == 1:
            written = map(_scalar, kinds, rows[0])
            statement = self._scalars
        else:
            written = map(_array, kinds, zip(*rows, strict=True))
            statement = self._arrays
        given = {f"input_{place}": value for place, value in enumerate(written)}
        return statement.run(connection, {**given, **scalars})

    def _of_one(self) -> str:
        # PostgreSQL may not see the values: it would plan for each report anew where a plan for one of them
        # looks cheaper than one for all.
        values = ", ".join(
            f"(SELECT CAST(:input_{place} AS {kind})) AS {name}"
            for place, (name, kind) in enumerate(self._columns)
        )
        return f"(SELECT {values})"

    def _unnested(self) -> str:
        # Nor how long an array is: it takes ten rows where it does not know, and plans for fewer are cheaper.
        arrays = ", ".join(
            f"(SELECT CAST(:input_{place} AS {kind}[]))" for place, (_, kind) in enumerate(self._columns)
        )
        names = ", ".join(name for name, _ in self._columns)
        return f"(SELECT * FROM unnest({arrays}) AS r({names}))"  # noqa: S608 -- of our own constants

    def _extracted(self) -> str:
        values = []
        for place, (name, kind) in enumerate(self._columns):
            value = f"json_extract(value, '$[{place}]')"
            values.append(f"{f'unhex({value})' if kind == 'bytea' else value} AS {name}")
        # Without the limit each column would write the row's JSON out again, and parse it.
        rows = "SELECT value FROM json_each(:input_rows) LIMIT -1"
        return f"(SELECT {', '.join(values)} FROM ({rows}))"  # noqa: S608 -- as above

    def _check(self, rows: Sequence[Sequence[Any]]) -> None:
        for place, name, bound in self._checked:
            values = [row[place] for row in rows]
            if None in values:
                values = [value for value in values if value is not None]
            if values and not (-bound <= min(values) and max(values) < bound):
                largest = max(values, key=abs)
                raise Refused(Code.VALUE_REFUSED, f"{name} is {largest}: expected less than {bound}")

    def _with_texts(self, row: Sequence[Any], dialect: Dialect) -> Sequence[Any]:
        """A row whose moments are texts, as the database reads them."""
        written = list(row)
        for place in self._moments:
            if row[place] is not None:
                written[place] = str(_UTC.process_bind_param(row[place], dialect))
        return written

    def _as_json(self, rows: Sequence[Sequence[Any]]) -> str:
        if self._has_bytes:
            rows = [[v.hex() if isinstance(v, bytes) else v for v in row] for row in rows]
        # SQLite's JSON functions would end a string at its NUL; PostgreSQL refuses it too.
        document = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        if "\\u0000" in document and any(isinstance(v, str) and "\0" in v for row in rows for v in row):
            raise _nul_refused()
        return document


class RowInsert(RowStatement):
    """An insert of rows that need nothing of other tables; see `insert_rows`."""

    def __init__(
        self, columns: Sequence[tuple[str, Kind]], table: str, values: Mapping[str, str], ending: str
    ) -> None:
        into = f"INSERT INTO {table} ({', '.join(values)})"
        selected = f"{into} SELECT {', '.join(values.values())} FROM {{input}} i {ending}"  # noqa: S608 -- as above
        super().__init__(columns, selected, "", ())
        self._texts = [place for place, (_, kind) in enumerate(columns) if kind == "text"]
        self._one, self._many = (
            f"{into} VALUES {', '.join(self._numbered(values, row) for row in range(rows))} {ending}"
            for rows in (1, _ROWS_OF_AN_INSERT)
        )

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]], **scalars: Any) -> Sequence[Row]:
        """Execute over `rows`; it takes no scalars and gives nothing. Raises Refused as RowStatement's."""
        if connection.dialect.name != "sqlite":
            return super().run(connection, rows, **scalars)
        self._check(rows)
        if any("\0" in "".join([row[place] or "" for row in rows]) for place in self._texts):
            raise _nul_refused()
        rest = len(rows) - len(rows) % _ROWS_OF_AN_INSERT
        for start in range(0, rest, _ROWS_OF_AN_INSERT):
            some = rows[start : start + _ROWS_OF_AN_INSERT]
            execute_many(connection, self._many, [tuple(chain.from_iterable(some))])
        if rest < len(rows):
            execute_many(connection, self._one, [tuple(row) for row in rows[rest:]])
        return ()

    def _numbered(self, values: Mapping[str, str], row: int) -> str:
        first = row * len(self._columns) + 1
        numbers = {name: f"?{first + place}" for place, (name, _) in enumerate(self._columns)}
        named = ", ".join(values.values())
        return f"({_OF_ROW.sub(lambda found: numbers[found[1]], named)})"


def _nul_refused() -> Refused:
    return Refused(Code.VALUE_REFUSED, "a text holds a NUL character, which the database cannot")


def _scalar(kind: Kind, value: Any) -> str | None:
    """PostgreSQL's text form; of numbers too, as psycopg prepares a statement for each size of number."""
    match kind:
        case _ if value is None:
            return None
        case "text" | "timestamptz":
            return str(value)
        case "bytea":
            return rf"\x{value.hex()}"
        case _:
            return repr(value)


def _array(kind: Kind, values: Iterable[Any]) -> str:
    """PostgreSQL's text form of an array.

    psycopg's own runs a regular expression over every quotation mark, of which spec documents are full:
    it took more of an ingest's time than any statement (benchmarks/ingest.py).
    """
    match kind:
        case "text":
            elements = (f'"{_escaped(value)}"' if value is not None else "NULL" for value in values)
        case "bytea":
            elements = (rf'"\\x{value.hex()}"' if value is not None else "NULL" for value in values)
        case "timestamptz":
            elements = (f'"{value}"' if value is not None else "NULL" for value in values)
        case _:
            elements = (repr(value) if value is not None else "NULL" for value in values)
    return f"{{{','.join(elements)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def over_rows(columns: str, statement: str, lock: str = "", moments: Sequence[str] = ()) -> RowStatement:
    """A statement whose `{input}` has `columns`, written as `name type, name type`.

    `{lock}` and `moments` as Statement's.

    Other parameters are named with a colon; those called `now` or `…_at` are moments. The SQL is read by both
    databases: `ON CONFLICT` after a SELECT needs a WHERE in SQLite.
    """
    return RowStatement(_parsed(columns), statement, lock, moments)


def insert_rows(
    table: str, columns: str, values: Mapping[str, str] | None = None, *, ending: str = ""
) -> RowInsert:
    """Insert rows of `columns`, written as `over_rows` takes them, none of which may be there.

    `values` are the table's columns where they are not these, each with what is written there of a row `i`;
    `ending` is what may follow, as ON CONFLICT.
    """
    parsed = _parsed(columns)
    return RowInsert(parsed, table, values or {name: f"i.{name}" for name, _ in parsed}, ending)


def _parsed(columns: str) -> list[tuple[str, Any]]:
    pairs = (column.strip().partition(" ") for column in columns.split(","))
    return [(name, kind) for name, _, kind in pairs]


def insert_missing(table: str, columns: str, key: Sequence[str], *, returning: str = "") -> RowStatement:
    """Insert those rows of `columns`, written as `over_rows` takes them, whose `key` nobody has yet.

    They are written in the order of the key, so that two writers do not wait for each other. What `returning`
    names is given of the rows that are new.
    """
    names = [column.split()[0] for column in columns.split(",")]
    # The anti-join is not for correctness (ON CONFLICT is): a conflict burns a row number and a dead row.
    same = " AND ".join(f"t.{name} = i.{name}" for name in key)
    return over_rows(
        columns,
        f"""
        INSERT INTO {table} ({", ".join(names)})
        SELECT {", ".join(f"i.{name}" for name in names)} FROM {{input}} i
        WHERE NOT EXISTS (SELECT 1 FROM {table} t WHERE {same})
        ORDER BY {", ".join(f"i.{name}" for name in key)}
        ON CONFLICT DO NOTHING
        {f"RETURNING {returning}" if returning else ""}
        """,  # noqa: S608 -- of our own constants
    )


class Statement:
    """A statement without rows, whose `{lock}` is how PostgreSQL keeps a row; SQLite has one writer.

    `moments` are the columns that it selects moments in.
    """

    def __init__(self, statement: str, lock: str = "", moments: Sequence[str] = ()) -> None:
        self._postgresql = _with_moments(statement.format(lock=lock), moments)
        self._sqlite = _with_moments(statement.format(lock=""), moments)

    def run(self, connection: Connection, **parameters: Any) -> Sequence[Row]:
        """Execute; the rows it gives, or none."""
        return self._for(connection).run(connection, parameters)

    def run_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute for each of some rows of parameters, all sent at once; it gives nothing."""
        if rows:
            self._for(connection).run_each(connection, rows)

    def _for(self, connection: Connection) -> Direct:
        return self._sqlite if connection.dialect.name == "sqlite" else self._postgresql


def get_or_create(find: Callable[[], Sequence[Row]], insert: Callable[[], Sequence[Row]]) -> tuple[int, bool]:
    """The id of a row that many share, and whether it is new.

    `insert` gives nothing where somebody else was faster, for whose commit it waits; and a third may delete
    that row before `find` sees it, as long as nobody refers to it. Raises RuntimeError where the row can
    neither be read nor be inserted again and again, which is no race.
    """
    for _ in range(_TRIES):
        if rows := find():
            return rows[0].id, False
        if rows := insert():
            return rows[0].id, True
    raise RuntimeError("a shared row can neither be read nor be inserted")


def _with_moments(statement: str, selected: Sequence[str]) -> Direct:
    return Direct(statement, sorted(set(_MOMENT.findall(statement))), selected)
