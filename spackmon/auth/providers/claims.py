"""What another service says of somebody."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from spackmon.auth.providers.pending import Proofs
from spackmon.errors import Code, Refused


@dataclass(frozen=True, slots=True)
class Claimed:
    """Who somebody is there: `subject` is theirs at `issuer` for ever, a name is not.

    `names` are what they would like to be called here, the best first. `role` and `groups` are None where
    the service does not decide about them.
    """

    issuer: str
    subject: str
    names: tuple[str, ...]
    role: str | None = None
    groups: frozenset[str] | None = None


class Provider(Protocol):
    """A service that is asked who somebody is.

    `way` is the word of it in addresses and lists, `name` what people call it.
    """

    @property
    def way(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def issuer(self) -> str: ...

    async def address(self, proofs: Proofs, back: str) -> str:
        """Where to send a browser, which comes back to the address `back`.

        Raises Refused PROVIDER_AWAY, PROVIDER_REFUSED.
        """

    async def claimed(self, answer: Mapping[str, str], proofs: Proofs, back: str) -> Claimed:
        """Who came back with this in the address.

        Raises Refused PROVIDER_AWAY, PROVIDER_REFUSED, and SIGN_IN_NOT_ALLOWED for who is not let in.
        """


def away(name: str, reason: str) -> Refused:
    """The service does not answer."""
    return Refused(Code.PROVIDER_AWAY, f"{name} does not answer ({reason}): try again in a moment")


def no_good(name: str, reason: str) -> Refused:
    """The service says no, or what cannot be believed."""
    return Refused(Code.PROVIDER_REFUSED, f"{name} did not say who you are: {reason}")
