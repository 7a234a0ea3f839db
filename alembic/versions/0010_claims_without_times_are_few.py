"""Indexes by which few claims are read for one, however many there are of its spec or prefix."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UNTIMED = sa.text("window_begins_at IS NULL")


def upgrade() -> None:
    op.drop_index("ix_claim_untimed", "claim")
    for name, columns in (
        ("ix_claim_untimed", ["spec_id", "kind", "id"]),
        ("ix_claim_untimed_of_hash", ["spec_hash", "kind", "id"]),
        ("ix_claim_untimed_at_prefix", ["package_id", "prefix", "kind", "id"]),
    ):
        op.create_index(name, "claim", columns, sqlite_where=_UNTIMED, postgresql_where=_UNTIMED)
    op.create_index(op.f("ix_claim_spec_id_window_ends_at"), "claim", ["spec_id", "window_ends_at"])
    op.create_index(
        op.f("ix_claim_package_id_prefix_window_ends_at"), "claim", ["package_id", "prefix", "window_ends_at"]
    )
