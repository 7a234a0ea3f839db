"""A clock that is set ahead ends no access token: how long one lives is told by a clock that nobody sets."""

import time

import jwt
import pytest

from spackmon.auth.access_tokens import AccessTokens, Claims
from spackmon.errors import Code, Refused

SECRET = "s" * 40
LIFETIME_SECONDS = 600


def expired(tokens: AccessTokens, ago_seconds: int) -> str:
    """An access token that the clock of the day says ended so long ago."""
    issued = tokens.issue(Claims("ada", None), "https://spackmon.example/auth")
    header, payload = (
        jwt.get_unverified_header(issued.jwt),
        jwt.decode(issued.jwt, options={"verify_signature": False}),
    )
    payload["exp"] = int(time.time()) - ago_seconds
    return jwt.encode(payload, SECRET, algorithm="HS256", headers=header)


def test_a_clock_that_is_set_ahead_ends_no_access_token(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = AccessTokens(lambda: SECRET, LIFETIME_SECONDS)
    tokens.open()
    steady, behind = time.clock_gettime, 0

    def read(ago_seconds: int) -> Code | None:
        try:
            tokens.read(expired(tokens, ago_seconds))
        except Refused as refused:
            return refused.code
        return None

    assert read(3000) is Code.TOKEN_EXPIRED
    monkeypatch.setattr(time, "clock_gettime", lambda clock: steady(clock) - behind)
    behind = 3600
    assert read(3000) is None
    assert read(3700) is Code.TOKEN_EXPIRED
    behind = 3600 - LIFETIME_SECONDS
    assert read(3000) is Code.TOKEN_EXPIRED
