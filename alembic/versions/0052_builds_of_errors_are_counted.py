"""Builds are counted by their first error, and by how many errors and warnings they have.

Those that have some are read once while nobody writes: some seconds for two million builds.
"""

from alembic import op

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_KINDS = (
    ("FIRST_ERROR", "first_error_group_id", "IS NOT NULL"),
    ("ERRORS", "error_count", "> 0"),
    ("WARNINGS", "warning_count", "> 0"),
)
_COUNT = """
    INSERT INTO build_total (kind, key_id, status, installed_from, build_count)
    SELECT '{kind}', b.{column}, f.status, f.installed_from, sum(b.build_count)
    FROM (
        SELECT {column}, facet_id, count(*) AS build_count FROM build WHERE {column} {is_there}
        GROUP BY {column}, facet_id
    ) b JOIN build_facet f ON f.id = b.facet_id
    GROUP BY b.{column}, f.status, f.installed_from
"""


def upgrade() -> None:
    for kind, column, is_there in _KINDS:
        op.execute(_COUNT.format(kind=kind, column=column, is_there=is_there))
