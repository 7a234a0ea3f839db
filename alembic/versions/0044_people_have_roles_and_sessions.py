"""People have roles and sessions, and each change of a right is written down.

Who has a token for everything becomes an administrator, everybody else a writer, which is what they were.
"""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("role", ByteOrderedText, server_default="writer", nullable=False))
    op.execute(
        "UPDATE person SET role = 'admin' WHERE id IN "
        "(SELECT person_id FROM token WHERE revoked_at IS NULL AND ' ' || scopes || ' ' LIKE '% admin %')"
    )
    op.create_table(
        "session",
        sa.Column("id", RowId, nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, ByteOrderedText, nullable=False) for name in ("way", "address", "browser")),
        *(
            sa.Column(name, UtcDateTime, nullable=False)
            for name in ("created_at", "expires_at", "last_used_at")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_session_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("digest", name=op.f("uq_session_digest")),
    )
    op.create_index(op.f("ix_session_person_id"), "session", ["person_id"])
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"])
    op.create_table(
        "audit_entry",
        sa.Column("id", RowId, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        *(
            sa.Column(name, ByteOrderedText, nullable=False)
            for name in ("actor", "address", "action", "subject", "detail")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    op.create_index(op.f("ix_audit_entry_subject"), "audit_entry", ["subject"])
    op.create_table(
        "rate_count",
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_count")),
    )
    op.create_index(op.f("ix_rate_count_ends_at"), "rate_count", ["ends_at"])
