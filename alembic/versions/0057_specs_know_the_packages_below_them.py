"""Specs know which packages are below them, and facets tell builds apart by that.

Nothing is filled here: a service looks at all specs and facets that are there, some at a time, while others
write (`spackmon.ingest.tables.package_sets`).
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import NarrowId, RowId

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_FACET = ("package_id", "package_version_id", "compiler_id", "architecture_id", "status", "installed_from")


def upgrade() -> None:
    op.create_table(
        "package_set",
        sa.Column("id", NarrowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_package_set_digest")),
    )
    op.create_table(
        "package_set_member",
        sa.Column("package_id", RowId, nullable=False, autoincrement=False),
        sa.Column("package_set_id", NarrowId, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("package_id", "package_set_id", name=op.f("pk_package_set_member")),
        sqlite_with_rowid=False,
    )
    op.add_column("spec", sa.Column("package_set_id", NarrowId, nullable=True))
    op.create_index(op.f("ix_spec_package_set_id"), "spec", ["package_set_id"])
    with op.batch_alter_table("build_facet") as altered:
        altered.add_column(sa.Column("package_set_id", RowId, nullable=False, server_default="0"))
        altered.drop_constraint("uq_build_facet", type_="unique")
        altered.create_unique_constraint("uq_build_facet", [*_FACET, "package_set_id"])
