"""Builds are counted by their owners and by their tags.

Every build and its tags are read once while nobody writes: some seconds for two million.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_COUNT = """
    INSERT INTO build_total (kind, key_id, status, installed_from, build_count)
    SELECT c.kind, c.key_id, f.status, f.installed_from, sum(c.build_count)
    FROM (
        SELECT 'OWNER' AS kind, owner_id AS key_id, facet_id, count(*) AS build_count
        FROM build GROUP BY owner_id, facet_id
        UNION ALL
        SELECT 'TAG', t.tag_id, b.facet_id, count(*)
        FROM build b JOIN attempt_tag t ON t.attempt_id = b.newest_attempt_id GROUP BY t.tag_id, b.facet_id
    ) c JOIN build_facet f ON f.id = c.facet_id
    GROUP BY c.kind, c.key_id, f.status, f.installed_from
"""


def upgrade() -> None:
    op.create_table(
        "build_total",
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("key_id", RowId, nullable=False, autoincrement=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("installed_from", ByteOrderedText, nullable=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_id", "status", "installed_from", name=op.f("pk_build_total")),
    )
    op.create_table(
        "build_total_change",
        sa.Column("id", RowId, nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("key_id", RowId, nullable=False),
        sa.Column("facet_id", RowId, nullable=False),
        sa.Column("build_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_build_total_change")),
    )
    op.execute(_COUNT)
