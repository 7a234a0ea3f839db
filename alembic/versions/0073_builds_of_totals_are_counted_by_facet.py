"""Builds of an owner, a tag, a first error and of so many errors or warnings are counted by facet, too.

PostgreSQL reads all builds once, while services write; what they fold meanwhile is counted by a trigger.
SQLite reads them while nobody writes: some seconds for two million.
"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId
from spackmon.ops.ahead import step

revision = "0073"
down_revision = "0072"
branch_labels = None
depends_on = None

ahead_from = "0062"
locked = ("build_total_change",)

# That of who folds these counts (spackmon.ingest.tables.totals): nobody does meanwhile.
_TURN = 7311450829166306
_TRIGGER = "build_facet_total_ahead"

_CREATE = """
    CREATE TABLE build_facet_total (
        kind TEXT COLLATE "C" NOT NULL, key_id BIGINT NOT NULL, facet_id BIGINT NOT NULL,
        build_count INTEGER NOT NULL,
        CONSTRAINT pk_build_facet_total PRIMARY KEY (kind, key_id, facet_id)
    )
"""

# A change is in the builds already, and will be folded.
_COUNT = """
    INSERT INTO build_facet_total (kind, key_id, facet_id, build_count)
    SELECT c.kind, c.key_id, c.facet_id, sum(c.build_count)
    FROM (
        SELECT 'OWNER' AS kind, owner_id AS key_id, facet_id, count(*) AS build_count
        FROM build GROUP BY owner_id, facet_id
        UNION ALL
        SELECT 'FIRST_ERROR', first_error_group_id, facet_id, count(*)
        FROM build WHERE first_error_group_id IS NOT NULL GROUP BY first_error_group_id, facet_id
        UNION ALL
        SELECT 'ERRORS', error_count, facet_id, count(*)
        FROM build WHERE error_count > 0 GROUP BY error_count, facet_id
        UNION ALL
        SELECT 'WARNINGS', warning_count, facet_id, count(*)
        FROM build WHERE warning_count > 0 GROUP BY warning_count, facet_id
        UNION ALL
        SELECT 'TAG', t.tag_id, b.facet_id, count(*)
        FROM build b JOIN {tags} GROUP BY t.tag_id, b.facet_id
        UNION ALL
        SELECT kind, key_id, facet_id, -build_count FROM build_total_change
    ) c
    WHERE c.facet_id IS NOT NULL
    GROUP BY c.kind, c.key_id, c.facet_id HAVING sum(c.build_count) <> 0
"""

# Ahead of 0071 each run has rows of its own.
_OWN_TAGS = "attempt_tag t ON t.attempt_id = b.newest_attempt_id"
_TAGS_OF_SETS = "tag_set_member t ON t.tag_set_id = b.tag_set_id"

_FOLDED = f"""
    CREATE FUNCTION {_TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO build_facet_total (kind, key_id, facet_id, build_count)
        SELECT kind, key_id, facet_id, sum(build_count) FROM folded
        GROUP BY kind, key_id, facet_id HAVING sum(build_count) <> 0
        ON CONFLICT (kind, key_id, facet_id) DO UPDATE
        SET build_count = build_facet_total.build_count + excluded.build_count;
        RETURN NULL;
    END $$;
    CREATE TRIGGER {_TRIGGER} AFTER DELETE ON build_total_change REFERENCING OLD TABLE AS folded
    FOR EACH STATEMENT EXECUTE FUNCTION {_TRIGGER}()
"""  # noqa: S608 -- of our own constants

_IS_WATCHED = f"SELECT count(*) FROM pg_trigger WHERE tgname = '{_TRIGGER}'"  # noqa: S608 -- ours


def ahead(connection: sa.Connection, tell: Callable[[str], None]) -> None:
    def run(statement: str) -> None:
        step(connection, lambda: connection.execute(sa.text(statement)))

    if step(connection, lambda: connection.scalar(sa.text(_IS_WATCHED))):
        return
    tell("builds of owners, tags and errors by facet: begun")
    run("DROP TABLE IF EXISTS build_facet_total")
    connection.execute(sa.text(f"SELECT pg_advisory_lock({_TURN})"))
    connection.commit()
    try:
        own = step(connection, lambda: sa.inspect(connection).has_table("attempt_tag"))
        count = _COUNT.format(tags=_OWN_TAGS if own else _TAGS_OF_SETS)
        run(f"{_CREATE}; {count}; ANALYZE build_facet_total")
        run(_FOLDED)
    finally:
        connection.rollback()
        connection.execute(sa.text(f"SELECT pg_advisory_unlock({_TURN})"))
        connection.commit()
    tell("builds of owners, tags and errors by facet: 100 %")


def upgrade() -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql" and bind.scalar(sa.text(_IS_WATCHED)):
        op.execute(f"DROP TRIGGER {_TRIGGER} ON build_total_change")
        op.execute(f"DROP FUNCTION {_TRIGGER}()")
        return
    if bind.dialect.name == "postgresql":
        op.execute(f"SELECT pg_advisory_xact_lock({_TURN})")
    op.create_table(
        "build_facet_total",
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("key_id", RowId, nullable=False, autoincrement=False),
        sa.Column("facet_id", RowId, nullable=False, autoincrement=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_id", "facet_id", name=op.f("pk_build_facet_total")),
        sqlite_with_rowid=False,
    )
    op.execute(_COUNT.format(tags=_TAGS_OF_SETS))
