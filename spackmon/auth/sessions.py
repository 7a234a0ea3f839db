"""Sessions: browsers in which people are signed in, each known by a random secret in a cookie.

The secret is new at each sign-in, and only its SHA-256 is stored. The key of a session's forms follows from
it: a page of another site, which cannot read the cookie, cannot know it.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update

from spackmon.auth.audit import Action, Actor, note
from spackmon.auth.tokens import digest
from spackmon.database import Database
from spackmon.errors import Code, Refused
from spackmon.models import Person, Session, utc_now

_RANDOM_BYTES = 32
_USE_NOTED = timedelta(minutes=5)
_MOST_BROWSER_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The person behind a session."""

    session_id: int
    person_id: int
    name: str
    role: str
    form_key: str

    def acting_from(self, address: str) -> Actor:
        """The person as who changes rights."""
        return Actor(self.name, address)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as lists show it."""

    id: int
    way: str
    address: str
    browser: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime


class Sessions:
    """Begins and finds sessions: each ends `lifetime` after it began, or `idle` after its last use."""

    def __init__(self, database: Database, lifetime: timedelta, idle: timedelta) -> None:
        self._database = database
        self.lifetime, self._idle = lifetime, idle
        self._used: dict[int, datetime] = {}

    async def signed_in(self, secret: str) -> SignedIn | None:
        """Whose session has this secret; None where it has ended, or its person was disabled."""
        now = utc_now()
        statement = (
            select(Session.id, Session.person_id, Session.last_used_at, Person.name, Person.role)
            .join(Person, Person.id == Session.person_id)
            .where(
                Session.digest == digest(secret), Session.expires_at > now,
                Session.last_used_at > now - self._idle, Person.disabled_at.is_(None),
            )
        )  # fmt: skip
        row = await self._database.admit_held(lambda connection: connection.execute(statement).first())
        if row is None:
            return None
        if now - row.last_used_at >= min(_USE_NOTED, self._idle / 4):
            self._used[row.id] = now
        return SignedIn(row.id, row.person_id, row.name, row.role, form_key(secret))

    async def begin(self, person_id: int, way: str, browser: str, by: Actor) -> str:
        """A new session of a person, who signed in by this way; its secret."""
        secret = secrets.token_urlsafe(_RANDOM_BYTES)
        now = utc_now()

        def work(connection: Connection) -> None:
            forget_ended(connection, now - self._idle)
            connection.execute(
                insert(Session).values(
                    person_id=person_id, digest=digest(secret), way=way, address=by.address,
                    browser=browser[:_MOST_BROWSER_CHARACTERS], created_at=now, last_used_at=now,
                    expires_at=now + self.lifetime,
                )
            )  # fmt: skip
            note(connection, by, Action.SIGNED_IN, by.name, way)

        await self._database.write_held(work)
        return secret

    def take_used(self) -> dict[int, datetime]:
        """The sessions whose last use is to be written down, by id; they are forgotten here."""
        used, self._used = self._used, {}
        return used


def form_key(secret: str) -> str:
    """What the forms of a session have in them."""
    return hashlib.sha256(f"form {secret}".encode("utf-8", "surrogatepass")).hexdigest()


def list_sessions(connection: Connection, person_id: int) -> list[SessionRecord]:
    """The sessions of a person that have not reached their end, the newest first."""
    statement = select(
        Session.id, Session.way, Session.address, Session.browser, Session.created_at, Session.expires_at,
        Session.last_used_at,
    ).where(Session.person_id == person_id, Session.expires_at > utc_now())  # fmt: skip
    return [SessionRecord(*row) for row in connection.execute(statement.order_by(Session.id.desc()))]


def end_session(connection: Connection, person_id: int, session_id: int, by: Actor) -> None:
    """End a session of this person, now. Raises Refused SESSION_UNKNOWN."""
    own = Session.id == session_id, Session.person_id == person_id
    if connection.execute(delete(Session).where(*own)).rowcount == 0:
        raise Refused(Code.SESSION_UNKNOWN, f"you have no session {session_id}")
    note(connection, by, Action.SESSION_ENDED, by.name, f"session {session_id}")


def end_sessions(connection: Connection, person_id: int, *, but: Collection[int] = ()) -> None:
    """End all sessions of a person, but for some."""
    connection.execute(delete(Session).where(Session.person_id == person_id, Session.id.not_in(but)))


def forget_ended(connection: Connection, unused_since: datetime) -> None:
    """Delete the sessions that have ended by themselves."""
    connection.execute(
        delete(Session).where((Session.expires_at <= utc_now()) | (Session.last_used_at <= unused_since))
    )


def note_session_uses(connection: Connection, used: dict[int, datetime]) -> None:
    """Write down when sessions were last used, by id."""
    for session_id, used_at in sorted(used.items()):
        connection.execute(update(Session).where(Session.id == session_id).values(last_used_at=used_at))
