"""What builds contain is kept by chunks of builds, those of old ones in one row for each package version.

In PostgreSQL nearly all of it is done while services write (`ahead`): they go on with the old table, triggers
note of which chunks something changed, and what is left for the migration are these.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

# `ahead` finds what it needs from this revision on.
ahead_from = "0017"

_BUILDS, _SEALED, _OPEN_CHUNKS = 256, -1, 2
_CHUNKS_AT_ONCE = 32
_ROUNDS = 10

_TABLE = """
    CREATE TABLE IF NOT EXISTS build_content (
        package_version_id integer NOT NULL, chunk integer NOT NULL, place smallint NOT NULL,
        package_id integer NOT NULL, places smallint[],
        CONSTRAINT pk_build_content PRIMARY KEY (package_version_id, chunk, place)
    )
"""
_INDEX = "ix_build_content_package_id_chunk_place"
# A version that most builds have is 2 kB, which would be kept elsewhere.
_INLINE = "ALTER TABLE build_content ALTER COLUMN places SET STORAGE MAIN"

# Of the newest builds of the old table, and of those that were written since.
_LOG = "build_content_changed"
_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION note_{_LOG}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO {_LOG} SELECT DISTINCT build_id / {_BUILDS} FROM changed;
        RETURN NULL;
    END $$
"""  # noqa: S608 -- of our own constants
_TRIGGER = f"""
    CREATE TRIGGER {{event}}_{_LOG} AFTER {{event}} ON build_package_version
    REFERENCING {{rows}} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_{_LOG}()
"""

_OLD = """
    FROM package_version v
    JOIN build_package_version p ON p.package_version_id = v.id AND p.build_id >= :first AND p.build_id < :end
"""
_SEAL = sa.text(
    f"""
    INSERT INTO build_content (package_version_id, chunk, place, package_id, places)
    SELECT v.id, p.build_id / {_BUILDS}, {_SEALED}, v.package_id,
        array_agg(CAST(p.build_id % {_BUILDS} AS smallint) ORDER BY p.build_id)
    {_OLD} GROUP BY v.id, v.package_id, p.build_id / {_BUILDS}
    """
)
_COPY = sa.text(
    f"""
    INSERT INTO build_content (package_version_id, chunk, place, package_id, places)
    SELECT v.id, p.build_id / {_BUILDS}, p.build_id % {_BUILDS}, v.package_id,
        ARRAY[CAST(p.build_id % {_BUILDS} AS smallint)]
    {_OLD}
    """
)
_FORGET = sa.text("DELETE FROM build_content WHERE chunk = :chunk")
_FORGET_NOTE = sa.text(f"DELETE FROM {_LOG} WHERE chunk = :chunk")  # noqa: S608 -- as above
_CHANGED = sa.text(f"SELECT DISTINCT chunk FROM {_LOG} WHERE chunk < :end ORDER BY chunk")  # noqa: S608 -- as above
_LAST = sa.text(f"SELECT max(id) / {_BUILDS} FROM build")  # noqa: S608 -- as above
_DONE = sa.text("SELECT max(chunk) FROM build_content")


def ahead(connection: Any, tell: Callable[[str], None]) -> None:
    """Copy what is old, some builds in a transaction; called again, it goes on where it was interrupted."""
    with connection.begin():
        _create(connection)
        connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {_LOG} (chunk bigint NOT NULL)")
        connection.exec_driver_sql(_FUNCTION)
        for event, rows in (("INSERT", "NEW"), ("DELETE", "OLD")):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {event}_{_LOG} ON build_package_version")
            connection.exec_driver_sql(_TRIGGER.format(event=event, rows=rows))
    with connection.begin():
        done, last = connection.scalar(_DONE), connection.scalar(_LAST)
    start, end = 0 if done is None else done + 1, (last or 0) - _OPEN_CHUNKS + 1
    for first in range(start, end, _CHUNKS_AT_ONCE):
        chunks = range(first, min(first + _CHUNKS_AT_ONCE, end))
        with connection.begin():
            _seal(connection, chunks)
        tell(f"contents of builds: {min(chunks.stop * 100 // end, 100)} %")
    for _ in range(_ROUNDS):
        with connection.begin():
            changed = connection.scalars(_CHANGED, {"end": end}).all()
        if len(changed) <= _CHUNKS_AT_ONCE:
            return
        for chunk in changed:
            with connection.begin():
                _again(connection, chunk)
    tell("the contents of builds change as fast as they are copied: the rest follows at once")


def _create(connection: Any) -> None:
    connection.exec_driver_sql(_TABLE)
    connection.exec_driver_sql(_INLINE)
    columns = "package_id, chunk, place"
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {_INDEX} ON build_content ({columns})")


def _seal(connection: Any, chunks: range) -> None:
    connection.execute(_SEAL, {"first": chunks.start * _BUILDS, "end": chunks.stop * _BUILDS})


def _again(connection: Any, chunk: int) -> None:
    # First the note: who changes the chunk from now on leaves another.
    connection.execute(_FORGET_NOTE, {"chunk": chunk})
    connection.execute(_FORGET, {"chunk": chunk})
    _seal(connection, range(chunk, chunk + 1))


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        _upgrade_sqlite()
        return
    is_prepared = sa.inspect(connection).has_table(_LOG)
    _create(connection)
    op.execute("LOCK TABLE build_package_version IN ACCESS EXCLUSIVE MODE")
    done, last = connection.scalar(_DONE), connection.scalar(_LAST)
    start = 0 if done is None else done + 1
    if is_prepared:
        for chunk in connection.scalars(_CHANGED, {"end": start}).all():
            _again(connection, chunk)
    if last is not None:
        _copy_rest(connection, start, last + 1)
    op.drop_table("build_package_version")
    if is_prepared:
        op.drop_table(_LOG)
        op.execute(f"DROP FUNCTION note_{_LOG}()")


def _copy_rest(connection: Any, start: int, end: int) -> None:
    sealed = max(end - _OPEN_CHUNKS, start)
    for first in range(start, sealed, _CHUNKS_AT_ONCE):
        _seal(connection, range(first, min(first + _CHUNKS_AT_ONCE, sealed)))
    connection.execute(_COPY, {"first": sealed * _BUILDS, "end": end * _BUILDS})


def _upgrade_sqlite() -> None:
    op.create_table(
        "build_content",
        sa.Column("package_version_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("chunk", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("place", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("package_id", sa.Integer(), nullable=False),
        sa.Column("places", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("package_version_id", "chunk", "place", name=op.f("pk_build_content")),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"""
        INSERT INTO build_content (package_version_id, chunk, place, package_id)
        SELECT package_version_id, build_id / {_BUILDS}, build_id % {_BUILDS}, package_id
        FROM build_package_version ORDER BY package_version_id, build_id
        """  # noqa: S608 -- as above
    )
    op.create_index(op.f(_INDEX), "build_content", ["package_id", "chunk", "place"])
    op.drop_table("build_package_version")
