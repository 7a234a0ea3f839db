"""Open claims are indexed by their last report, and a machine's claims, too.

What was abandoned leaves the index: it stays open for ever and was read at each look for silent runs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_OPEN = sa.text("status IN ('RUNNING', 'NOTRUN') AND abandoned_at IS NULL AND cancelled_at IS NULL")


def upgrade() -> None:
    """Replace two indexes."""
    op.drop_index("ix_claim_open", "claim")
    op.create_index(
        "ix_claim_open", "claim", ["last_reported_at"], sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.drop_index("ix_claim_environment_id", "claim")
    op.create_index(
        "ix_claim_environment_id_owner_id_last_reported_at",
        "claim",
        ["environment_id", "owner_id", "last_reported_at"],
    )
