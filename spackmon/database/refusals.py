"""What is answered when the database was in trouble: the codes, and which trouble has which."""

from spackmon.database.outcome import AWAY, Outcome, Trouble
from spackmon.errors import Code, Refused

PASSES = frozenset((Code.DATABASE_UNAVAILABLE, Code.DATABASE_BUSY, Code.STATEMENT_TIMEOUT))
"""The same may be taken another time: it was not refused for what it says."""


def refusal(trouble: Trouble, waited_seconds: float, limit_seconds: float) -> Refused:
    """The answer to who met `trouble`, which is not BROKEN, and waited for so long.

    `limit_seconds` is what one statement may take.
    """
    if trouble.outcome is Outcome.TOO_SLOW:
        return too_slow(limit_seconds)
    if trouble == AWAY and waited_seconds >= 1:
        sentence = f"the database did not answer for {waited_seconds:.0f} s"
    else:
        sentence = f"{trouble.reason}: try again later"
    is_busy = trouble.outcome is Outcome.BUSY
    return Refused(Code.DATABASE_BUSY if is_busy else Code.DATABASE_UNAVAILABLE, sentence)


def too_slow(limit_seconds: float) -> Refused:
    """The answer to a statement that ran into a limit."""
    return Refused(
        Code.STATEMENT_TIMEOUT, f"the database did not finish within {limit_seconds:g} s: ask for less"
    )
