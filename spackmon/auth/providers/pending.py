"""Sign-ins that were begun here and are to come back from another service.

What is to be known of one is in a cookie of the browser that began it. The state that comes back, the nonce
and the verifier of PKCE are made of that text with a key that the services alone have: beginning stores
nothing, which nobody can do too often, and who reads the cookie cannot make them.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from limits import RateLimitItemPerMinute
from sqlalchemy import Connection

from spackmon.auth.rate_counts import ConnectionStorage
from spackmon.errors import Code, Refused

MINUTES = 10
"""For how long whoever went to another service may come back."""
_ONCE = RateLimitItemPerMinute(1, MINUTES, namespace="sign-in")
# Browsers keep a cookie of 4,096 bytes.
_MOST_PATH_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in on its way: where to go on, and of whom the identity is to become, if somebody's."""

    way: str
    where: str
    person_id: int | None
    begun_at: int
    secret: str


@dataclass(frozen=True, slots=True)
class Proofs:
    """What one sign-in shows to the other service, and nobody else can know."""

    state: str
    nonce: str
    verifier: str


class SignIns:
    """Begins sign-ins and knows them again; `key` is the services' secret."""

    def __init__(self, key: Callable[[], str]) -> None:
        self._key = key

    def begin(self, way: str, where: str, person_id: int | None = None) -> tuple[str, Proofs]:
        """The text of the cookie, and what to go with."""
        path = where if len(where) <= _MOST_PATH_CHARACTERS else "/"
        pending = Pending(way, path, person_id, int(time.time()), secrets.token_urlsafe(32))
        text = base64.urlsafe_b64encode(json.dumps(asdict(pending)).encode()).decode()
        return text, self._proofs(text)

    def resume(self, text: str, way: str, state: str) -> tuple[Pending, Proofs]:
        """The sign-in that came back. Raises Refused SIGN_IN_UNKNOWN for any other."""
        proofs = self._proofs(text)
        if not hmac.compare_digest(state.encode("utf-8", "surrogatepass"), proofs.state.encode()):
            raise _unknown()
        # Whoever has the state has a text that was written here.
        pending = Pending(**json.loads(base64.urlsafe_b64decode(text)))
        if pending.way != way or not 0 <= time.time() - pending.begun_at < MINUTES * 60:
            raise _unknown()
        return pending, proofs

    def _proofs(self, text: str) -> Proofs:
        return Proofs(*(self._proof(name, text) for name in ("state", "nonce", "verifier")))

    def _proof(self, name: str, text: str) -> str:
        message = f"sign-in {name}\0{text}".encode("utf-8", "surrogatepass")
        made = hmac.new(self._key().encode(), message, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


def use_up(connection: Connection, proofs: Proofs) -> None:
    """Note that this sign-in came back. Raises Refused SIGN_IN_UNKNOWN where it did before."""
    key = _ONCE.key_for(hashlib.sha256(proofs.state.encode()).hexdigest())
    if ConnectionStorage(connection).incr(key, _ONCE.get_expiry()) > 1:
        raise _unknown()


def _unknown() -> Refused:
    return Refused(
        Code.SIGN_IN_UNKNOWN,
        f"this sign-in was not begun in this browser, or more than {MINUTES} minutes ago, or is over: "
        "begin again",
    )
