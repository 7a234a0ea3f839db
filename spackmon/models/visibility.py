"""Who may see what was reported: groups of people, and the audiences that reports are for."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime
from spackmon.models.people import Person


class Group(Base):
    """People who see each other's private builds of this group."""

    __tablename__ = "person_group"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class GroupMember(Base):
    """A person who is in a group."""

    __tablename__ = "group_member"
    __table_args__ = (Index(None, "person_id", "group_id"),)

    group_id: Mapped[int] = mapped_column(ForeignKey(Group.id), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), primary_key=True)


class Audience(Base):
    """Who may see a report that is not for everybody.

    `visibility` is a word of `spackmon.status.Visibility`: INTERNAL is all who are known, PRIVATE the owner,
    and the members of a group if there is one. `key` says the same in one text. Where a site has no audience,
    every report is everybody's. None is ever deleted.
    """

    __tablename__ = "audience"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    key: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    visibility: Mapped[str] = mapped_column(ByteOrderedText)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey(Person.id), index=True)
    group_id: Mapped[int | None] = mapped_column(ForeignKey(Group.id), index=True)


class DefaultAudience(Base):
    """Whom a person's reports are for, where this is not everybody."""

    __tablename__ = "default_audience"

    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey(Audience.id))


class SpecAudience(Base):
    """Who may see a spec that is not public: whoever may see a report that has it in its graph."""

    __tablename__ = "spec_audience"
    __table_args__ = (UniqueConstraint("spec_id", "audience_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # Led to what a spec turns out to be by `ingest.tables.audiences`: without a foreign key.
    spec_id: Mapped[int] = mapped_column(RowId)
    audience_id: Mapped[int] = mapped_column(ForeignKey(Audience.id))
