"""Tokens: the secrets that people's clients write with, shown once and kept as a SHA-256."""

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from spackmon.auth.audit import Action, Actor, note
from spackmon.auth.people import person_named
from spackmon.errors import Code, Refused
from spackmon.models import Person, Token, utc_now
from spackmon.viewer import READ, SCOPES, SCOPES_OF_ROLES, WRITE

_RANDOM_BYTES = 32
# Those of the old server, which clients go on writing with, have 20 bytes.
_LOOKS = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as lists show it; the secret itself is not kept."""

    id: int
    person: str
    scopes: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def create_token(
    connection: Connection,
    person: str,
    scopes: Collection[str] | None = None,
    expires_at: datetime | None = None,
    by: Actor | None = None,
) -> str:
    """A new token of the person with this name: for these scopes, or to report and read as far as they may.

    Raises Refused PERSON_UNKNOWN, PERSON_DISABLED, SCOPE_UNKNOWN for what is none of `SCOPES`, and
    SCOPE_EXCEEDS_ROLE for what the person may not do.
    """
    if scopes is not None and (not scopes or set(scopes) - set(SCOPES)):
        given = ", ".join(map(repr, sorted(scopes))) or "nothing"
        raise Refused(Code.SCOPE_UNKNOWN, f"a token is for some of {', '.join(SCOPES)}, not for {given}")
    person_id = person_named(connection, person)
    row = connection.execute(select(Person.disabled_at, Person.role).where(Person.id == person_id)).one()
    if row.disabled_at is not None:
        raise Refused(Code.PERSON_DISABLED, f"{person!r} was disabled and gets no token")
    allowed = SCOPES_OF_ROLES[row.role]
    wanted = allowed & {WRITE, READ} if scopes is None else frozenset(scopes)
    if excess := wanted - allowed:
        sentence = f"{person!r} is a {row.role} and gets no token for {', '.join(sorted(excess))}"
        raise Refused(Code.SCOPE_EXCEEDS_ROLE, sentence)
    secret = secrets.token_hex(_RANDOM_BYTES)
    in_order = " ".join(scope for scope in SCOPES if scope in wanted)
    token_id = connection.execute(
        insert(Token)
        .values(
            person_id=person_id, digest=digest(secret), created_at=utc_now(), expires_at=expires_at,
            scopes=in_order,
        )
        .returning(Token.id)
    ).scalar_one()  # fmt: skip
    note(connection, by, Action.TOKEN_CREATED, person, f"token {token_id} for {in_order}")
    return secret


def list_tokens(connection: Connection, person: str | None = None) -> list[TokenRecord]:
    """The tokens of one person, or of everybody, oldest first. Raises Refused PERSON_UNKNOWN."""
    statement = select(
        Token.id, Person.name, Token.scopes, Token.created_at, Token.expires_at, Token.last_used_at,
        Token.revoked_at,
    ).join(Person, Person.id == Token.person_id)  # fmt: skip
    if person is not None:
        statement = statement.where(Token.person_id == person_named(connection, person))
    return [TokenRecord(*row) for row in connection.execute(statement.order_by(Token.id))]


def revoke_token(
    connection: Connection, token_id: int, of: str | None = None, by: Actor | None = None
) -> None:
    """End a token, and every access token that was given for it, now; `of` is whose it must be.

    Raises Refused TOKEN_UNKNOWN.
    """
    person = connection.execute(
        select(Person.name).join(Token, Token.person_id == Person.id).where(Token.id == token_id)
    ).scalar()
    if person is None or of not in (None, person):
        raise Refused(
            Code.TOKEN_UNKNOWN, f"there is no token {token_id}: `spackmon token list` shows them all"
        )
    current = Token.id == token_id, Token.revoked_at.is_(None)
    if connection.execute(update(Token).where(*current).values(revoked_at=utc_now())).rowcount:
        note(connection, by, Action.TOKEN_REVOKED, person, f"token {token_id}")


def is_current(now: datetime) -> ColumnElement[bool]:
    """Of tokens whose end has not come."""
    return Token.expires_at.is_(None) | (Token.expires_at > now)


def note_uses(connection: Connection, used: Mapping[int, datetime]) -> None:
    """Write down when tokens were last used, by id."""
    for token_id, used_at in sorted(used.items()):
        connection.execute(update(Token).where(Token.id == token_id).values(last_used_at=used_at))


def digest(secret: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def looks_like_token(secret: str) -> bool:
    """Whether this can be one of our tokens; anything else may be a password."""
    return _LOOKS.fullmatch(secret) is not None
