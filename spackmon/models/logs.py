"""Logs by content: equal logs are one, in compressed chunks of whole lines."""

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, RowId


class Log(Base):
    """A log; `digest` is the SHA-256 of its bytes."""

    __tablename__ = "log"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    size_bytes: Mapped[int] = mapped_column(RowId)


class LogChunk(Base):
    """A run of a log's bytes, zstd-compressed; chunks joined by `number` (from 0) are the log.

    Any byte may be in it: readers of text put U+FFFD for what is not UTF-8. A lone surrogate that a client
    sent is kept by Python's `surrogatepass`. `first_line` counts from 1; a chunk ends with a line, except
    where one line is longer than a chunk.
    """

    __tablename__ = "log_chunk"

    log_id: Mapped[int] = mapped_column(ForeignKey(Log.id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_line: Mapped[int]
    size_bytes: Mapped[int] = mapped_column(RowId)
    content: Mapped[bytes] = mapped_column(LargeBinary)
