"""Advisories are stored, with the versions and variants that they are about."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "advisory",
        sa.Column("id", RowId, nullable=False),
        sa.Column("identifier", ByteOrderedText, nullable=False),
        *(sa.Column(name, JsonText, nullable=False) for name in ("aliases", "affects", "undecided")),
        sa.Column("summary", ByteOrderedText, nullable=False),
        sa.Column("withdrawn_at", UtcDateTime, nullable=True),
        sa.Column("loaded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory")),
        sa.UniqueConstraint("identifier", name=op.f("uq_advisory_identifier")),
    )
    op.create_table(
        "advisory_range",
        sa.Column("id", RowId, nullable=False),
        sa.Column("advisory_id", RowId, nullable=False),
        sa.Column("package_name", ByteOrderedText, nullable=False),
        sa.Column("low", sa.LargeBinary(), nullable=False),
        sa.Column("high", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["advisory_id"], ["advisory.id"], name=op.f("fk_advisory_range_advisory_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory_range")),
    )
    op.create_index(op.f("ix_advisory_range_advisory_id"), "advisory_range", ["advisory_id"])
    op.create_index(op.f("ix_advisory_range_package_name_low"), "advisory_range", ["package_name", "low"])
    op.create_table(
        "advisory_variant",
        sa.Column("advisory_range_id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("value", ByteOrderedText, nullable=False),
        sa.ForeignKeyConstraint(
            ["advisory_range_id"], ["advisory_range.id"], name=op.f("fk_advisory_variant_advisory_range_id")
        ),
        sa.PrimaryKeyConstraint("advisory_range_id", "name", "value", name=op.f("pk_advisory_variant")),
        sqlite_with_rowid=False,
    )
