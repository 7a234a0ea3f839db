"""The chunk of a line is found by an index; what is stored of logs stays as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_IS_LATER = sa.text("first_line > 1")


def upgrade() -> None:
    op.create_index(
        op.f("ix_log_chunk_first_line"), "log_chunk", ["log_id", "first_line", "number"],
        postgresql_where=_IS_LATER, sqlite_where=_IS_LATER,
    )  # fmt: skip
