"""What failed in a thread leaves nothing behind."""

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from spackmon.errors import Code, Refused
from spackmon.threads import in_thread
from tests.waiting import until_in_loop


class _Body:
    """What a request sent."""


def _refuse(body: _Body) -> None:
    raise Refused(Code.BODY_INVALID, f"{body} is not what was expected")


def test_what_is_refused_in_a_thread_does_not_wait_for_the_garbage_collector() -> None:
    async def refused() -> None:
        body = _Body()
        kept = weakref.ref(body)
        with suppress(Refused):
            await in_thread(_refuse, body)
        del body
        # The thread itself forgets it a moment after it has said that it is done.
        await until_in_loop(lambda: kept() is None, "the end of the body")

    gc.disable()
    try:
        asyncio.run(refused())
    finally:
        gc.enable()


def test_an_error_is_that_of_the_work() -> None:
    with pytest.raises(Refused, match="not what was expected"):
        asyncio.run(in_thread(_refuse, _Body()))
