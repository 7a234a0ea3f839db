"""Waiting for a condition: how long it takes says how busy the machine is, and decides no test.

Nothing else in the tests sleeps (`make lint`). What must not take long is measured in work that is counted
(tests/counting.py), and what would take hours were it wrong is ended by the suite's timeout.
"""

import asyncio
import time
from collections.abc import Callable

# For what does not come at all; a machine under ten times its load is no such case.
GIVE_UP_SECONDS = 300.0
# Most of what is waited for comes at once.
_FIRST_LOOK_SECONDS, _LOOK_SECONDS = 0.001, 0.02


def until(holds: Callable[[], object], what: str = "the condition") -> None:
    """Return when `holds()` is true; fail, naming `what`, when it never becomes so."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    pause_seconds = _FIRST_LOOK_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not come"
        time.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LOOK_SECONDS)


async def until_in_loop(holds: Callable[[], object], what: str = "the condition") -> None:
    """`until` for a coroutine: the others go on meanwhile."""
    give_up_at = time.monotonic() + GIVE_UP_SECONDS
    pause_seconds = _FIRST_LOOK_SECONDS
    while not holds():
        assert time.monotonic() < give_up_at, f"{what} did not come"
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 2, _LOOK_SECONDS)
