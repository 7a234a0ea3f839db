"""Tokens: the secrets that people's clients write with, shown once and kept as a SHA-256."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from spackmon.auth.people import person_named
from spackmon.errors import Code, Refused
from spackmon.models import Person, Token, utc_now

_RANDOM_BYTES = 32
_LOOKS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as lists show it; the secret itself is not kept."""

    id: int
    person: str
    created_at: datetime
    revoked_at: datetime | None


def create_token(connection: Connection, person: str) -> str:
    """A new token of the person with this name. Raises Refused PERSON_UNKNOWN or PERSON_DISABLED."""
    person_id = person_named(connection, person)
    disabled_at = connection.execute(select(Person.disabled_at).where(Person.id == person_id)).scalar()
    if disabled_at is not None:
        raise Refused(Code.PERSON_DISABLED, f"{person!r} was disabled and gets no token")
    secret = secrets.token_hex(_RANDOM_BYTES)
    connection.execute(insert(Token).values(person_id=person_id, digest=digest(secret), created_at=utc_now()))
    return secret


def list_tokens(connection: Connection, person: str | None = None) -> list[TokenRecord]:
    """The tokens of one person, or of everybody, oldest first. Raises Refused PERSON_UNKNOWN."""
    statement = select(Token.id, Person.name, Token.created_at, Token.revoked_at).join(
        Person, Person.id == Token.person_id
    )
    if person is not None:
        statement = statement.where(Token.person_id == person_named(connection, person))
    return [TokenRecord(*row) for row in connection.execute(statement.order_by(Token.id))]


def revoke_token(connection: Connection, token_id: int) -> None:
    """End a token, and every access token that was given for it, now. Raises Refused TOKEN_UNKNOWN."""
    if connection.execute(select(Token.id).where(Token.id == token_id)).scalar() is None:
        raise Refused(
            Code.TOKEN_UNKNOWN, f"there is no token {token_id}: `spackmon token list` shows them all"
        )
    connection.execute(
        update(Token).where(Token.id == token_id, Token.revoked_at.is_(None)).values(revoked_at=utc_now())
    )


def digest(secret: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def looks_like_token(secret: str) -> bool:
    """Whether this can be one of our tokens; anything else may be a password."""
    return _LOOKS.fullmatch(secret) is not None
