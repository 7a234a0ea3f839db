"""Who reads: what the gate knows of the sender of a request, and what may be shown to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

WRITE, READ, ADMIN = "build:write", "read", "admin"
SCOPES = (WRITE, READ, ADMIN)
"""What a token may be for; `admin` is for everything."""

READER, WRITER, ADMINISTRATOR = "reader", "writer", "admin"
SCOPES_OF_ROLES: Mapping[str, frozenset[str]] = {
    READER: frozenset({READ}),
    WRITER: frozenset({READ, WRITE}),
    ADMINISTRATOR: frozenset(SCOPES),
}
"""What a person of each role may do; no token and no session allows more."""

SEES_DETAILS = "sees_details"
"""The fact that decides who sees what describes people's machines: variables, owners of files."""
ADMINISTERS = "administers"
"""The fact that decides who sees what the site is run by: rules of what is told, and what they told."""


class Role(Enum):
    """What somebody is to this site."""

    ANONYMOUS = "nobody that is known"
    MEMBER = "a person"
    ADMIN = "an administrator, signed in or with a token for everything"
    OPERATOR = "whoever runs the site, at its own command line"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who reads; by default anybody, who sees what is public."""

    person_id: int | None = None
    role: Role = Role.ANONYMOUS
    scopes: frozenset[str] = frozenset()
    sees_details: bool = True

    @property
    def is_signed_in(self) -> bool:
        """Whether it is known who it is."""
        return self.role is not Role.ANONYMOUS

    @property
    def sees_all(self) -> bool:
        """Whether reports that are for others are shown, too."""
        return self.role in (Role.ADMIN, Role.OPERATOR)

    @property
    def facts(self) -> Mapping[str, bool]:
        """What statements are given of the viewer, by name."""
        return {SEES_DETAILS: self.sees_details, ADMINISTERS: self.sees_all}


OPERATOR = Viewer(role=Role.OPERATOR)


def allows(scopes: frozenset[str], scope: str) -> bool:
    """Whether a token with these scopes may be used for `scope`."""
    return scope in scopes or ADMIN in scopes


def within_role(scopes: frozenset[str], role: str) -> frozenset[str]:
    """What of `scopes` a person of this role may do."""
    allowed = SCOPES_OF_ROLES[role]
    return allowed if ADMIN in scopes else scopes & allowed
