"""The database a command works on: the one the settings name, at this program's revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from spackmon.cli.console import complain
from spackmon.database import Database, Unprepared
from spackmon.database.outcome import Outcome, classify
from spackmon.errors import Code, Refused
from spackmon.ops import revisions
from spackmon.ops.beginning import follow
from spackmon.settings import Settings, load_settings


@contextmanager
def open_database(settings: Settings | None = None) -> Iterator[Database]:
    """The database of `settings`, or of this process's settings, closed at the end.

    Raises Refused when the settings are wrong or the database is not at this program's revision.
    """
    settings = settings or load_settings()
    follow(settings)
    database = Database(settings.session_url)
    try:
        ensure_migrated(database)
        yield database
    finally:
        database.close()


def ensure_migrated(database: Database) -> None:
    """Bring an embedded database up to date; a site's PostgreSQL is migrated when its people say so.

    Raises Refused when the latter is not at this program's revision.
    """
    try:
        # A check only reads: a command need not wait for a running server's writes.
        revisions.prepare(database.url.render_as_string(hide_password=False))
    except Unprepared as unprepared:
        raise Refused(Code.DATABASE_UNPREPARED, str(unprepared)) from None


def check_settings_database(settings: Settings, *, is_quiet: bool = False) -> None:
    """Bring the database of a service that starts up to date, if it answers.

    Raises Refused when somebody has to do something first. An outage is no such thing: writes are held
    through it, and a service that did not start would lose them. It is said on the screen, unless `is_quiet`.
    """
    database = Database(settings.session_url)
    try:
        ensure_migrated(database)
        if not is_quiet and revisions.has_old_tables(database):
            complain(
                "the old server's tables in this database stay as they are: "
                "`spackmon import-old` stores their rows"
            )
    except DBAPIError as error:
        trouble = classify(error)
        if trouble.outcome is Outcome.BROKEN:
            raise
        if not is_quiet:
            # The driver tells an outage from a wrong password only in its text; whoever sees it can read.
            reason = str(error.orig).strip().splitlines()[0]
            complain(f"the database (DATABASE_URL) cannot be used yet, writes will wait for it: {reason}")
    finally:
        database.close()
