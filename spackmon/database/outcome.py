"""What an error of a database means for whoever met it: may the same succeed, and when?

One table for both databases and for reads and writes. PostgreSQL's codes are those of its appendix A
(SQLSTATE, of which the longest prefix in the table counts), SQLite's those of its sqlite3.h.
"""

import sqlite3
from dataclasses import dataclass
from enum import Enum

import psycopg
import psycopg_pool
import sqlalchemy.exc


class Outcome(Enum):
    """How it goes on after an error."""

    PASSING = "the database is away, full or cannot be written: held until that has passed"
    BUSY = "others were in the way: the same may succeed in a moment"
    TOO_SLOW = "the statement ran into a limit of time or space: ask for less"
    BROKEN = "the same again fails again"


class Unprepared(Exception):  # noqa: N818 -- a state of the database, not a fault of the program
    """The database answers, and has not the tables that this program needs; the text says what to do."""


class Crowded(Exception):  # noqa: N818 -- as above
    """Nobody of those who use the database gave up their place in time."""


class BeingPrepared(Exception):  # noqa: N818 -- as above
    """Another thread is making the tables."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A classified error; `reason` is a sentence without names of hosts, users or files.

    `is_away`: nothing of the database can be had, neither reads nor writes. `outlives_connection` is false
    where a connection that met it would meet it again after it has passed: SQLite opens a file for
    reading alone when it may not write it, and a PostgreSQL session is read-only from its beginning.
    `lacks_room`: a small write may succeed all the same, and proves nothing. `is_of_others`: what others do
    is the cause, never the work that met it.
    """

    outcome: Outcome
    reason: str
    is_away: bool = False
    outlives_connection: bool = False
    lacks_room: bool = False
    is_of_others: bool = False


AWAY = Trouble(Outcome.PASSING, "the database does not answer", is_away=True)
_FULL = Trouble(Outcome.PASSING, "the disk of the database is full", lacks_room=True)
_DISK_FAILS = Trouble(Outcome.PASSING, "the disk of the database fails", outlives_connection=True)
READ_ONLY = Trouble(Outcome.PASSING, "the database is read-only", outlives_connection=True)
_FORBIDDEN = Trouble(
    Outcome.PASSING, "the database does not let the service's user do this", outlives_connection=True
)
_NO_FILE = Trouble(
    Outcome.PASSING, "the file of the database cannot be opened", is_away=True, outlives_connection=True
)
_DAMAGED = Trouble(Outcome.PASSING, "the file of the database is damaged", outlives_connection=True)
_PREPARING = Trouble(Outcome.BUSY, "the tables of the database are being made", is_of_others=True)
_IN_THE_WAY = Trouble(Outcome.BUSY, "others were writing the same", is_of_others=True)
_TOO_MANY = Trouble(Outcome.BUSY, "too many are using the database at once", is_of_others=True)
_NO_MEMORY = Trouble(Outcome.BUSY, "the database has no memory left")
_STOPPED = Trouble(Outcome.TOO_SLOW, "the statement was stopped")
_TOO_LARGE = Trouble(Outcome.TOO_SLOW, "the statement needs more space than the database allows")
_LEFT_ALONE = Trouble(Outcome.BUSY, "the database ended a transaction that nothing came from")
_BROKEN = Trouble(Outcome.BROKEN, "the database refuses the statement")

_POSTGRESQL = {
    "08": AWAY,  # the connection is gone
    "25006": READ_ONLY,
    "25P03": _LEFT_ALONE,  # idle in a transaction
    "25P04": _STOPPED,  # transaction_timeout
    "40001": _IN_THE_WAY,  # could not serialize
    "40P01": _IN_THE_WAY,  # deadlock
    # The server's own files, too: what it may not write because its disk is mounted read-only.
    "42501": _FORBIDDEN,
    "53": _TOO_MANY,
    "53100": _FULL,
    "53200": _NO_MEMORY,
    "53400": _TOO_LARGE,  # temp_file_limit
    "55P03": _IN_THE_WAY,  # lock not available
    "57014": _STOPPED,
    "57P": AWAY,  # stopping or starting
    "58030": _DISK_FAILS,
}

_SQLITE = {
    sqlite3.SQLITE_BUSY: _IN_THE_WAY,
    sqlite3.SQLITE_LOCKED: _IN_THE_WAY,
    sqlite3.SQLITE_PROTOCOL: _IN_THE_WAY,
    sqlite3.SQLITE_NOMEM: _NO_MEMORY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_INTERRUPT: _STOPPED,
    sqlite3.SQLITE_IOERR: _DISK_FAILS,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_PERM: _NO_FILE,
    sqlite3.SQLITE_CANTOPEN: _NO_FILE,
    # The index of the write-ahead log is the one file that SQLite makes larger before it writes.
    sqlite3.SQLITE_IOERR_SHMSIZE: _FULL,
}
_PRIMARY_CODE = 0xFF


def classify(error: BaseException) -> Trouble:
    """What `error` means; BROKEN where it is none of a database."""
    if isinstance(error, Unprepared):
        return Trouble(Outcome.PASSING, str(error), is_away=True, is_of_others=True)
    if isinstance(error, BeingPrepared):
        return _PREPARING
    if isinstance(error, Crowded | sqlalchemy.exc.TimeoutError):  # the latter is of its pool
        return _TOO_MANY
    if isinstance(error, sqlalchemy.exc.DBAPIError):
        trouble = _BROKEN if error.orig is None else classify(error.orig)
        return AWAY if error.connection_invalidated and trouble is _BROKEN else trouble
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return _BROKEN if code is None else _SQLITE.get(code) or _SQLITE.get(code & _PRIMARY_CODE, _BROKEN)
    if isinstance(error, psycopg_pool.PoolTimeout):
        # There are as many turns as connections: it could not be connected to.
        return AWAY
    if isinstance(error, psycopg_pool.PoolClosed):
        return _BROKEN
    if isinstance(error, psycopg.Error):
        return _of_postgresql(error)
    return _BROKEN


def _of_postgresql(error: psycopg.Error) -> Trouble:
    if error.sqlstate is None:
        # libpq lost the connection or got none, and had nobody to ask for a code.
        is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return AWAY if is_lost else _BROKEN
    prefixes = (error.sqlstate[:length] for length in range(5, 1, -1))
    return next((_POSTGRESQL[prefix] for prefix in prefixes if prefix in _POSTGRESQL), _BROKEN)
