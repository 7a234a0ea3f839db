"""Rules of what somebody wants to be told of, the channels it goes by, and every message that went."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import ADMINISTRATION, Base, ByteOrderedText, JsonText, RowId, UtcDateTime
from spackmon.models.people import Person

_WAITS = text("ended_at IS NULL")


class NotificationRule(Base):
    """What somebody is told of: `event` is a word of `spackmon.status.NewsKind`.

    `condition` is a BuildFilter as JSON. All changes up to `position` (ReportedChange) are judged. `trouble`
    is why the last judgement failed, since `trouble_at`; null when it went well. It tells of no run that had
    ended before `tells_since`, and of none while it is muted.
    """

    __tablename__ = "notification_rule"
    __table_args__ = ADMINISTRATION

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    event: Mapped[str] = mapped_column(ByteOrderedText)
    condition: Mapped[str] = mapped_column(JsonText)
    environment_name: Mapped[str | None] = mapped_column(ByteOrderedText)
    messages_per_hour: Mapped[int]
    position: Mapped[int] = mapped_column(RowId)
    trouble: Mapped[str | None] = mapped_column(ByteOrderedText)
    trouble_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tells_since: Mapped[datetime] = mapped_column(UtcDateTime)
    muted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NotificationChannel(Base):
    """Where a rule's messages go: `kind` is a word of `spackmon.status.ChannelKind`.

    `address` is a URL or a mail address; a chat's URL is often a secret, and `shown_address` is what
    may be shown of it. `template` is a chat's Jinja
    template. `key_salt` makes the key that signs a webhook's messages its own. Who sends has `lease` until
    `leased_until`.
    """

    __tablename__ = "notification_channel"
    __table_args__ = ADMINISTRATION

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    rule_id: Mapped[int] = mapped_column(ForeignKey(NotificationRule.id), index=True)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    address: Mapped[str] = mapped_column(ByteOrderedText)
    shown_address: Mapped[str] = mapped_column(ByteOrderedText)
    template: Mapped[str | None] = mapped_column(ByteOrderedText)
    key_salt: Mapped[str] = mapped_column(ByteOrderedText)
    lease: Mapped[str | None] = mapped_column(ByteOrderedText)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class NotificationDelivery(Base):
    """A message of a channel: `status` is a word of `spackmon.status.DeliveryStatus`.

    `subject` says what it is about: no channel has two of one. `key` is the id that the receiver is shown.
    `content` is the event as JSON; what happened in one run, or a summary of others, whose `summary_id` it
    is. `first_try_at` is what counts in a rule's messages of an hour.
    """

    __tablename__ = "notification_delivery"
    __table_args__ = (
        UniqueConstraint("channel_id", "subject"),
        Index(
            "ix_notification_delivery_waiting", "channel_id", "next_try_at",
            postgresql_where=_WAITS, sqlite_where=_WAITS,
        ),
        ADMINISTRATION,
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey(NotificationChannel.id))
    key: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    subject: Mapped[str] = mapped_column(ByteOrderedText)
    content: Mapped[str] = mapped_column(JsonText)
    status: Mapped[str] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    give_up_at: Mapped[datetime] = mapped_column(UtcDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    first_try_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer_status: Mapped[int | None]
    answer: Mapped[str | None] = mapped_column(ByteOrderedText)
    summary_id: Mapped[int | None] = mapped_column(RowId, index=True)
