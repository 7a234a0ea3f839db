"""Known defects, and which packages they are of."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, JsonText, RowId, UtcDateTime


class Advisory(Base):
    """A known defect by its `identifier`, as `CVE-2022-37434`.

    `aliases`, `affects` and `undecided` are JSON lists: its other identifiers, what it is about in words, and
    what of that nobody can decide here. A withdrawn one has no ranges.
    """

    __tablename__ = "advisory"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    identifier: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    aliases: Mapped[str] = mapped_column(JsonText)
    summary: Mapped[str] = mapped_column(ByteOrderedText)
    affects: Mapped[str] = mapped_column(JsonText)
    undecided: Mapped[str] = mapped_column(JsonText)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AdvisoryRange(Base):
    """Versions of a package that have a defect: their keys from `low` on and below `high`."""

    __tablename__ = "advisory_range"
    __table_args__ = (Index(None, "package_name", "low"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    advisory_id: Mapped[int] = mapped_column(ForeignKey(Advisory.id), index=True)
    package_name: Mapped[str] = mapped_column(ByteOrderedText)
    low: Mapped[bytes] = mapped_column(LargeBinary)
    high: Mapped[bytes] = mapped_column(LargeBinary)


class AdvisoryVariant(Base):
    """What a spec of the range must have to be affected, as a row of Parameter says it."""

    __tablename__ = "advisory_variant"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 -- SQLAlchemy's own form

    advisory_range_id: Mapped[int] = mapped_column(ForeignKey(AdvisoryRange.id), primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    value: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
