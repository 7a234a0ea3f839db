"""How often passwords may be guessed: by one address for one name, by one address, and for one name.

A right password, a token and a guess that was made before count for nothing: a build machine whose neighbour
has a wrong password goes on.
"""

import hashlib
import math
import time
from collections.abc import Iterator
from ipaddress import IPv6Address, ip_address

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Connection

from spackmon.auth.audit import note_refusal
from spackmon.auth.rate_counts import ConnectionStorage
from spackmon.database import Database
from spackmon.errors import Code, Refused

_MINUTES = 10
_OF_ONE_FOR_ONE = RateLimitItemPerMinute(10, _MINUTES, namespace="pair")
_OF_ONE_ADDRESS = RateLimitItemPerMinute(100, _MINUTES, namespace="address")
_FOR_ONE_NAME = RateLimitItemPerMinute(100, _MINUTES, namespace="name")
# Whoever has one address of IPv6 has all of its network.
_NETWORK_BITS = 64


class Guesses:
    """The wrong passwords of the last minutes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, name: str, address: str) -> None:
        """Raises Refused GUESSES_LIMITED, with the seconds to wait, where too many were wrong."""

        def work(connection: Connection) -> float | None:
            limiter = FixedWindowRateLimiter(ConnectionStorage(connection))
            ends = [
                limiter.get_window_stats(limit, key).reset_time
                for limit, key in _limits(name, address)
                if not limiter.test(limit, key)
            ]
            return max(ends, default=None)

        until = await self._database.admit_held(work)
        if until is not None:
            seconds = seconds_until(until)
            sentence = f"too many passwords were wrong: try again in {seconds} seconds"
            raise Refused(Code.GUESSES_LIMITED, sentence, retry_seconds=seconds)

    async def failed(self, name: str, address: str, *, signs_in: bool) -> None:
        """Count a wrong password; where somebody `signs_in` by it, the audit log has it, too.

        A browser sends the password that is for a proxy with all that it reads: that is no sign-in.
        """

        def work(connection: Connection) -> None:
            limiter = FixedWindowRateLimiter(ConnectionStorage(connection))
            for limit, key in _limits(name, address):
                limiter.hit(limit, key)
            if signs_in:
                note_refusal(connection, address, name, "wrong password")

        await self._database.write_held(work)


def seconds_until(moment: float) -> int:
    """How long whoever asked too much has to wait for a moment of the epoch; at least a second."""
    return max(1, math.ceil(moment - time.time()))


def _limits(name: str, address: str) -> Iterator[tuple[RateLimitItem, str]]:
    who, where = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(), network_of(address)
    yield _OF_ONE_FOR_ONE, f"{where}-{who}"
    yield _OF_ONE_ADDRESS, where
    yield _FOR_ONE_NAME, who


def network_of(address: str) -> str:
    """The address, or of IPv6 its network, as a word."""
    try:
        read = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(read, IPv6Address) and read.ipv4_mapped is None:
        return f"v6-{int(read) >> (128 - _NETWORK_BITS):x}"
    return str(read)
