"""Who told about a build: one install may be seen live, by CDash and by an import, and is one build."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.builds import Attempt, Build
from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime
from spackmon.models.people import Person


class BuildSource(Base):
    """One source of what is known about an attempt; `kind` is a word of `spackmon.status.SourceKind`.

    `key` is the source's own name of the install (CDash's site, stamp and build name; a prefix; a
    run of the extension): whatever comes with the same key is about the same attempt. `spec_hash` is the DAG
    hash that the source mentioned while no such spec was known: the build is linked when the spec comes in.
    """

    __tablename__ = "build_source"
    __table_args__ = (UniqueConstraint("owner_id", "kind", "key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    build_id: Mapped[int] = mapped_column(ForeignKey(Build.id), index=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey(Attempt.id), index=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    kind: Mapped[str] = mapped_column(ByteOrderedText)
    key: Mapped[str] = mapped_column(ByteOrderedText)
    spec_hash: Mapped[str | None] = mapped_column(ByteOrderedText, index=True)
    first_reported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class MergedBuild(Base):
    """A build's number that clients were told before it turned out to be another build, `build_id`."""

    __tablename__ = "merged_build"

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=False)
    build_id: Mapped[int] = mapped_column(ForeignKey(Build.id), index=True)
