"""Buildcaches and mirrors: where binaries are."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, ByteOrderedWord, RowId, UtcDateTime
from spackmon.models.graph import Spec
from spackmon.models.people import Person


class Buildcache(Base):
    """A buildcache as somebody read it last, by its path or its address."""

    __tablename__ = "buildcache"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    name: Mapped[str] = mapped_column(ByteOrderedText)
    layout_version: Mapped[int | None]
    is_listed: Mapped[bool]
    audience_id: Mapped[int | None] = mapped_column(RowId)
    read_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BuildcacheEntry(Base):
    """A binary that a buildcache has or should have; NULL is what could not be seen.

    `spec_id` is NULL while nobody reported the spec with `spec_hash`; `disagreement` is a word of
    `BuildcacheDisagreement`.
    """

    __tablename__ = "buildcache_entry"
    __table_args__ = (UniqueConstraint("buildcache_id", "spec_hash", "layout_version"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    buildcache_id: Mapped[int] = mapped_column(ForeignKey(Buildcache.id))
    layout_version: Mapped[int]
    spec_hash: Mapped[str] = mapped_column(ByteOrderedWord)
    spec_id: Mapped[int | None] = mapped_column(RowId, ForeignKey(Spec.id), index=True)
    in_index: Mapped[bool | None]
    has_spec_file: Mapped[bool | None]
    has_archive: Mapped[bool | None]
    stated_hash: Mapped[str | None] = mapped_column(ByteOrderedWord)
    disagreement: Mapped[str | None] = mapped_column(ByteOrderedWord)
