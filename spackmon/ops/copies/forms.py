"""The form of a table and of its rows, which both databases read and write: a JSON list of values a line.

A moment is ISO 8601 in UTC with microseconds, bytes are base64. What a build contains has a row for each
place, as SQLite has it: PostgreSQL seals it again. So has the closure for each pair: PostgreSQL makes lists.
And a spec's own hash has one: PostgreSQL stores it with the spec alone.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Boolean, Connection, Float, Integer, LargeBinary

from spackmon.ingest.tables.closure_pairs import insert_pairs, pair_of
from spackmon.ingest.tables.spec_hashes import add_hashes
from spackmon.models import Base
from spackmon.models.columns import UtcDateTime

Kind = Literal["text", "integer", "float", "boolean", "moment", "bytes"]
Row = list[Any]

_SEALED_TABLE = "build_content"
_ROWS_OF_VIEW_AT_ONCE = 100_000
_ROWS_AT_ONCE = 500
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Form:
    """A table with its columns, each with its kind; `sequence` is the column that the database numbers."""

    name: str
    columns: tuple[tuple[str, Kind], ...]
    sequence: str | None

    @property
    def names(self) -> str:
        """The columns as SQL lists them."""
        return ", ".join(f'"{name}"' for name, _ in self.columns)


class Content:
    """How many rows a table has, and a digest that does not depend on their order."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, line: bytes) -> None:
        """Count a row."""
        self.rows += 1
        digest = hashlib.blake2b(line, digest_size=_DIGEST_BYTES).digest()
        self._sum = (self._sum + int.from_bytes(digest)) % (1 << 8 * _DIGEST_BYTES)

    @property
    def digest(self) -> str:
        """In hexadecimal."""
        return f"{self._sum:032x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and (self.rows, self._sum) == (other.rows, other._sum)

    def __hash__(self) -> int:
        return hash((self.rows, self._sum))


def forms() -> list[Form]:
    """The tables of this program's revision; each stands behind those that it refers to."""
    return [
        Form(
            table.name,
            tuple(
                (column.name, _kind(column.type))
                for column in table.columns
                if (table.name, column.name) != (_SEALED_TABLE, "places")
            ),
            _sequence(table),
        )
        for table in Base.metadata.sorted_tables
    ]


def _kind(type_: Any) -> Kind:
    kinds: tuple[tuple[Any, Kind], ...] = (
        (UtcDateTime, "moment"), (LargeBinary, "bytes"), (Boolean, "boolean"), (Integer, "integer"),
        (Float, "float"),
    )  # fmt: skip
    return next((kind for of, kind in kinds if isinstance(type_, of)), "text")


def _sequence(table: Any) -> str | None:
    column = table.autoincrement_column
    return None if column is None or column.foreign_keys else str(column.name)


def lines_of(connection: Connection, form: Form) -> Iterator[bytes]:
    """The rows of a table, a line each, in no order; read as they are wanted."""
    statement = f'SELECT {form.names} FROM "{form.name}"'  # noqa: S608 -- of our own constants
    if form.name == _SEALED_TABLE and connection.dialect.name != "sqlite":
        statement = _unsealed(form)
    options = {"stream_results": True, "yield_per": _ROWS_AT_ONCE}
    written = [_WRITTEN.get(kind) for _, kind in form.columns]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    for row in connection.execution_options(**options).exec_driver_sql(statement):
        values = [
            value if write is None or value is None else write(value)
            for write, value in zip(written, row, strict=True)
        ]
        yield encode(values).encode("utf-8", "surrogatepass")


def _unsealed(form: Form) -> str:
    columns = ", ".join("p.place" if name == "place" else f'c."{name}"' for name, _ in form.columns)
    return (
        f"SELECT {columns} FROM {_SEALED_TABLE} c"  # noqa: S608 -- as above
        " CROSS JOIN LATERAL unnest(COALESCE(c.places, ARRAY[c.place])) AS p(place)"
    )


def content_of(connection: Connection, form: Form) -> Content:
    """What a table has."""
    content = Content()
    for line in lines_of(connection, form):
        content.add(line)
    return content


def is_empty(connection: Connection, form: Form) -> bool:
    """Whether no rows were written into a table."""
    stored = _VIEWS[form.name][0] if _is_view(connection, form) else form.name
    any_row = f'SELECT 1 FROM "{stored}" LIMIT 1'  # noqa: S608 -- of our own constants
    return connection.exec_driver_sql(any_row).first() is None


