"""What changed, in the order of commits: subscriptions read on from where they were."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime

_NOT_NUMBERED = text("position IS NULL")


class ReportedChange(Base):
    """A row that a transaction changed: `kind` is a word of `spackmon.status.ChangeKind`, `row_id` its id.

    `position` counts from 1, without a gap, in an order in which no later commit stands before an earlier one
    that was numbered; null until it is numbered (docs/decisions/0016-changes-in-the-order-of-commits.md). It
    has no foreign key: what changed may be gone by now.
    """

    __tablename__ = "reported_change"
    __table_args__ = (
        Index(
            "ix_reported_change_not_numbered", "id",
            postgresql_where=_NOT_NUMBERED, sqlite_where=_NOT_NUMBERED,
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    position: Mapped[int | None] = mapped_column(RowId, unique=True)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    row_id: Mapped[int] = mapped_column(RowId)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
