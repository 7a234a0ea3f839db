"""Databases of earlier revisions, as the programs of then filled them.

`tests/data/migrations/revision-0002.json.gz` has the rows of every table of reports: all recorded sessions
and the installs of tests/data, played and imported by several people, some twice, with runs that were
announced, that two sources saw, that nobody ended, and that turned out to be one. The others have all that an
SQLite file held: `python -m tests.ops.landed FILE` writes it, of what `make demo` serves, for each release.
"""

import base64
import gzip
import json
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Boolean, Column, MetaData, Table, Text, text

from spackmon.database import Database
from spackmon.ops.migrations import upgrade
from spackmon.ops.revisions import SCRIPTS

_DIRECTORY = Path(__file__).parents[1] / "data" / "migrations"
ROWS = _DIRECTORY / "revision-0002.json.gz"
RELEASES = sorted(set(_DIRECTORY.glob("revision-*.json.gz")) - {ROWS})
HIGHEST_BUILD = 100
"""The last number that was given to a build, which was merged into another."""


def as_before(table: Table) -> Table:
    """A table to insert into as it was before the tags of claims were sets: none has any."""
    former = table.to_metadata(MetaData())
    if table.name == "claim":
        former.append_column(Column("tags", Text, default="[]"))
    return former


def upgrade_to(revision: int, url: str, folder: Path) -> None:
    """Bring a database no further than a revision."""

    def later(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name[:4].isdigit() and int(name[:4]) > revision]

    shutil.copytree(SCRIPTS, folder, ignore=later)
    upgrade(url, folder)


def revision_of(rows: Path) -> int:
    """The revision that a file of rows is of."""
    return int(rows.name.partition("-")[2][:4])


def fill(database: Database, path: Path = ROWS) -> None:
    """Write the rows, into tables that are there and empty."""
    with gzip.open(path, "rt") as file:
        tables: dict[str, list[list[Any]]] = json.load(file)
    with database.engine.begin() as connection:
        # Tables may refer to each other in a circle.
        if database.is_sqlite:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            names, *rows = tables.get(table.name, [[]])
            columns = [table.columns.get(name) for name in names]
            values = [
                {
                    one.name: _value(one, value)
                    for one, value in zip(columns, row, strict=True)
                    if one is not None
                }
                for row in rows
            ]
            if "places" in names and not database.is_sqlite:
                # There each row has the places of its builds, too.
                values = [{**row, "places": [row["place"]]} for row in values]
            if values:
                connection.execute(table.insert(), values)
        connection.execute(
            text(f"UPDATE sqlite_sequence SET seq = {HIGHEST_BUILD} WHERE name = 'build'")
            if database.is_sqlite
            else text(f"SELECT setval('build_id_seq', {HIGHEST_BUILD})")
        )


def _value(column: Column[Any], value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["base64"])
    if isinstance(column.type, Boolean) and value is not None:
        return bool(value)
    return json.loads(value) if isinstance(column.type, JSON) and isinstance(value, str) else value


def _written(file: Path) -> Path:
    """Write the rows of an SQLite file beside the others, and where."""
    with sqlite3.connect(file) as connection:
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
        listed = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        tables = {}
        for (table,) in listed:
            # What finds events by their words follows from these.
            if table.startswith(("sqlite_", "alembic_")) or "_search" in table:
                continue
            names = [name for _, name, *_ in connection.execute(f'PRAGMA table_info("{table}")')]
            quoted = ", ".join(f'"{name}"' for name in names)
            if rows := connection.execute(f'SELECT {quoted} FROM "{table}"').fetchall():
                tables[table] = [names, *([_json(value) for value in row] for row in rows)]
    path = _DIRECTORY / f"revision-{revision}.json.gz"
    path.write_bytes(gzip.compress(json.dumps(tables).encode(), mtime=0))
    return path


def _json(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


if __name__ == "__main__":
    print(_written(Path(sys.argv[1])))
