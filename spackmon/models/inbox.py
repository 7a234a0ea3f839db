"""The inbox: what clients sent and could not be applied; and how far each batch of reports has come."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, JsonText, RowId, UtcDateTime
from spackmon.models.people import Person


class InboxEntry(Base):
    """A request body as it came (zstd-compressed), the error it met, and when a replay succeeded."""

    __tablename__ = "inbox_entry"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    person_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    error_code: Mapped[str] = mapped_column(ByteOrderedText)
    error_message: Mapped[str] = mapped_column(ByteOrderedText)
    replay_count: Mapped[int]
    applied_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class SubmissionBatch(Base):
    """A batch that a client may have to send again after a cut: its first `lines_done` lines are answered.

    `key` is the client's own name of the batch (Idempotency-Key). `refused_lines` is a JSON list of what was
    answered about those that were refused: number, code, sentence, id in the inbox or null.
    """

    __tablename__ = "submission_batch"
    __table_args__ = (UniqueConstraint("owner_id", "key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    key: Mapped[str] = mapped_column(ByteOrderedText)
    lines_done: Mapped[int]
    refused_lines: Mapped[str] = mapped_column(JsonText)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
