"""Keys of access tokens, which are changed without a pause.

A key is made of the secret that the services have (`JWT_SERVER_SECRET`) and of what is stored with its
number: neither a copy of the database nor the secret alone is enough to sign. The first key is the secret
itself.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, insert, select

from spackmon.auth.audit import Action, Actor, note
from spackmon.models import SigningKey, utc_now

_SALT_BYTES = 32
# Processes learn of a new key so late at most, and sign with the one before until then.
LEARNT_SECONDS = 20.0
_CLOCKS_DIFFER_SECONDS = 30.0
FIRST_KEY = 0
"""The number of the secret itself."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key without the secret."""

    id: int
    salt: bytes
    ends_others: bool
    created_at: datetime


class Keys:
    """The keys that sign and verify, as the database has them; none stored is the secret alone."""

    def __init__(self, secret: str, stored: Sequence[StoredKey], lifetime_seconds: int) -> None:
        self._made = {FIRST_KEY: secret}
        self._ends: dict[int, datetime] = {}
        self.newest = FIRST_KEY
        after = timedelta(seconds=lifetime_seconds + LEARNT_SECONDS + _CLOCKS_DIFFER_SECONDS)
        for key in stored:
            if key.ends_others:
                self._made, self._ends = {}, {}
            else:
                self._ends[self.newest] = key.created_at + after
            salted = b"access tokens\0" + key.salt
            self._made[key.id] = hmac.new(secret.encode(), salted, hashlib.sha256).hexdigest()
            self.newest = key.id

    def key(self, key_id: int) -> str | None:
        """The key of this number; None where there is none, or what it signed has ended."""
        ends_at = self._ends.get(key_id)
        return None if ends_at is not None and ends_at <= utc_now() else self._made.get(key_id)

    def knows(self, key_id: int) -> bool:
        """Whether there was a key of this number when these were read."""
        return key_id in self._made


def stored_keys(connection: Connection) -> list[StoredKey]:
    """All keys, the oldest first."""
    statement = select(SigningKey.id, SigningKey.salt, SigningKey.ends_others, SigningKey.created_at)
    return [StoredKey(*row) for row in connection.execute(statement.order_by(SigningKey.id))]


def rotate_key(connection: Connection, *, ends_others: bool = False, by: Actor | None = None) -> int:
    """A new key that signs from now on, and its number.

    What older ones signed is good until it ends by itself, or with `ends_others` no longer.
    """
    values = {"salt": secrets.token_bytes(_SALT_BYTES), "ends_others": ends_others, "created_at": utc_now()}
    key_id = connection.execute(insert(SigningKey).values(**values).returning(SigningKey.id)).scalar_one()
    note(connection, by, Action.KEY_ROTATED, "", f"key {key_id}{', others ended' if ends_others else ''}")
    return key_id
