"""Builds are counted by facets (package version, compiler, architecture, status, source) and by days.

In PostgreSQL builds are given their facets while services write (`ahead`): triggers take the facet from what
these change meanwhile, and what has none is left for the migration, as the counts are.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# `ahead` finds what it needs from this revision on.
ahead_from = "0017"

# As many builds as are written at once: reports about them wait so long.
_BUILDS = 2_000

_NAMES = ("package_id", "package_version_id", "compiler_id", "architecture_id", "status", "installed_from")
_FACETS = sa.Table(
    "build_facet",
    sa.MetaData(),
    sa.Column("id", RowId, nullable=False),
    *(sa.Column(name, RowId, nullable=False) for name in _NAMES[:4]),
    *(sa.Column(name, ByteOrderedText, nullable=False) for name in _NAMES[4:]),
    sa.Column("build_count", sa.Integer(), nullable=False, server_default="0"),
    sa.PrimaryKeyConstraint("id", name="pk_build_facet"),
    sa.UniqueConstraint(*_NAMES, name="uq_build_facet"),
)
_INDEX = "ix_build_facet_id_started_at_id"

_OF_BUILD = ("spec_id", "package_id", "status", "installed_from")
_OF_SPEC = ("package_version_id", "compiler_id", "architecture_id")
_TRIGGERS = (
    f"""
    CREATE OR REPLACE FUNCTION forget_facet() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF (NEW.{", NEW.".join(_OF_BUILD)}) IS DISTINCT FROM (OLD.{", OLD.".join(_OF_BUILD)}) THEN
            NEW.facet_id := NULL;
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION forget_facets() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE build SET facet_id = NULL WHERE spec_id = NEW.id;
        RETURN NULL;
    END $$
    """,
    "DROP TRIGGER IF EXISTS forget_facet ON build",
    "DROP TRIGGER IF EXISTS forget_facets ON spec",
    f"""
    CREATE TRIGGER forget_facet BEFORE UPDATE OF {", ".join(_OF_BUILD)} ON build
    FOR EACH ROW EXECUTE FUNCTION forget_facet()
    """,
    f"""
    CREATE TRIGGER forget_facets AFTER UPDATE OF {", ".join(_OF_SPEC)} ON spec
    FOR EACH ROW EXECUTE FUNCTION forget_facets()
    """,
)

_FACTS = """
    SELECT b.id AS build_id, COALESCE(b.package_id, 0) AS package_id,
        COALESCE(s.package_version_id, 0) AS package_version_id, COALESCE(s.compiler_id, 0) AS compiler_id,
        COALESCE(s.architecture_id, 0) AS architecture_id, b.status,
        COALESCE(b.installed_from, '') AS installed_from
    FROM build b LEFT JOIN spec s ON s.id = b.spec_id
    WHERE b.facet_id IS NULL AND {which}
"""
_SAME = " AND ".join(f"f.{name} = d.{name}" for name in _NAMES)
_ADD = f"""
    INSERT INTO build_facet ({", ".join(_NAMES)})
    SELECT DISTINCT {", ".join(f"d.{name}" for name in _NAMES)} FROM ({_FACTS}) d
    WHERE NOT EXISTS (SELECT 1 FROM build_facet f WHERE {_SAME})
    ORDER BY {", ".join(f"d.{name}" for name in _NAMES)}
"""  # noqa: S608 -- of our own constants
_SET = f"""
    UPDATE build SET facet_id = f.id FROM ({_FACTS}) d JOIN build_facet f ON {_SAME}
    WHERE build.id = d.build_id
"""  # noqa: S608 -- as above
# Whoever has a row keeps it: it is left for the migration.
_OURS = sa.text(
    """
    SELECT id FROM build WHERE id > :last AND id <= :next AND facet_id IS NULL FOR NO KEY UPDATE SKIP LOCKED
    """
)
_LAST = sa.text("SELECT COALESCE(max(id), 0) FROM build")
_COUNT = """
    UPDATE build_facet SET build_count = c.build_count
    FROM (SELECT facet_id, count(*) AS build_count FROM build GROUP BY facet_id) c
    WHERE build_facet.id = c.facet_id
"""
_DAY = {
    "sqlite": "substr(started_at, 1, 10)",
    "postgresql": "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
_COUNT_DAYS = """
    INSERT INTO build_day (day, status, installed_from, build_count)
    SELECT COALESCE({day}, ''), status, COALESCE(installed_from, ''), count(*) FROM build GROUP BY 1, 2, 3
"""


def ahead(connection: Any, tell: Callable[[str], None]) -> None:
    """Give builds their facets, some in a transaction; called again, it goes on where it was interrupted."""
    with connection.begin():
        _FACETS.create(connection, checkfirst=True)
        connection.exec_driver_sql("ALTER TABLE build ADD COLUMN IF NOT EXISTS facet_id BIGINT")
        for statement in _TRIGGERS:
            connection.exec_driver_sql(statement)
        greatest = connection.scalar(_LAST)
    for last in range(0, greatest, _BUILDS):
        with connection.begin():
            ours = connection.scalars(_OURS, {"last": last, "next": last + _BUILDS}).all()
            _settle(connection, "b.id = ANY (CAST(:ours AS bigint[]))", ours=ours)
        tell(f"facets of builds: {min((last + _BUILDS) * 100 // greatest, 100)} %")
    with connection.begin():
        _create_index(connection)


def _settle(connection: Any, which: str, **parameters: Any) -> None:
    for statement in (_ADD, _SET):
        connection.execute(sa.text(statement.format(which=which)), parameters)


def _create_index(connection: Any) -> None:
    newest_first = (
        "started_at, id" if connection.dialect.name == "sqlite" else "started_at DESC NULLS LAST, id DESC"
    )
    connection.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {_INDEX} ON build (facet_id, {newest_first})")


def upgrade() -> None:
    connection = op.get_bind()
    _FACETS.create(connection, checkfirst=True)
    op.create_table(
        "build_day",
        sa.Column("day", ByteOrderedText, nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("installed_from", ByteOrderedText, nullable=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "status", "installed_from", name=op.f("pk_build_day")),
    )
    op.create_table(
        "build_facet_change",
        sa.Column("id", RowId, nullable=False),
        sa.Column("facet_id", RowId, nullable=False),
        sa.Column("day", ByteOrderedText, nullable=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_facet_change")),
    )
    if "facet_id" not in {column["name"] for column in sa.inspect(connection).get_columns("build")}:
        op.add_column("build", sa.Column("facet_id", RowId, nullable=True))
    elif connection.dialect.name == "postgresql":
        for name, table in (("forget_facet", "build"), ("forget_facets", "spec")):
            # From here on nobody writes.
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    _settle(connection, "true")
    _create_index(connection)
    op.execute(_COUNT)
    op.execute(_COUNT_DAYS.format(day=_DAY[connection.dialect.name]))
