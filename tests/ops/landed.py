"""A database of revision 0002, as the program of then filled it, and what it says.

`tests/data/migrations/revision-0002.json.gz` has the rows of every table of reports: all recorded sessions
and the installs of tests/data, played and imported by several people, some twice, with runs that were
announced, that two sources saw, that nobody ended, and that turned out to be one.
"""

import base64
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, text

from spackmon.database import Database
from spackmon.ops.migrations import SCRIPTS, upgrade

ROWS = Path(__file__).parents[1] / "data" / "migrations" / "revision-0002.json.gz"
HIGHEST_BUILD = 100
"""The last number that was given to a build, which was merged into another."""


def upgrade_to(revision: int, url: str, folder: Path) -> None:
    """Bring a database no further than a revision."""

    def later(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name[:4].isdigit() and int(name[:4]) > revision]

    shutil.copytree(SCRIPTS, folder, ignore=later)
    upgrade(url, folder)


def fill(database: Database) -> None:
    """Write the rows, into tables that are there and empty."""
    with gzip.open(ROWS, "rt") as file:
        tables: dict[str, list[list[Any]]] = json.load(file)
    with database.engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            names, *rows = tables.get(table.name, [[]])
            if rows:
                values = [dict(zip(names, map(_value, row), strict=True)) for row in rows]
                connection.execute(table.insert(), values)
        connection.execute(
            text(f"UPDATE sqlite_sequence SET seq = {HIGHEST_BUILD} WHERE name = 'build'")
            if database.is_sqlite
            else text(f"SELECT setval('build_id_seq', {HIGHEST_BUILD})")
        )


def _value(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
