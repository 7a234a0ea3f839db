"""People, what they sign in and write with, and what was changed of their rights."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from spackmon.models.columns import Base, ByteOrderedText, RowId, UtcDateTime
from spackmon.viewer import WRITER


class Person(Base):
    """Somebody who reads or reports builds. Without authentication everything belongs to `anonymous`.

    `role` is a word of `spackmon.viewer.SCOPES_OF_ROLES`.
    """

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(ByteOrderedText, unique=True)
    password_hash: Mapped[str | None] = mapped_column(ByteOrderedText)
    role: Mapped[str] = mapped_column(ByteOrderedText, server_default=WRITER)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Identity(Base):
    """Who a person is at another service.

    `subject` is theirs there for ever, `name` is what they were called there last.
    """

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    issuer: Mapped[str] = mapped_column(ByteOrderedText)
    subject: Mapped[str] = mapped_column(ByteOrderedText)
    name: Mapped[str] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


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


class Session(Base):
    """A browser in which a person is signed in; of its secret only the SHA-256 is kept.

    A session that ends is deleted. `last_used_at` is right to some minutes.
    """

    __tablename__ = "session"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey(Person.id), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    way: Mapped[str] = mapped_column(ByteOrderedText)
    address: Mapped[str] = mapped_column(ByteOrderedText)
    browser: Mapped[str] = mapped_column(ByteOrderedText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    last_used_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AuditEntry(Base):
    """One change of a right: who changed what, of whom, when and from where.

    People are named and not referred to: the log is no less true when a name is given up.
    """

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(ByteOrderedText)
    address: Mapped[str] = mapped_column(ByteOrderedText)
    action: Mapped[str] = mapped_column(ByteOrderedText)
    subject: Mapped[str] = mapped_column(ByteOrderedText, index=True)
    detail: Mapped[str] = mapped_column(ByteOrderedText)


class SigningKey(Base):
    """What a key of access tokens is made of, beside the secret of the services; the newest one signs.

    With `ends_others` no token is good any longer that an older one signed.
    """

    __tablename__ = "signing_key"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    ends_others: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RateCount(Base):
    """How often something was done that is limited, by its key, in the window that ends then."""

    __tablename__ = "rate_count"

    key: Mapped[str] = mapped_column(ByteOrderedText, primary_key=True)
    count: Mapped[int]
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
