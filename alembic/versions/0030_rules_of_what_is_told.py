"""Rules of what somebody wants to be told of, their channels, and every message that went."""

import sqlalchemy as sa
from alembic import op

from spackmon.models.columns import ByteOrderedText, JsonText, RowId, UtcDateTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rules()
    _channels()
    _deliveries()


def _rules() -> None:
    op.create_table(
        "notification_rule",
        sa.Column("id", RowId, nullable=False),
        sa.Column("name", ByteOrderedText, nullable=False),
        sa.Column("owner_id", RowId, nullable=False),
        sa.Column("event", ByteOrderedText, nullable=False),
        sa.Column("condition", JsonText, nullable=False),
        sa.Column("environment_name", ByteOrderedText, nullable=True),
        sa.Column("messages_per_hour", sa.Integer(), nullable=False),
        sa.Column("position", RowId, nullable=False),
        sa.Column("trouble", ByteOrderedText, nullable=True),
        sa.Column("trouble_at", UtcDateTime, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["person.id"], name=op.f("fk_notification_rule_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_rule")),
        sa.UniqueConstraint("name", name=op.f("uq_notification_rule_name")),
    )
    op.create_index(op.f("ix_notification_rule_owner_id"), "notification_rule", ["owner_id"])


def _channels() -> None:
    op.create_table(
        "notification_channel",
        sa.Column("id", RowId, nullable=False),
        sa.Column("rule_id", RowId, nullable=False),
        sa.Column("kind", ByteOrderedText, nullable=False),
        sa.Column("address", ByteOrderedText, nullable=False),
        sa.Column("template", ByteOrderedText, nullable=True),
        sa.Column("key_salt", ByteOrderedText, nullable=False),
        sa.Column("lease", ByteOrderedText, nullable=True),
        sa.Column("leased_until", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["notification_rule.id"], name=op.f("fk_notification_channel_rule_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_channel")),
    )
    op.create_index(op.f("ix_notification_channel_rule_id"), "notification_channel", ["rule_id"])


def _deliveries() -> None:
    op.create_table(
        "notification_delivery",
        sa.Column("id", RowId, nullable=False),
        sa.Column("channel_id", RowId, nullable=False),
        sa.Column("key", ByteOrderedText, nullable=False),
        sa.Column("subject", ByteOrderedText, nullable=False),
        sa.Column("content", JsonText, nullable=False),
        sa.Column("status", ByteOrderedText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("give_up_at", UtcDateTime, nullable=False),
        sa.Column("next_try_at", UtcDateTime, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("first_try_at", UtcDateTime, nullable=True),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.Column("answer_status", sa.Integer(), nullable=True),
        sa.Column("answer", ByteOrderedText, nullable=True),
        sa.Column("summary_id", RowId, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["notification_channel.id"], name=op.f("fk_notification_delivery_channel_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification_delivery")),
        sa.UniqueConstraint("key", name=op.f("uq_notification_delivery_key")),
        sa.UniqueConstraint(
            "channel_id", "subject", name=op.f("uq_notification_delivery_channel_id_subject")
        ),
    )
    op.create_index(op.f("ix_notification_delivery_summary_id"), "notification_delivery", ["summary_id"])
    waits = sa.text("ended_at IS NULL")
    op.create_index(
        "ix_notification_delivery_waiting", "notification_delivery", ["channel_id", "next_try_at"],
        postgresql_where=waits, sqlite_where=waits,
    )  # fmt: skip
