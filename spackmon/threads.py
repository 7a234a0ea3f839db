"""Work in a thread of its own, of which nothing is left when it fails."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio.to_thread

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


async def in_thread(
    work: Callable[[*Arguments], Result],
    *arguments: *Arguments,
    limiter: anyio.CapacityLimiter | None = None,
) -> Result:
    """What `work` gives back or raises, while the event loop goes on; `limiter` has so many threads.

    An error that anyio hands over itself knows the frame that waited for it, and that frame knows the error:
    a body that was refused would stay in the memory until the garbage collector came.
    """

    def done() -> tuple[Result, None] | tuple[None, Exception]:
        try:
            return work(*arguments), None
        except Exception as error:
            return None, error

    outcome = await anyio.to_thread.run_sync(done, limiter=limiter)
    if outcome[1] is None:
        return outcome[0]
    error = outcome[1]
    del outcome
    try:
        raise error
    finally:
        del error
