"""Logs by content: equal logs are one, in compressed chunks, with what they say went wrong."""

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, JsonText, RowId, UtcDateTime


class LogObject(Base):
    """An object of the bucket of logs: the contents of a log's chunks, one behind the other.

    The row is there before the object is, so that none is lost; a log that refers to it makes it count.
    `unused_at` is since when none does; none begins to from then on.
    """

    __tablename__ = "log_object"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    log_id: Mapped[int] = mapped_column(RowId, index=True)
    key: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    size_bytes: Mapped[int | None] = mapped_column(RowId)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    unused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


_IS_MOVED = text("object_id IS NOT NULL")


class Log(Base):
    """A log; `digest` is the SHA-256 of its bytes.

    `rules_version` is that of the rules that read its events, null where none did; `unlisted_events` counts
    those that are in no row. `removed_at` is when its text was removed, which its events are of all the same;
    it comes back with the next report of an equal log. `object_id` is where its chunks are, if not here.
    """

    __tablename__ = "log"
    __table_args__ = (
        Index("ix_log_object_id", "object_id", postgresql_where=_IS_MOVED, sqlite_where=_IS_MOVED),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    size_bytes: Mapped[int] = mapped_column(RowId)
    rules_version: Mapped[int | None]
    unlisted_events: Mapped[int | None]
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    object_id: Mapped[int | None] = mapped_column(RowId)


_IS_LATER = text("first_line > 1")


class LogChunk(Base):
    """A run of a log's bytes, zstd-compressed; chunks joined by `number` (from 0) are the log.

    `content` is a `spackmon.logs.references.Reference` where the bytes are in an object of a bucket.

    Any byte may be in it: readers of text put U+FFFD for what is not UTF-8. A lone surrogate that a client
    sent is kept by Python's `surrogatepass`. `first_line` counts from 1; a chunk ends with a line, except
    where one line is longer than a chunk.
    """

    __tablename__ = "log_chunk"
    # The chunk of a line; most logs are one chunk, which needs no index.
    __table_args__ = (
        Index(
            "ix_log_chunk_first_line", "log_id", "first_line", "number",
            postgresql_where=_IS_LATER, sqlite_where=_IS_LATER,
        ),
    )  # fmt: skip

    log_id: Mapped[int] = mapped_column(ForeignKey(Log.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_line: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(RowId)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class LogEvent(Base):
    """An error or a warning that the rules of `spackmon.logs` find in a log; `position` counts from 1.

    They stand by line. `kind` is a word of `spackmon.status.EventKind`, `role` PRIMARY or CONSEQUENCE.
    `text` is the line that says it, null where that is the message.
    `rule` is the form of line that was recognised. `form_class` is the class that the form suggests,
    `error_class` and `blame` are what the taxonomy says; `fingerprint` is equal for the same failure
    elsewhere, the hash of `normal_form`, and `blanked` JSON of what that leaves out: only errors of role
    PRIMARY have these six. Lines count from 1; `occurrences` is how many equal diagnostics it stands for. One
    error at most `is_first`. `search_words` as of BuildEvent.
    """

    __tablename__ = "log_event"
    __table_args__ = (UniqueConstraint("log_id", "position"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    log_id: Mapped[int] = mapped_column(ForeignKey(Log.id))
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    role: Mapped[str] = mapped_column(ByteOrderedText)
    tool: Mapped[str | None] = mapped_column(ByteOrderedText)
    error_class: Mapped[str | None] = mapped_column(ByteOrderedText)
    blame: Mapped[str | None] = mapped_column(ByteOrderedText)
    fingerprint: Mapped[str | None] = mapped_column(ByteOrderedText, index=True)
    rule: Mapped[str | None] = mapped_column(ByteOrderedText)
    form_class: Mapped[str | None] = mapped_column(ByteOrderedText)
    normal_form: Mapped[str | None] = mapped_column(ByteOrderedText)
    blanked: Mapped[str | None] = mapped_column(JsonText)
    is_first: Mapped[bool] = mapped_column(Boolean)
    occurrences: Mapped[int]
    message: Mapped[str] = mapped_column(ByteOrderedText)
    text: Mapped[str | None] = mapped_column(ByteOrderedText)
    line: Mapped[int]
    first_line: Mapped[int]
    last_line: Mapped[int]
    source_file: Mapped[str | None] = mapped_column(ByteOrderedText)
    source_line: Mapped[int | None]
    source_column: Mapped[int | None]
    search_words: Mapped[str] = mapped_column(ByteOrderedText, server_default="")
