"""Access tokens: short-lived JWTs that a client gets for its token and writes with.

The claims are those of the old server, which had them from Docker's registry, and the id of the token
that was shown for it: without that a revoked token would go on writing until its JWT expires.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import jwt

from spackmon.errors import Code, Refused

_ALGORITHM = "HS256"
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
    """Issues and reads access tokens with one key, which `key` gets from where it is stored."""

    def __init__(self, key: Callable[[], str], lifetime_seconds: int) -> None:
        self._get_key = key
        self._opened_key: str | None = None
        self._lifetime_seconds = lifetime_seconds

    @property
    def is_open(self) -> bool:
        """Whether the key is there; without it nothing can be issued or read."""
        return self._opened_key is not None

    def open(self) -> None:
        """Get the key, once. Raises Refused when it cannot be had."""
        if self._opened_key is None:
            self._opened_key = self._get_key()

    @property
    def _key(self) -> str:
        self.open()
        return cast(str, self._opened_key)

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
        signed = jwt.encode(payload, self._key, algorithm=_ALGORITHM)
        return AccessToken(signed, self._lifetime_seconds, issued_at)

    def read(self, encoded: str) -> Claims:
        """Whose it is. Raises Refused TOKEN_INVALID or TOKEN_EXPIRED (401) or SCOPE_MISSING (403)."""
        try:
            payload = jwt.decode(
                encoded,
                self._key,
                algorithms=[_ALGORITHM],
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
