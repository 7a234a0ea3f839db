"""Environments of Spack: what people ask for together, and what it became."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime
from spackmon.models.graph import Spec
from spackmon.models.people import Person


class SpackEnvironment(Base):
    """An environment, by the name that its owner calls it by."""

    __tablename__ = "spack_environment"
    __table_args__ = (UniqueConstraint("owner_id", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey(Person.id))
    name: Mapped[str] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LockFile(Base):
    """What an environment became at one time. `digest` is the SHA-256 of what its roots say, as JSON."""

    __tablename__ = "lock_file"
    __table_args__ = (UniqueConstraint("environment_id", "digest"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    environment_id: Mapped[int] = mapped_column(ForeignKey(SpackEnvironment.id))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[int]
    spack_version: Mapped[str | None] = mapped_column(ByteOrderedText)
    audience_id: Mapped[int | None] = mapped_column(RowId)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LockFileRoot(Base):
    """A root of a lock file; `spec_id` is NULL while nobody reported the spec with `spec_hash`."""

    __tablename__ = "lock_file_root"
    __table_args__ = (UniqueConstraint("lock_file_id", "position"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    lock_file_id: Mapped[int] = mapped_column(ForeignKey(LockFile.id))
    position: Mapped[int]
    abstract_spec: Mapped[str] = mapped_column(ByteOrderedText)
    spec_hash: Mapped[str] = mapped_column(ByteOrderedText)
    spec_id: Mapped[int | None] = mapped_column(RowId, ForeignKey(Spec.id), index=True)
    group_name: Mapped[str | None] = mapped_column(ByteOrderedText)
    included_from: Mapped[str | None] = mapped_column(ByteOrderedText)