def write_lines(connection: Connection, form: Form, lines: Iterable[bytes]) -> Content:
    """Insert rows into a table that has none; what they are. Raises what the database raises."""
    content = Content()
    rows = _rows(lines, content)
    if connection.dialect.name == "sqlite":
        _insert(connection, form, rows)
    elif _is_view(connection, form):
        _append(connection, form, rows)
    else:
        _copy(connection, form, rows)
    return content


def _rows(lines: Iterable[bytes], content: Content) -> Iterator[Row]:
    for line in lines:
        content.add(line)
        yield json.loads(line)


def _insert(connection: Connection, form: Form, rows: Iterable[Row]) -> None:
    places = ", ".join("?" for _ in form.columns)
    statement = f'INSERT INTO "{form.name}" ({form.names}) VALUES ({places})'  # noqa: S608 -- as above
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    cursor: Any = connection.connection.cursor()
    cursor.executemany(statement, _read(form, rows))


def _copy(connection: Connection, form: Form, rows: Iterable[Row]) -> None:
    is_sealed = form.name == _SEALED_TABLE
    place = [name for name, _ in form.columns].index("place") if is_sealed else 0
    names = f"{form.names}, places" if is_sealed else form.names
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f'COPY "{form.name}" ({names}) FROM STDIN') as copy:
        for row in _read(form, rows):
            copy.write_row([*row, [row[place]]] if is_sealed else row)


def _is_view(connection: Connection, form: Form) -> bool:
    if form.name not in _VIEWS or connection.dialect.name == "sqlite":
        return False
    # A backup of before revisions 0062 and 0074 has the tables of that time.
    is_view = f"SELECT relkind = 'v' FROM pg_class WHERE oid = '{form.name}'::regclass"  # noqa: S608 -- as above
    return bool(connection.exec_driver_sql(is_view).scalar_one())


def _append(connection: Connection, form: Form, rows: Iterator[Row]) -> None:
    names, append = [name for name, _ in form.columns], _VIEWS[form.name][1]
    while some := [dict(zip(names, row, strict=True)) for row in islice(rows, _ROWS_OF_VIEW_AT_ONCE)]:
        append(connection, some)


def _append_pairs(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    insert_pairs(connection, map(pair_of, rows))


def _append_hashes(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    add_hashes(connection, ((row["value"], row["kind"], row["spec_id"]) for row in rows))


# What PostgreSQL stores otherwise than it shows: a table that has rows if any were written, and how they are.
_VIEWS: Mapping[str, tuple[str, Callable[[Connection, Iterable[Mapping[str, Any]]], None]]] = {
    "closure": ("descendant_list", _append_pairs),
    "spec_hash": ("spec_other_hash", _append_hashes),
}


def _read(form: Form, rows: Iterable[Row]) -> Iterator[Sequence[Any]]:
    of_bytes = [place for place, (_, kind) in enumerate(form.columns) if kind == "bytes"]
    for row in rows:
        for place in of_bytes:
            if row[place] is not None:
                row[place] = base64.b64decode(row[place])
        yield row


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return str(value)


_WRITTEN: dict[Kind, Any] = {
    "moment": _moment,
    "bytes": lambda value: base64.b64encode(value).decode(),
    "boolean": bool,
    "float": float,
}


def last_numbers(connection: Connection, tables: Iterable[Form]) -> dict[str, int]:
    """The last number that each table gave: no row gets one again that somebody may have noted."""
    last = {}
    for form in tables:
        if form.sequence is None:
            continue
        top = f'SELECT COALESCE(max("{form.sequence}"), 0) FROM "{form.name}"'  # noqa: S608 -- as above
        last[form.name] = int(connection.exec_driver_sql(top).scalar_one())
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
        given = {row.name: row.seq for row in rows}
    else:
        statement = (
            "SELECT sequencename, COALESCE(last_value, 0) FROM pg_sequences"
            " WHERE schemaname = current_schema()"
        )
        rows = connection.exec_driver_sql(statement).all()
        given = {name.removesuffix("_id_seq"): value for name, value in rows}
    return {name: max(top, given.get(name, 0)) for name, top in last.items()}


def set_last_numbers(connection: Connection, tables: Iterable[Form], last: dict[str, int]) -> None:
    """Let tables go on counting where others were."""
    for form in tables:
        number = last.get(form.name, 0)
        if form.sequence is None or number == 0:
            continue
        if connection.dialect.name == "sqlite":
            statement = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?"
            connection.exec_driver_sql(statement, (number, form.name))
        else:
            sequence = f"pg_get_serial_sequence('\"{form.name}\"', '{form.sequence}')"
            connection.exec_driver_sql(f"SELECT setval({sequence}, {number}) WHERE {sequence} IS NOT NULL")
