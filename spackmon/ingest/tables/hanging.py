"""What refers to a build or to a run, and what becomes of it when that is no more.

The statements that end one are made from this. A column that refers to either and is not named here would
make an end fail for the first two sources that report one run.
"""

from collections.abc import Iterator, Mapping
from enum import Enum, auto


class End(Enum):
    """What becomes of a row whose build or run ends."""

    DELETED = auto()
    """It ends, too."""
    LED_ON = auto()
    """It refers to what its build is now."""
    COUNTED_BEFORE = auto()
    """What is derived from claims is written first: nothing refers to the build or run any longer."""
    KEPT = auto()
    """It is a number that somebody was given, and leads on."""


OF_BUILD: Mapping[tuple[str, str], End] = {
    ("attempt", "build_id"): End.COUNTED_BEFORE,
    ("claim", "client_build_id"): End.KEPT,
    ("error_group_build", "build_id"): End.COUNTED_BEFORE,
    ("merged_build", "build_id"): End.LED_ON,
}
OF_ATTEMPT: Mapping[tuple[str, str], End] = {
    ("analysis", "attempt_id"): End.COUNTED_BEFORE,
    ("attribute", "attempt_id"): End.COUNTED_BEFORE,
    ("build", "newest_attempt_id"): End.COUNTED_BEFORE,
    ("build_event", "attempt_id"): End.COUNTED_BEFORE,
    ("claim", "attempt_id"): End.COUNTED_BEFORE,
    ("phase", "attempt_id"): End.DELETED,
}


def referring(register: Mapping[tuple[str, str], End], end: End) -> Iterator[tuple[str, str]]:
    """The tables and columns of which the rows end so."""
    return (place for place, its_end in register.items() if its_end is end)
