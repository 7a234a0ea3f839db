"""People and the tokens they write with."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime


class Person(Base):
    """Somebody who reports builds. Without authentication everything belongs to `anonymous`."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    password_hash: Mapped[str | None] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Token(Base):
    """A secret that a person's clients write with; only its SHA-256 is kept.

    A token has 256 random bits, so that a fast hash is enough and a storm of token requests is cheap.
    `scopes` are words of `spackmon.viewer.SCOPES`, with blanks between; one without an end has no
    `expires_at`. `last_used_at` is right to the hour.
    """

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[str] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
