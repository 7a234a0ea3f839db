"""Reports are for everybody, for all who are known, or for a group; what is stored is everybody's."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, RowId, UtcDateTime

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_FOR_SOME = ("build", "buildcache", "claim", "concretization_failure", "lock_file")


def upgrade() -> None:
    _groups()
    op.create_table(
        "audience",
        sa.Column("id", RowId, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("visibility", ByteOrderedText, nullable=False),
        sa.Column("owner_id", RowId, nullable=True),
        sa.Column("group_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_audience_owner_id")),
        sa.ForeignKeyConstraint(["group_id"], ["person_group.id"], name=op.f("fk_audience_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audience")),
        sa.UniqueConstraint("key", name=op.f("uq_audience_key")),
    )
    op.create_index(op.f("ix_audience_owner_id"), "audience", ["owner_id"])
    op.create_index(op.f("ix_audience_group_id"), "audience", ["group_id"])
    op.create_table(
        "default_audience",
        sa.Column("person_id", RowId, nullable=False),
        sa.Column("audience_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_default_audience_person_id")),
        sa.ForeignKeyConstraint(
            ["audience_id"], ["audience.id"], name=op.f("fk_default_audience_audience_id")
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_default_audience")),
    )
    op.create_table(
        "spec_audience",
        sa.Column("id", RowId, nullable=False),
        sa.Column("spec_id", RowId, nullable=False),
        sa.Column("audience_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["audience_id"], ["audience.id"], name=op.f("fk_spec_audience_audience_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spec_audience")),
        sa.UniqueConstraint("spec_id", "audience_id", name=op.f("uq_spec_audience_spec_id_audience_id")),
    )
    for table in _FOR_SOME:
        op.add_column(table, sa.Column("audience_id", RowId, nullable=True))
    op.add_column("spec", sa.Column("is_public", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index(
        "ix_spec_not_public", "spec", ["id"],
        sqlite_where=sa.text("is_public = 0"), postgresql_where=sa.text("NOT is_public"),
    )  # fmt: skip


def _groups() -> None:
    op.create_table(
        "person_group",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_group")),
        sa.UniqueConstraint("name", name=op.f("uq_person_group_name")),
    )
    op.create_table(
        "group_member",
        sa.Column("group_id", RowId, nullable=False),
        sa.Column("person_id", RowId, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["person_group.id"], name=op.f("fk_group_member_group_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_group_member_person_id")),
        sa.PrimaryKeyConstraint("group_id", "person_id", name=op.f("pk_group_member")),
    )
    op.create_index(op.f("ix_group_member_person_id_group_id"), "group_member", ["person_id", "group_id"])
