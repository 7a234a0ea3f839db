"""Builds are counted by their first error, and by how many errors and warnings they have.

All builds are read once while nobody writes: some seconds for two million.
"""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_COUNT = """
    WITH broken AS (
        SELECT first_error_group_id, error_count, warning_count, facet_id, count(*) AS build_count FROM build
        WHERE first_error_group_id IS NOT NULL OR error_count > 0 OR warning_count > 0
        GROUP BY first_error_group_id, error_count, warning_count, facet_id
    ), counted AS (
        SELECT 'FIRST_ERROR' AS kind, first_error_group_id AS key_id, facet_id, build_count FROM broken
        WHERE first_error_group_id IS NOT NULL
        UNION ALL SELECT 'ERRORS', error_count, facet_id, build_count FROM broken WHERE error_count > 0
        UNION ALL SELECT 'WARNINGS', warning_count, facet_id, build_count FROM broken WHERE warning_count > 0
    )
    INSERT INTO build_total (kind, key_id, status, installed_from, build_count)
    SELECT c.kind, c.key_id, f.status, f.installed_from, sum(c.build_count)
    FROM counted c JOIN build_facet f ON f.id = c.facet_id
    GROUP BY c.kind, c.key_id, f.status, f.installed_from
"""


def upgrade() -> None:
    op.execute(_COUNT)
