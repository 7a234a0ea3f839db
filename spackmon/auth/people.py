"""People: added, given roles and disabled, found by name."""

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from spackmon.auth.audit import Action, Actor, note
from spackmon.auth.old_passwords import OLD_ALGORITHM, is_old, is_old_password
from spackmon.errors import Code, Refused
from spackmon.ingest.tables.audiences import audience
from spackmon.models import DefaultAudience, Person, Session, utc_now
from spackmon.status import Visibility
from spackmon.viewer import SCOPES_OF_ROLES, WRITER

# Builds that are reported without authentication belong to this person, who therefore cannot sign in.
ANONYMOUS = "anonymous"

# The name stands before a colon in HTTP Basic, on command lines and in addresses.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_PASSWORD_MINIMUM_CHARACTERS = 8
HASHER = PasswordHasher()
"""Says what a guess costs."""

_site_visibility = [Visibility.PUBLIC]


def use_for_site(visibility: Visibility) -> None:
    """Say whom the reports of people are for whom this process adds, until it is said otherwise."""
    _site_visibility[:] = [visibility]


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """A person as lists show them."""

    id: int
    name: str
    role: str
    has_password: bool
    created_at: datetime
    disabled_at: datetime | None


def add_person(
    connection: Connection,
    name: str,
    password: str | None = None,
    role: str = WRITER,
    by: Actor | None = None,
) -> int:
    """Add somebody and return their id.

    Raises Refused PERSON_NAME_INVALID, PERSON_EXISTS, ROLE_UNKNOWN or PASSWORD_TOO_SHORT.
    """
    _check_role(role)
    if not _NAME.fullmatch(name) or name == ANONYMOUS:
        raise Refused(
            Code.PERSON_NAME_INVALID,
            f"{name!r} cannot be a person's name: expected letters, digits and . _ @ + -, not {ANONYMOUS!r}",
        )
    if _find(connection, name) is not None:
        raise Refused(Code.PERSON_EXISTS, f"there is a person named {name!r} already")
    person_id = _insert(connection, name, None if password is None else hash_password(password), role)
    note(connection, by, Action.PERSON_ADDED, name, role)
    return person_id


def list_people(connection: Connection) -> list[PersonRecord]:
    """Everybody, by name."""
    rows = connection.execute(
        select(
            Person.id, Person.name, Person.role, Person.password_hash.is_not(None), Person.created_at,
            Person.disabled_at,
        ).order_by(Person.name)
    )  # fmt: skip
    return [PersonRecord(*row) for row in rows]


def disable_person(connection: Connection, name: str, by: Actor | None = None) -> None:
    """Let somebody read and report no longer, from now on; what they reported stays theirs.

    Raises Refused PERSON_UNKNOWN.
    """
    person_id = person_named(connection, name)
    enabled = Person.id == person_id, Person.disabled_at.is_(None)
    if connection.execute(update(Person).where(*enabled).values(disabled_at=utc_now())).rowcount:
        connection.execute(delete(Session).where(Session.person_id == person_id))
        note(connection, by, Action.PERSON_DISABLED, name)


def enable_person(connection: Connection, name: str, by: Actor | None = None) -> None:
    """Let somebody in again who was disabled; their tokens are good again. Raises Refused PERSON_UNKNOWN."""
    disabled = Person.id == person_named(connection, name), Person.disabled_at.is_not(None)
    if connection.execute(update(Person).where(*disabled).values(disabled_at=None)).rowcount:
        note(connection, by, Action.PERSON_ENABLED, name)


def set_role(connection: Connection, name: str, role: str, by: Actor | None = None) -> None:
    """Let somebody do what this role allows, from now on. Raises Refused PERSON_UNKNOWN, ROLE_UNKNOWN."""
    _check_role(role)
    person_id = person_named(connection, name)
    before = connection.execute(select(Person.role).where(Person.id == person_id)).scalar_one()
    if before != role:
        connection.execute(update(Person).where(Person.id == person_id).values(role=role))
        note(connection, by, Action.ROLE_CHANGED, name, f"{before} to {role}")


def set_password(connection: Connection, name: str, password: str, by: Actor | None = None) -> None:
    """Give somebody this password, and end their sessions.

    Raises Refused PERSON_UNKNOWN, PASSWORD_TOO_SHORT.
    """
    person_id = person_named(connection, name)
    hashed = hash_password(password)
    connection.execute(update(Person).where(Person.id == person_id).values(password_hash=hashed))
    connection.execute(delete(Session).where(Session.person_id == person_id))
    note(connection, by, Action.PASSWORD_CHANGED, name)


