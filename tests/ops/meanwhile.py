"""An upgrade while services write, as migrations that work ahead are tried."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.ops.migrations import upgrade

MOMENT = "2024-01-01T00:00:00.000000Z"


def run(database: Database, *statements: str, each: list[dict[str, Any]] | None = None) -> None:
    """Execute statements as services do, each for itself; `:t` is MOMENT. One with values for `each`."""
    for statement in statements:
        given = each or ({"t": MOMENT} if ":t" in statement else {})
        database.write_once(partial(_execute, statement, given))


def upgrade_meanwhile(
    database: Database, url: str, *, interrupted: str, copied: str, change: Callable[[], None]
) -> None:
    """Upgrade; `change` is what services write when the progress is `copied`: all tables have been copied.

    The first time it is interrupted where the progress begins with `interrupted`. SQLite has no progress:
    there services write before.
    """

    def interrupt(progress: str) -> None:
        if progress.startswith(interrupted):
            raise InterruptedError

    def tell(progress: str) -> None:
        if progress == copied:
            change()

    if database.is_sqlite:
        change()
    else:
        with pytest.raises(InterruptedError):
            upgrade(url, tell=interrupt)
    upgrade(url, tell=tell)


def _execute(statement: str, given: Any, connection: Connection) -> None:
    connection.execute(text(statement), given)
