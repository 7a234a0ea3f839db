"""People of the old server, with what they sign in and write with."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from spackmon.auth.audit import Action, note
from spackmon.auth.old_passwords import is_old
from spackmon.auth.people import ANONYMOUS, anonymous, begin_as_site_says
from spackmon.auth.tokens import digest, looks_like_token
from spackmon.models import Person, Token, utc_now
from spackmon.viewer import READ, WRITE, WRITER

# A client writes its person's name before a colon in HTTP Basic. Blanks and letters of all scripts are as
# good there as those that new names are made of.
_UNFIT = re.compile(r"[:\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CHARACTERS = 150


@dataclass(frozen=True, slots=True)
class OldPerson:
    """A person there; `token` is their key in clear, `password_hash` is Django's."""

    name: str
    password_hash: str | None
    joined_at: datetime
    is_active: bool
    token: str | None = None
    token_created_at: datetime | None = None
    role: str = WRITER


def name_here(name: str) -> str:
    """The name of a person of the old server here, which is another one where no client could send it."""
    if name == ANONYMOUS or not name:
        return ANONYMOUS
    fit = _UNFIT.sub("_", name)[:_CHARACTERS]
    if fit == name:
        return name
    # Two that become alike stay two people.
    return f"{fit}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def take_over(connection: Connection, person: OldPerson) -> tuple[int, bool]:
    """Add a person, or what one of that name lacks; the id, and whether their token lets them in.

    Who is `anonymous` gets neither password nor token: nobody signs in as that.
    """
    name = name_here(person.name)
    if name == ANONYMOUS:
        return anonymous(connection), False
    password_hash = person.password_hash if is_old(person.password_hash or "") else None
    found = connection.execute(select(Person.id).where(Person.name == name)).scalar()
    if found is None:
        values = {
            "name": name, "password_hash": password_hash, "created_at": person.joined_at, "role": person.role,
        }  # fmt: skip
        disabled_at = None if person.is_active else utc_now()
        added = insert(Person).values(**values, disabled_at=disabled_at).returning(Person.id)
        found = connection.execute(added).scalar_one()
        begin_as_site_says(connection, found)
        note(connection, None, Action.PERSON_ADDED, name, f"{person.role}, of the old server")
    elif password_hash is not None:
        lacks = Person.id == found, Person.password_hash.is_(None)
        connection.execute(update(Person).where(*lacks).values(password_hash=password_hash))
    return found, person.token is not None and _take_over_token(connection, found, person)


def _take_over_token(connection: Connection, person_id: int, person: OldPerson) -> bool:
    key = person.token or ""
    if not looks_like_token(key):
        return False
    if connection.execute(select(Token.id).where(Token.digest == digest(key))).first() is None:
        values = {"person_id": person_id, "digest": digest(key), "scopes": f"{WRITE} {READ}"}
        created_at = person.token_created_at or utc_now()
        connection.execute(insert(Token).values(**values, created_at=created_at))
        note(connection, None, Action.TOKEN_CREATED, name_here(person.name), "the token of the old server")
    return True