def person_named(connection: Connection, name: str) -> int:
    """The id of the person with this name. Raises Refused PERSON_UNKNOWN."""
    person_id = _find(connection, name)
    if person_id is None:
        raise Refused(
            Code.PERSON_UNKNOWN, f"there is no person named {name!r}: add one with `spackmon user add`"
        )
    return person_id


def anonymous(connection: Connection) -> int:
    """The id of the person to whom unauthenticated reports belong, added on first need."""
    person_id = _find(connection, ANONYMOUS)
    if person_id is not None:
        return person_id
    try:
        with connection.begin_nested():
            return _insert(connection, ANONYMOUS, None, WRITER)
    except IntegrityError:  # another process was first
        return person_named(connection, ANONYMOUS)


def hash_password(password: str) -> str:
    """What is kept of a password (Argon2id). Raises Refused PASSWORD_TOO_SHORT."""
    if len(password) < _PASSWORD_MINIMUM_CHARACTERS:
        raise Refused(
            Code.PASSWORD_TOO_SHORT,
            f"the password is too short: expected at least {_PASSWORD_MINIMUM_CHARACTERS} characters",
        )
    return HASHER.hash(password)


def hash_of_none() -> str:
    """As `hash_password` writes it, of no password: to judge one by it takes as long."""
    salt, digest = (
        b64encode(bytes(length)).decode().rstrip("=") for length in (HASHER.salt_len, HASHER.hash_len)
    )
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


def is_password(password_hash: str, password: str) -> bool:
    """Whether `password` is the one that was hashed, here or by the old server; slow on purpose."""
    if is_old(password_hash):
        return is_old_password(password_hash, password)
    try:
        return HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def hashes_to_judge(connection: Connection, name: str) -> tuple[str, str | None]:
    """The hash that judges a person's password, and beside it one of the other kind while any is old.

    Both are verified for whatever name: neither how long a refusal takes nor what it says names anybody.
    """
    own = connection.execute(
        select(Person.password_hash).where(Person.name == name, Person.disabled_at.is_(None))
    ).scalar()
    old = connection.execute(
        select(Person.password_hash).where(Person.password_hash.startswith(OLD_ALGORITHM)).limit(1)
    ).scalar()
    judged = own or hash_of_none()
    return judged, None if old is None else hash_of_none() if is_old(judged) else old


def renew_password(connection: Connection, name: str, old_hash: str, password: str) -> None:
    """Keep the right password of a person by a hash of ours in place of the old server's."""
    connection.execute(
        update(Person)
        .where(Person.name == name, Person.password_hash == old_hash)
        .values(password_hash=HASHER.hash(password))
    )


def has_password(connection: Connection, name: str, password: str) -> bool:
    """Whether `password` is this person's; never for one who is disabled. Raises Refused PERSON_UNKNOWN."""
    person_id = person_named(connection, name)
    password_hash = connection.execute(
        select(Person.password_hash).where(Person.id == person_id, Person.disabled_at.is_(None))
    ).scalar()
    return password_hash is not None and is_password(password_hash, password)


def _find(connection: Connection, name: str) -> int | None:
    return connection.execute(select(Person.id).where(Person.name == name)).scalar()


def _check_role(role: str) -> None:
    if role not in SCOPES_OF_ROLES:
        raise Refused(Code.ROLE_UNKNOWN, f"{role!r} is no role: expected {', '.join(SCOPES_OF_ROLES)}")


def _insert(connection: Connection, name: str, password_hash: str | None, role: str) -> int:
    person_id: int = connection.execute(
        insert(Person)
        .values(name=name, password_hash=password_hash, role=role, created_at=utc_now())
        .returning(Person.id)
    ).scalar_one()
    begin_as_site_says(connection, person_id)
    return person_id


def begin_as_site_says(connection: Connection, person_id: int) -> None:
    """Let the reports of somebody who was just added be for whom the site says."""
    audience_id = audience(connection, _site_visibility[0], person_id)
    if audience_id is not None:
        connection.execute(insert(DefaultAudience).values(person_id=person_id, audience_id=audience_id))
