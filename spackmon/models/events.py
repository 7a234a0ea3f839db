"""What went wrong or looked wrong in a build, as its source reported it."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt
from spackmon.models.claims import Claim
from spackmon.models.columns import COUNTED, Base, ByteOrderedText, RowId


class ErrorGroup(Base):
    """Errors that are the same but for paths and numbers; `text` is the first one seen.

    `fingerprint` is what `spackmon.logs.fingerprint` makes of it.
    """

    __tablename__ = "error_group"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    text: Mapped[str] = mapped_column(ByteOrderedText)


class BuildEvent(Base):
    """An error or a warning as a claim reports it; `position` counts from 1 in the order of the report.

    `attempt_id` is the run whose error it is, null where another claim's events stand for the run.
    `kind` is a word of `spackmon.status.EventKind`; only errors have a group. `log_line` and `source_line`
    count from 1.
    """

    __tablename__ = "build_event"
    # The second one counts errors and warnings, whose rows are long, without reading them.
    __table_args__ = (UniqueConstraint("claim_id", "position"), Index(None, "attempt_id", "kind"), COUNTED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    claim_id: Mapped[int] = mapped_column(ForeignKey(Claim.id))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(Attempt.id))
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    text: Mapped[str] = mapped_column(ByteOrderedText)
    log_line: Mapped[int | None]
    source_file: Mapped[str | None] = mapped_column(ByteOrderedText)
    source_line: Mapped[int | None]
    pre_context: Mapped[str | None] = mapped_column(ByteOrderedText)
    post_context: Mapped[str | None] = mapped_column(ByteOrderedText)
    error_group_id: Mapped[int | None] = mapped_column(ForeignKey(ErrorGroup.id), index=True)
