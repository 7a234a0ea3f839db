"""Indexes in the order in which pages list: by start, by the last report, by package and status, by tag."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_build_package_id_status_id"), "build", ["package_id", "status", "id"])
    op.drop_index("ix_build_package_id", "build")
    op.create_index(op.f("ix_build_updated_at_id"), "build", ["updated_at", "id"])
    op.create_index(op.f("ix_attempt_tag_tag_id_attempt_id"), "attempt_tag", ["tag_id", "attempt_id"])
    op.drop_index("ix_attempt_tag_tag_id", "attempt_tag")
    # SQLite knows no NULLS LAST in an index; there NULL is last in every walk back.
    is_sqlite = op.get_context().dialect.name == "sqlite"
    newest_first = ["started_at", "id"] if is_sqlite else ["started_at DESC NULLS LAST", "id DESC"]
    op.create_index("ix_build_started_at_id", "build", [sa.text(one) for one in newest_first])
    op.drop_index("ix_build_started_at", "build")
