"""The audit log: each change of a right, written in the transaction that makes it."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Select, delete, func, insert, select

from spackmon.models import AuditEntry, Person, utc_now

_FROM_A_COMMAND = "command"
# No person has a name with a blank.
_NOBODY = "nobody known"


class Action(StrEnum):
    """What was changed."""

    PERSON_ADDED = "person added"
    PERSON_DISABLED = "person disabled"
    PERSON_ENABLED = "person enabled"
    PASSWORD_CHANGED = "password changed"  # noqa: S105 -- a word of the log
    ROLE_CHANGED = "role changed"
    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    IDENTITY_LINKED = "identity linked"
    IDENTITY_REMOVED = "identity removed"
    SESSION_ENDED = "session ended"
    TOKEN_CREATED = "token created"  # noqa: S105 -- a word of the log
    KEY_ROTATED = "key rotated"
    TOKEN_REVOKED = "token revoked"  # noqa: S105 -- a word of the log
    GROUP_ADDED = "group added"
    MEMBER_ADDED = "member added"
    MEMBER_REMOVED = "member removed"
    VISIBILITY_CHANGED = "visibility changed"
    RULE_ADDED = "rule added"
    RULE_CHANGED = "rule changed"
    RULE_REMOVED = "rule removed"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes a right, and from which address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change: who, from where, what, of whom."""

    id: int
    changed_at: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str


def of_process() -> Actor:
    """Whoever runs this process, by the name that the system has for them."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        name = "nobody"
    return Actor(name, _FROM_A_COMMAND)


def note(connection: Connection, by: Actor | None, action: Action, subject: str, detail: str = "") -> None:
    """Write down that `by`, or whoever runs this process, changed a right of `subject`."""
    actor = by or of_process()
    connection.execute(
        insert(AuditEntry).values(
            changed_at=utc_now(), actor=actor.name, address=actor.address, action=action, subject=subject,
            detail=detail,
        )
    )  # fmt: skip


def note_refusal(connection: Connection, address: str, name: str, detail: str) -> None:
    """Write down that somebody was not let in who said to have this name.

    A name that nobody has is left out, since people type passwords there; it takes the same statement.
    """
    known = select(Person.name).where(Person.name == name).scalar_subquery()
    connection.execute(
        insert(AuditEntry).values(
            changed_at=utc_now(), actor=_NOBODY, address=address, action=Action.SIGN_IN_REFUSED,
            subject=func.coalesce(known, ""), detail=detail,
        )
    )  # fmt: skip


def changes_of_rights(
    connection: Connection, most: int, *, subject: str | None = None, before: int | None = None
) -> Sequence[AuditRecord]:
    """The newest changes first, at most so many: of one person, and before one entry, if wanted."""
    statement = select(
        AuditEntry.id, AuditEntry.changed_at, AuditEntry.actor, AuditEntry.address, AuditEntry.action,
        AuditEntry.subject, AuditEntry.detail,
    )  # fmt: skip
    if subject is not None:
        statement = statement.where(AuditEntry.subject == subject)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    rows = connection.execute(statement.order_by(AuditEntry.id.desc()).limit(most))
    return [AuditRecord(*row) for row in rows]


def last_entry(connection: Connection) -> int:
    """The greatest number of an entry."""
    return connection.scalar(select(func.max(AuditEntry.id))) or 0


def count_expired(connection: Connection, before_at: datetime, after: int, upto: int) -> int:
    """How many entries of before then there are, of those with these numbers."""
    return (
        connection.scalar(select(func.count()).select_from(_expired(before_at, after, upto).subquery())) or 0
    )


def remove_expired(connection: Connection, before_at: datetime, after: int, upto: int, most: int) -> int:
    """Delete the oldest of them, at most so many; how many."""
    oldest = _expired(before_at, after, upto).order_by(AuditEntry.id).limit(most)
    return connection.execute(delete(AuditEntry).where(AuditEntry.id.in_(oldest))).rowcount


def _expired(before_at: datetime, after: int, upto: int) -> Select[int]:
    is_old = AuditEntry.changed_at < before_at
    return select(AuditEntry.id).where(AuditEntry.id > after, AuditEntry.id <= upto, is_old)
