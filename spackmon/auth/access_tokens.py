"""Access tokens: short-lived JWTs that a client gets for its token and writes with.

The claims are those of the old server, which had them from Docker's registry, and the id of the token
that was shown for it: without that a revoked token would go on writing until its JWT expires.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import jwt

from spackmon.auth.clock_jumps import ClockJumps
from spackmon.auth.signing_keys import FIRST_KEY, Keys, StoredKey
from spackmon.errors import Code, Refused

_ALGORITHM = "HS256"
_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
_ACCESS = [{"type": "build", "actions": ["build"]}]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A signed JWT, and what the answer says about it."""

    jwt: str
    expires_in_seconds: int
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose access token this is, and the token it was given for; None where it was a password."""

    person: str
    token_id: int | None


class AccessTokens:
    """Issues and reads access tokens; `secret` gets what their keys are made of from where it is kept."""

    def __init__(self, secret: Callable[[], str], lifetime_seconds: int) -> None:
        self._get_secret = secret
        self._secret: str | None = None
        self._keys: Keys | None = None
        self.has_read_keys = False
        """Whether the keys are those of the database; before that there is the secret itself."""
        self._lifetime_seconds = lifetime_seconds
        # For longer none lives that was issued before a jump.
        self._jumps = ClockJumps(lifetime_seconds)

    @property
    def is_open(self) -> bool:
        """Whether the secret is there; without it nothing can be issued or read."""
        return self._keys is not None

    def open(self) -> None:
        """Get the secret, once. Raises Refused when it cannot be had."""
        if self._secret is None:
            self._secret = self._get_secret()
            self._keys = Keys(self._secret, [], self._lifetime_seconds)

    def use(self, stored: Sequence[StoredKey]) -> None:
        """Sign and verify with these from now on. Raises Refused when the secret cannot be had."""
        self.open()
        self._keys = Keys(cast(str, self._secret), stored, self._lifetime_seconds)
        self.has_read_keys = True

    def knows_key_of(self, encoded: str) -> bool:
        """Whether the key that signed an access token can be told: another process may have a newer one."""
        key_id = _key_id(encoded)
        return key_id is None or (self._keys is not None and self._keys.knows(key_id))

    def issue(self, claims: Claims, issuer: str) -> AccessToken:
        """An access token from now on; `issuer` is the address of the token endpoint."""
        issued_at = datetime.now(UTC)
        now = int(issued_at.timestamp())
        payload = {
            "iss": issuer,
            "sub": claims.person,
            "exp": now + self._lifetime_seconds,
            "nbf": now,
            "iat": now,
            "jti": secrets.token_hex(16),
            "access": _ACCESS,
            "token_id": claims.token_id,
        }
        keys = cast(Keys, self._keys)
        key = cast(str, keys.key(keys.newest))
        # Without a number it is the secret itself, as it always was.
        headers = {"kid": str(keys.newest)} if keys.newest else None
        signed = jwt.encode(payload, key, algorithm=_ALGORITHM, headers=headers)
        return AccessToken(signed, self._lifetime_seconds, issued_at)

    def read(self, encoded: str) -> Claims:
        """Whose it is. Raises Refused TOKEN_INVALID or TOKEN_EXPIRED (401) or SCOPE_MISSING (403)."""
        key_id = _key_id(encoded)
        key = None if key_id is None else cast(Keys, self._keys).key(key_id)
        if key is None:
            raise Refused(Code.TOKEN_INVALID, "the access token is not one of this server")
        try:
            payload = jwt.decode(
                encoded,
                key,
                algorithms=[_ALGORITHM],
                leeway=self._jumps.ahead_seconds(),
                # A second process's clock may be ahead of ours: only the end of the time counts.
                options={"require": ["exp", "sub", "access"], "verify_nbf": False, "verify_iat": False},
            )
        except jwt.ExpiredSignatureError:
            raise Refused(Code.TOKEN_EXPIRED, "the access token has expired: ask for a new one") from None
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            raise Refused(Code.TOKEN_INVALID, "the access token is not one of this server") from None
        if payload["access"] != _ACCESS:
            raise Refused(Code.SCOPE_MISSING, "the access token does not allow to report builds")
        return Claims(payload["sub"], payload.get("token_id"))


def _key_id(encoded: str) -> int | None:
    """The number of the key that an access token says it was signed with; None where that can be none."""
    try:
        stated = jwt.get_unverified_header(encoded).get("kid")
    except (jwt.InvalidTokenError, UnicodeEncodeError):
        return None
    if stated is None:
        return FIRST_KEY
    return int(stated) if isinstance(stated, str) and _NUMBER.fullmatch(stated) else None
