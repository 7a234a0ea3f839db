"""Work that is counted, where a bound in seconds would measure the machine."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any


def calls(work: Callable[[], object], *, after: Callable[[], object]) -> int:
    """How many functions, Python's own and those in C, `work` calls in this thread.

    `after` is work of the same kind and is not counted: what only the first of a process does (imports,
    patterns to compile, values to cache) is done before the count begins, whichever tests ran before.
    """
    after()
    count = 0

    def note(_frame: FrameType, happening: str, _argument: Any) -> None:
        nonlocal count
        count += happening in ("call", "c_call")

    before = sys.getprofile()
    # What other tests left behind is not this work's: nothing of it is collected meanwhile.
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def allocated_bytes(work: Callable[[], object]) -> int:
    """The most that Python objects made by `work` take at one time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def retained_bytes(work: Callable[[], object]) -> int:
    """What Python objects made by `work` take when it is done."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
