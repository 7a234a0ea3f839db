"""What analyzers found out about runs and the files they installed."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt, InstallFile
from spackmon.models.claims import Claim
from spackmon.models.columns import COUNTED, Base, ByteOrderedText, JsonText, RowId, UtcDateTime


class Analysis(Base):
    """One analyzer's last report by one source; a re-run replaces its attributes.

    `attempt_id` is the run that it is an analysis of, null where another source's stands for that analyzer.
    """

    __tablename__ = "analysis"
    __table_args__ = (UniqueConstraint("claim_id", "analyzer"), COUNTED)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    claim_id: Mapped[int] = mapped_column(ForeignKey(Claim.id))
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(Attempt.id), index=True)
    analyzer: Mapped[str] = mapped_column(ByteOrderedText)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Attribute(Base):
    """A value that an analyzer gave to a run or to one of its files; one of the three values is set.

    `attempt_id` is its analysis's. `path` is the file as the analyzer named it, `install_file_id` the row
    of the run's manifest that has it.
    """

    __tablename__ = "attribute"
    __table_args__ = COUNTED

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey(Analysis.id), index=True)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey(Attempt.id), index=True)
    path: Mapped[str | None] = mapped_column(ByteOrderedText)
    install_file_id: Mapped[int | None] = mapped_column(ForeignKey(InstallFile.id), index=True)
    name: Mapped[str] = mapped_column(ByteOrderedText)
    value: Mapped[str | None] = mapped_column(ByteOrderedText)
    binary_value: Mapped[bytes | None] = mapped_column(LargeBinary)
    json_value: Mapped[str | None] = mapped_column(JsonText)
