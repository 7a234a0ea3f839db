"""What went wrong or looked wrong in a run: as a source reported it, or as its logs say.

An event has a group if it is an error. What a person says of a group stays with it (ErrorGroupRuling).
"""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt
from spackmon.models.claims import Claim
from spackmon.models.columns import COUNTED, Base, ByteOrderedText, JsonText, NarrowId, RowId, UtcDateTime
from spackmon.models.people import Person


class ErrorGroup(Base):
    """The same failure wherever it occurs; `text` is the least of its errors' texts.

    `fingerprint` is the hash of `normal_form`, what its errors have in common (`spackmon.logs.groups`), and
    `version` that of the rules which made it; `tool` is the least of its tools' names. What was merged into
    another group has that one's id and no events of its own.

    The counts, and when the first and the last run with such an
    error began, are right together with the group's rows of `error_group_change`.
    """

    __tablename__ = "error_group"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    version: Mapped[int] = mapped_column(server_default="0")
    tool: Mapped[str | None] = mapped_column(ByteOrderedText)
    error_class: Mapped[str | None] = mapped_column(ByteOrderedText)
    blame: Mapped[str | None] = mapped_column(ByteOrderedText)
    normal_form: Mapped[str] = mapped_column(ByteOrderedText, server_default="")
    text: Mapped[str] = mapped_column(ByteOrderedText)
    note: Mapped[str | None] = mapped_column(ByteOrderedText)
    known_issue: Mapped[str | None] = mapped_column(ByteOrderedText)
    is_muted: Mapped[bool] = mapped_column(Boolean, server_default=false())
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("error_group.id"), index=True)
    event_count: Mapped[int] = mapped_column(server_default="0")
    run_count: Mapped[int] = mapped_column(server_default="0")
    build_count: Mapped[int] = mapped_column(server_default="0")
    first_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ErrorGroupPart(Base):
    """Errors of a group whose text has `words` in it, which a person made a group of their own."""

    __tablename__ = "error_group_part"
    __table_args__ = (UniqueConstraint("error_group_id", "words"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    error_group_id: Mapped[int] = mapped_column(ForeignKey(ErrorGroup.id))
    words: Mapped[str] = mapped_column(ByteOrderedText)
    part_id: Mapped[int] = mapped_column(ForeignKey(ErrorGroup.id), index=True)


class ErrorGroupRuling(Base):
    """What a person said of a group, and when; `action` is a word of `spackmon.status.GroupAction`.

    `value` is what the action needs: a note, a link, the other group's fingerprint, words.
    """

    __tablename__ = "error_group_ruling"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    error_group_id: Mapped[int] = mapped_column(ForeignKey(ErrorGroup.id), index=True)
    action: Mapped[str] = mapped_column(ByteOrderedText)
    value: Mapped[str | None] = mapped_column(ByteOrderedText)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ErrorGroupBuild(Base):
    """What a build's runs have of a group's errors: how many, in how many runs, and when these began.

    Derived rows, so without foreign keys, as the closure.
    """

    __tablename__ = "error_group_build"
    __table_args__ = (
        Index("ix_error_group_build_of_group", "error_group_id", "build_id"),
        {"sqlite_with_rowid": False},
    )

    build_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
    error_group_id: Mapped[int] = mapped_column(NarrowId, primary_key=True, autoincrement=False)
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


class EventContext(Base):
    """The lines of the log above and below events, by content: of a source that reported none they are null.

    `digest` is what `spackmon.ingest.tables.event_contexts` makes of both.
    """

    __tablename__ = "event_context"

    id: Mapped[int] = mapped_column(NarrowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    pre_context: Mapped[str | None] = mapped_column(ByteOrderedText)
    post_context: Mapped[str | None] = mapped_column(ByteOrderedText)


class BuildEvent(Base):
    """An error or a warning of a run; `position` counts from 1, in the order of the report or of the logs.

    One that a claim reports has that claim's id; `attempt_id` is the run whose event it is, null where
    another claim's events stand for the run. One that was read in a log is a row for each run that has the
    log, derived of `log_event_id`, and there only if no claim reports events of its kind
    (docs/decisions/0014-one-notion-of-an-event.md).

    `kind` is a word of `spackmon.status.EventKind`, `role` PRIMARY or CONSEQUENCE. `text` is what the source
    showed. What it says without its place is how the text ends, from its character `message_at` on;
    where that is null it is `message`. Only errors have a class, a fingerprint and a group;
    `rule` is the form of line that was recognised, `blanked` JSON of what the fingerprint leaves out. Lines
    count from 1. `is_first` marks the one error of a run to read first. `search_words` is what
    `spackmon.logs.words` makes of its text, its file and, of one in a log, its tool; what finds rows by it
    is no part of the models, as each database has its own (migrations 0023 and 0077). In PostgreSQL it is
    empty where the text is plain: there the same is found in the text itself.
    """

    __tablename__ = "build_event"
    # The second one counts errors and warnings, whose rows are long, without reading them.
    __table_args__ = (
        UniqueConstraint("claim_id", "position"),
        Index(None, "attempt_id", "kind"),
        Index(None, "error_group_id", "id"),
        COUNTED,
    )

    # The narrow before the wide and texts last: PostgreSQL pads what stands behind something shorter.
    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # Derived, as all of such a row is: without a foreign key.
    log_event_id: Mapped[int | None] = mapped_column(RowId)
    claim_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Claim.id))
    attempt_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(Attempt.id))
    error_group_id: Mapped[int | None] = mapped_column(NarrowId, ForeignKey(ErrorGroup.id))
    # Without a foreign key: who deletes one would look through all events, which have no index of them.
    context_id: Mapped[int | None] = mapped_column(NarrowId, info={"refers": EventContext.__table__})
    position: Mapped[int]
    occurrences: Mapped[int] = mapped_column(server_default="1")
    message_at: Mapped[int | None]
    log_line: Mapped[int | None]
    first_line: Mapped[int | None]
    last_line: Mapped[int | None]
    source_line: Mapped[int | None]
    source_column: Mapped[int | None]
    is_first: Mapped[bool] = mapped_column(Boolean, server_default=false())
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    role: Mapped[str] = mapped_column(ByteOrderedText, server_default="PRIMARY")
    tool: Mapped[str | None] = mapped_column(ByteOrderedText)
    error_class: Mapped[str | None] = mapped_column(ByteOrderedText)
    blame: Mapped[str | None] = mapped_column(ByteOrderedText)
    fingerprint: Mapped[str | None] = mapped_column(ByteOrderedText)
    rule: Mapped[str | None] = mapped_column(ByteOrderedText)
    blanked: Mapped[str | None] = mapped_column(JsonText)
    text: Mapped[str] = mapped_column(ByteOrderedText)
    message: Mapped[str] = mapped_column(ByteOrderedText, server_default="")
    source_file: Mapped[str | None] = mapped_column(ByteOrderedText)
    search_words: Mapped[str] = mapped_column(ByteOrderedText, server_default="")
