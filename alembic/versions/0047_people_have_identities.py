"""People may be known by other services, by the subject that they have there."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identity",
        sa.Column("id", RowId, nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        *(sa.Column(name, ByteOrderedText, nullable=False) for name in ("issuer", "subject", "name")),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("last_used_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_identity_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_identity_issuer_subject")),
    )
    op.create_index(op.f("ix_identity_person_id"), "identity", ["person_id"])
