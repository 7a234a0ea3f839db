"""What analyzers found out about builds and the files they installed."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Build, InstallFile
from spackmon.models.columns import Base, ByteOrderedText, JsonText, RowId, UtcDateTime


class Analysis(Base):
    """One analyzer's last run over a build; a re-run replaces its attributes."""

    __tablename__ = "analysis"
    __table_args__ = (UniqueConstraint("build_id", "analyzer"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey(Build.id))
    analyzer: Mapped[str] = mapped_column(ByteOrderedText)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Attribute(Base):
    """A value that an analyzer gave to a build or to one of its files; one of the three values is set."""

    __tablename__ = "attribute"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id), index=True)
    install_file_id: Mapped[int | None] = mapped_column(ForeignKey(InstallFile.id), index=True)
    name: Mapped[str] = mapped_column(ByteOrderedText)
    value: Mapped[str | None] = mapped_column(ByteOrderedText)
    binary_value: Mapped[bytes | None] = mapped_column(LargeBinary)
    json_value: Mapped[str | None] = mapped_column(JsonText)
