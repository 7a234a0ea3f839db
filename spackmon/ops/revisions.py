"""Which revision of the schema a database is at, and which this program needs.

What brings one to the other (`migrations`) is imported where there is something to bring: it takes a tenth of
a start.
"""

from functools import cache
from pathlib import Path

import structlog
from sqlalchemy import Connection, inspect, text

from spackmon.database import Database, Unprepared
from spackmon.errors import Code, Refused

log = structlog.get_logger()

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "migrations"
# A checkout has them beside the package.
SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "alembic"


@cache
def known_revisions(scripts: Path = SCRIPTS) -> tuple[str, ...]:
    """The revisions that this program knows, the newest last; each file's name begins with its revision."""
    return tuple(sorted(one.name.partition("_")[0] for one in (scripts / "versions").glob("[0-9]*.py")))


def current_revision(connection: Connection) -> str | None:
    """The database's; None where it has none of our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def check(database: Database) -> Refused | None:
    """None when the schema is at the newest revision, otherwise what to say about it."""
    return database.read_once(check_revision)


def check_revision(connection: Connection) -> Refused | None:
    """`check` in a transaction."""
    known = known_revisions()
    current = current_revision(connection)
    if current == known[-1]:
        return None
    return too_new(current, known) or Refused(
        Code.DATABASE_NOT_MIGRATED,
        f"the database is at revision {current or 'none'} and this program needs {known[-1]}: "
        "run `spackmon db upgrade`",
    )


def too_new(current: str | None, known: tuple[str, ...]) -> Refused | None:
    """What to say when a newer program has migrated the database; alembic would end in a traceback."""
    if current is None or current in known:
        return None
    return Refused(
        Code.DATABASE_TOO_NEW,
        f"the database is at revision {current}, which this program does not know: update spackmon",
    )


def has_old_tables(database: Database) -> bool:
    """Whether the old server's tables stand in the database, beside ours or alone."""
    return database.read_once(lambda connection: inspect(connection).has_table("main_buildenvironment"))


def prepare(url: str) -> None:
    """Bring an embedded database to the newest revision; a site's PostgreSQL waits for its people.

    Raises Unprepared where somebody has to do something first, and what the database raises.
    """
    database = Database(url)
    try:
        refused = check(database)
        if has_old_tables(database):
            log.warning("the old server's tables stay as they are: `spackmon import-old` stores their rows")
    finally:
        database.close()
    if refused is None:
        return
    if not database.is_sqlite or refused.code == Code.DATABASE_TOO_NEW:
        raise Unprepared(refused.sentence)
    from spackmon.ops.migrations import upgrade

    upgrade(url)
