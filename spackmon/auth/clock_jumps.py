"""How far the clock of the day was set ahead a short time ago, as seen by a clock that nobody sets.

A clock that jumps ends at once what was issued a moment before: a client that was given an access token
would be refused with it, and old clients give up their build.
"""

import threading
import time

# Slower than that a clock is only corrected, and clocks of two computers are off by as much.
_JUMP_SECONDS = 5.0
# It goes on where a machine sleeps; not every system has it.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class ClockJumps:
    """What this process sees of them: a jump is noticed when somebody asks, and remembered from then on."""

    def __init__(self, remembered_seconds: float) -> None:
        self._remembered_seconds = remembered_seconds
        self._lock = threading.Lock()
        self._offset = time.time() - time.clock_gettime(_STEADY)
        self._ahead = 0.0
        self._remembered_until = 0.0

    def ahead_seconds(self) -> float:
        """By how much the clock was set ahead within the time that is remembered, less what was undone."""
        with self._lock:
            now = time.clock_gettime(_STEADY)
            offset = time.time() - now
            jump, self._offset = offset - self._offset, offset
            if now >= self._remembered_until:
                self._ahead = 0.0
            if abs(jump) > _JUMP_SECONDS:
                self._ahead = max(0.0, self._ahead + jump)
                self._remembered_until = now + self._remembered_seconds
            return self._ahead
