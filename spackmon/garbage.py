"""The garbage collector, kept from work that makes many objects which all live until it is done.

It looks through them again and again while no thread of the interpreter goes on, and finds next to nothing;
once the work is done most of them are gone without it.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

# While such works overlap, what others leave in cycles would never be collected.
_MOST_OBJECTS = 500_000


class _Uncollected:
    """How many are at such work, and whether the collector ran before the first of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._was_enabled = False

    def enter(self) -> None:
        _collect_much()
        with self._lock:
            if self._count == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._count += 1

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0 and self._was_enabled:
                gc.enable()
        _collect_much()


def _collect_much() -> None:
    # It counts what was made and not freed since the last collection, also while it is disabled.
    if gc.get_count()[0] > _MOST_OBJECTS:
        gc.collect()


_uncollected = _Uncollected()


@contextmanager
def uncollected() -> Iterator[None]:
    """Around such work, in any thread."""
    _uncollected.enter()
    try:
        yield
    finally:
        _uncollected.leave()
