"""The schema's history: bringing a database up to it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from spackmon.database import Database
from spackmon.database.outcome import Outcome, classify
from spackmon.database.roles import MIGRATION
from spackmon.errors import Code, Refused
from spackmon.models import Base
from spackmon.ops.ahead import lock
from spackmon.ops.revisions import SCRIPTS, current_revision, known_revisions, too_new

# Any number will do, so long as no other program on the same database takes the same.
_UPGRADE_LOCK = 7_206_613_411
_NEWEST = "head"


def upgrade(
    url: str,
    scripts: Path = SCRIPTS,
    tell: Callable[[str], None] = lambda _: None,
    *,
    revision: str = _NEWEST,
) -> None:
    """Bring the database at `url` to a revision, the newest; nothing happens when it is there already.

    All of it is one transaction, and two servers that start together take turns. What following revisions
    can do before, while services write, is done first, a little at a time; `tell` is given how far that is.
    Rows are looked through for references to what is not there when services write again.
    """
    database = Database(url, role=MIGRATION)
    try:
        if not database.is_sqlite:
            _go_ahead(database, scripts, tell)
        with database.engine.connect() as connection:
            if database.is_sqlite:
                _upgrade_sqlite(connection, scripts, revision)
            else:
                _upgrade_postgresql(connection, scripts, revision)
                _validate(connection)
    except DBAPIError as error:
        trouble = classify(error)
        if trouble.outcome is not Outcome.BUSY:
            raise
        sentence = f"the database cannot be migrated now, {trouble.reason}: stop the services, then try again"
        raise Refused(Code.DATABASE_BUSY, sentence) from error
    finally:
        database.close()


def configuration(scripts: Path = SCRIPTS) -> Config:
    """Alembic's configuration without a file, so that it does not matter where the program was started."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _go_ahead(database: Database, scripts: Path, tell: Callable[[str], None]) -> None:
    """Run what following revisions do `ahead`, in transactions of its own; it may be interrupted.

    A revision with an `ahead` says from which revision on it can be (`ahead_from`).
    """
    with database.engine.connect() as connection:
        with connection.begin():
            current = current_revision(connection)
            later = _later(connection, scripts)
        able = [one for one in later if (current or "") >= getattr(one, "ahead_from", "none")]
        if not able:
            return
        key = {"key": _UPGRADE_LOCK}
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), key)
        connection.execute(text(f"SET lock_timeout = '{MIGRATION.lock_seconds:g}s'"))
        connection.commit()
        try:
            # Whoever had the turn before may have migrated.
            with connection.begin():
                is_waiting = current_revision(connection) == current
            for module in able if is_waiting else ():
                module.ahead(connection, tell)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
            connection.commit()


def _upgrade_postgresql(connection: Connection, scripts: Path, revision: str) -> None:
    with connection.begin():
        # Whoever came first may take as long as the migration does.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION.lock_seconds:g}s'"))
        _lock_all(connection, scripts)
        _run(connection, scripts, revision)


def _lock_all(connection: Connection, scripts: Path) -> None:
    """Lock what following revisions say they change (`locked`) before the first of them changes any.

    Each by itself would hold its own tables while it waits for more, which a report may use that waits for
    the first: then one of the two is undone.
    """
    names = {name for one in _later(connection, scripts) for name in getattr(one, "locked", ())}
    names.intersection_update(inspect(connection).get_table_names())
    # A report, too, begins with what others refer to.
    known = {table.name: place for place, table in enumerate(Base.metadata.sorted_tables)}
    if names:
        lock(connection, sorted(names, key=lambda name: (known.get(name, len(known)), name)), ())


def _later(connection: Connection, scripts: Path) -> list[ModuleType]:
    """The revisions that the database does not have, the first of them first."""
    current = current_revision(connection) or ""
    every = ScriptDirectory(str(scripts)).walk_revisions()
    return [one.module for one in every if one.revision > current][::-1]


def _validate(connection: Connection) -> None:
    """Validate the foreign keys that a revision added without; who was interrupted leaves it to the next."""
    ours = [str(key.name) for table in Base.metadata.tables.values() for key in table.foreign_key_constraints]
    waiting = text(
        "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint"
        " WHERE contype = 'f' AND NOT convalidated AND conname = ANY (:ours)"
        " AND connamespace = current_schema()::regnamespace"
    )
    with connection.begin():
        found = connection.execute(waiting, {"ours": ours}).all()
    for table, key in found:
        with connection.begin():
            connection.execute(text(f"ALTER TABLE {table} VALIDATE CONSTRAINT {key}"))


def _upgrade_sqlite(connection: Connection, scripts: Path, revision: str) -> None:
    # SQLite alters a table by dropping and renaming: references to it must not be followed meanwhile,
    # and the switch works only outside a transaction.
    driver_connection: Any = connection.connection.dbapi_connection
    driver_connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            _run(connection, scripts, revision)
    finally:
        driver_connection.execute("PRAGMA foreign_keys = ON")


def _run(connection: Connection, scripts: Path, revision: str) -> None:
    config = configuration(scripts)
    config.attributes["connection"] = connection
    if refused := too_new(current_revision(connection), known_revisions(scripts)):
        raise refused
    command.upgrade(config, revision)
