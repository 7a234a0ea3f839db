"""What went wrong or looked wrong in a build, as its source reported it."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt
from spackmon.models.claims import Claim
from spackmon.models.columns import COUNTED, Base, ByteOrderedText, RowId, UtcDateTime


class ErrorGroup(Base):
    """Errors that are the same but for paths and numbers; `text` is the least of theirs.

    `fingerprint` is what `spackmon.logs.fingerprint` makes of it. The counts, and when the first and the last
    run with such an error began, are right together with the group's rows of `error_group_change`.
    """

    __tablename__ = "error_group"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    text: Mapped[str] = mapped_column(ByteOrderedText)
    event_count: Mapped[int] = mapped_column(server_default="0")
    run_count: Mapped[int] = mapped_column(server_default="0")
    build_count: Mapped[int] = mapped_column(server_default="0")
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ErrorGroupBuild(Base):
    """What a build's runs have of a group's errors: how many, in how many runs, and when these began.

    Derived rows, so without foreign keys, as the closure.
    """

    __tablename__ = "error_group_build"
    __table_args__ = (
        Index("ix_error_group_build_of_group", "error_group_id", "build_id"),
        {"sqlite_with_rowid": False},
    )

    build_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    error_group_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    event_count: Mapped[int]
    run_count: Mapped[int]
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ErrorGroupChange(Base):
    """What a report changed of a group's counts and is not in them yet: each writer adds rows of its own.

    No writer waits for another that reports the same error (docs/decisions/0012-facts.md). `seen_less` says
    that a run in the group's times is no more, or began otherwise: they are to be looked up again.
    """

    __tablename__ = "error_group_change"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    error_group_id: Mapped[int] = mapped_column(RowId, index=True)
    event_count: Mapped[int]
    run_count: Mapped[int]
    build_count: Mapped[int]
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_less: Mapped[bool] = mapped_column(Boolean)


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
