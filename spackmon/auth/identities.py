"""Who somebody is at another service, and which person that is here.

An identity is found by its issuer and subject alone. A name says nothing: whoever has the name of a person
at another service is not that person here, until the person or an administrator links the two.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from spackmon.auth.audit import Action, Actor, note
from spackmon.auth.groups import add_member, list_groups, remove_member
from spackmon.auth.people import ANONYMOUS, add_person, person_named, set_role
from spackmon.auth.providers.claims import Claimed
from spackmon.errors import Code, Refused
from spackmon.models import Identity, Person, utc_now

_UNFIT = re.compile(r"[^A-Za-z0-9._@+-]+")
_MOST_NAME_CHARACTERS = 80
_WITHOUT_NAME = "person"
_MOST_SUBJECT_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """An identity as lists show it."""

    id: int
    issuer: str
    subject: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


def sign_in(connection: Connection, claimed: Claimed, role: str, address: str) -> tuple[int, str]:
    """The person who came back from another service, and their name; a new one has this role.

    Raises Refused PERSON_DISABLED.
    """
    try:
        with connection.begin_nested():
            person_id, name = _person_of(connection, claimed) or _added(connection, claimed, role, address)
    except IntegrityError:  # the same identity, or the name, was added by another process at this moment
        person_id, name = _person_of(connection, claimed) or _added(connection, claimed, role, address)
    by = Actor(name, address)
    known_as = claimed.names[0] if claimed.names else claimed.subject
    connection.execute(
        update(Identity).where(*_is(claimed.issuer, claimed.subject))
        .values(last_used_at=utc_now(), name=known_as[:_MOST_NAME_CHARACTERS])
    )  # fmt: skip
    if claimed.role is not None:
        set_role(connection, name, claimed.role, by)
    if claimed.groups is not None:
        _set_groups(connection, name, claimed.groups, by)
    return person_id, name


def link(connection: Connection, person: str, issuer: str, subject: str, by: Actor | None = None) -> None:
    """Let a person sign in as who has this subject at that issuer.

    Raises Refused PERSON_UNKNOWN, FIELD_INVALID, and IDENTITY_TAKEN where it is another person's.
    """
    person_id = person_named(connection, person)
    if not 0 < len(subject) <= _MOST_SUBJECT_CHARACTERS or not subject.isprintable():
        raise Refused(
            Code.FIELD_INVALID, f"the subject must have 1 to {_MOST_SUBJECT_CHARACTERS} printable characters"
        )
    owner = connection.execute(select(Identity.person_id).where(*_is(issuer, subject))).scalar()
    if owner is None:
        _insert(connection, person_id, issuer, subject, subject)
        note(connection, by, Action.IDENTITY_LINKED, person, f"{subject} of {issuer}")
    elif owner != person_id:
        raise Refused(Code.IDENTITY_TAKEN, f"{subject} of {issuer} is another person here")


def unlink(connection: Connection, person: str, identity_id: int, by: Actor | None = None) -> None:
    """Let a person sign in no longer by one of their identities.

    Raises Refused PERSON_UNKNOWN, IDENTITY_UNKNOWN.
    """
    own = Identity.id == identity_id, Identity.person_id == person_named(connection, person)
    removed = connection.execute(
        delete(Identity).where(*own).returning(Identity.issuer, Identity.subject)
    ).first()
    if removed is None:
        raise Refused(Code.IDENTITY_UNKNOWN, f"{person!r} has no identity {identity_id}")
    note(connection, by, Action.IDENTITY_REMOVED, person, f"{removed.subject} of {removed.issuer}")


def identities_of(connection: Connection, person_id: int) -> Sequence[IdentityRecord]:
    """What a person signs in by at other services, the oldest first."""
    statement = select(
        Identity.id,
        Identity.issuer,
        Identity.subject,
        Identity.name,
        Identity.created_at,
        Identity.last_used_at,
    ).where(Identity.person_id == person_id)
    return [IdentityRecord(*row) for row in connection.execute(statement.order_by(Identity.id))]


def _person_of(connection: Connection, claimed: Claimed) -> tuple[int, str] | None:
    statement = select(Person.id, Person.name, Person.disabled_at).join(
        Identity, Identity.person_id == Person.id
    )
    found = connection.execute(statement.where(*_is(claimed.issuer, claimed.subject))).first()
    if found is None:
        return None
    if found.disabled_at is not None:
        raise Refused(Code.PERSON_DISABLED, f"{found.name!r} was disabled: ask whoever runs this service")
    return found.id, found.name


def _added(connection: Connection, claimed: Claimed, role: str, address: str) -> tuple[int, str]:
    name = _free_name(connection, claimed.names)
    by = Actor(name, address)
    person_id = add_person(connection, name, None, role, by)
    _insert(connection, person_id, claimed.issuer, claimed.subject, name)
    note(connection, by, Action.IDENTITY_LINKED, name, f"{claimed.subject} of {claimed.issuer}")
    return person_id, name


def _free_name(connection: Connection, names: Sequence[str]) -> str:
    """What nobody is called, in small letters or large ones: one name is not to be read as another."""
    for name in _possible(names):
        taken = select(Person.id).where(func.lower(Person.name) == name.lower())
        if name.lower() != ANONYMOUS and connection.execute(taken).first() is None:
            return name
    raise AssertionError("there is always another number")


def _possible(names: Sequence[str]) -> Iterator[str]:
    fit = [_UNFIT.sub("-", name).strip("._@+-")[:_MOST_NAME_CHARACTERS] for name in names]
    named = [name for name in fit if name] or [_WITHOUT_NAME]
    yield named[0]
    for number in count(2):
        yield f"{named[0]}-{number}"


def _set_groups(connection: Connection, person: str, groups: frozenset[str], by: Actor) -> None:
    for group in list_groups(connection):
        if (group.name in groups) != (person in group.members):
            change = add_member if group.name in groups else remove_member
            change(connection, group.name, person, by)


def _insert(connection: Connection, person_id: int, issuer: str, subject: str, name: str) -> None:
    connection.execute(
        insert(Identity).values(
            person_id=person_id, issuer=issuer, subject=subject, name=name[:_MOST_NAME_CHARACTERS],
            created_at=utc_now(),
        )
    )  # fmt: skip


def _is(issuer: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return Identity.issuer == issuer, Identity.subject == subject
