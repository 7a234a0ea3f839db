"""One database into another that is empty, table by table, and what both have compared.

Each table is one transaction: who was interrupted begins again, and finds the first tables written.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, text

from spackmon.database import Database
from spackmon.database.engine import READS_ONLY
from spackmon.database.roles import COMMAND
from spackmon.errors import Code, Refused
from spackmon.ops import migrations, revisions
from spackmon.ops.copies.forms import (
    Content,
    Form,
    content_of,
    forms,
    is_empty,
    last_numbers,
    lines_of,
    set_last_numbers,
    write_lines,
)

Tell = Callable[[str], None]


class Source(Protocol):
    """Where rows come from, all of one moment."""

    @property
    def revision(self) -> str:
        """That of its tables."""

    @property
    def forms(self) -> Sequence[Form]:
        """Its tables, each behind those that it refers to."""

    @property
    def last_numbers(self) -> dict[str, int]:
        """The last number that each table gave."""

    def lines(self, form: Form) -> Iterator[bytes]:
        """The rows of a table."""

    def content(self, form: Form) -> Content:
        """What those are together."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database as it was at one moment, while others go on writing."""

    connection: Connection
    revision: str
    forms: Sequence[Form]
    last_numbers: dict[str, int]

    def lines(self, form: Form) -> Iterator[bytes]:
        """See Source."""
        return lines_of(self.connection, form)

    def content(self, form: Form) -> Content:
        """See Source."""
        return content_of(self.connection, form)


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The database at `url` as it is now. Raises Refused where it is of another revision."""
    database = Database(url, role=COMMAND)
    try:
        if refused := revisions.check(database):
            raise refused
        with database.engine.connect() as connection:
            _begin(connection)
            revision = text("SELECT version_num FROM alembic_version")
            yield Snapshot(
                connection, str(connection.execute(revision).scalar_one()), forms(),
                last_numbers(connection, forms()),
            )  # fmt: skip
    finally:
        database.close()


def _begin(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        # A reader holds up no writer, and sees nothing of what is written after its first statement.
        connection.execution_options(**{READS_ONLY: True})
        connection.exec_driver_sql("BEGIN")
    else:
        connection.execution_options(isolation_level="REPEATABLE READ")
        connection.execute(text("SET TRANSACTION READ ONLY"))


def copy(source: Source, target_url: str, tell: Tell) -> dict[str, int]:
    """Write all of `source` into the database at `target_url`, and bring that to this program's revision.

    How many rows each table got. Raises Refused COPY_TARGET_USED where it has other rows, or what is
    read back is not what was written.
    """
    migrations.upgrade(target_url, revision=source.revision)
    target = Database(target_url, role=COMMAND)
    counts: dict[str, int] = {}
    try:
        # All of them before the first is written: a database of other rows gets none of ours.
        for form in source.forms:
            _check_unused(target, source, form)
        for form in source.forms:
            counts[form.name] = _fill(target, source, form)
            tell(f"{form.name} is there: {counts[form.name]} rows")
        with target.engine.begin() as connection:
            set_last_numbers(connection, source.forms, source.last_numbers)
        if not target.is_sqlite:
            with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))
    finally:
        target.close()
    migrations.upgrade(target_url)
    return counts


def _check_unused(target: Database, source: Source, form: Form) -> None:
    """Raises Refused COPY_TARGET_USED where a table has other rows than an earlier try wrote."""
    with target.engine.connect() as connection:
        if not is_empty(connection, form):
            _check_same(form, content_of(connection, form), source.content(form))


def _fill(target: Database, source: Source, form: Form) -> int:
    """Write a table, unless an earlier try did, and read it back; how many rows it has."""
    with target.engine.begin() as connection:
        is_new = is_empty(connection, form)
        wanted = write_lines(connection, form, source.lines(form)) if is_new else source.content(form)
    with target.engine.connect() as connection:
        stored = content_of(connection, form)
    _check_same(form, stored, wanted)
    return stored.rows


def _check_same(form: Form, stored: Content, wanted: Content) -> None:
    if stored != wanted:
        raise Refused(
            Code.COPY_TARGET_USED,
            f"{form.name} of the database that is to be filled has other rows: begin with an empty one",
        )
