"""A request's body, read once: into the memory, or into a file where it is large."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.requests import ClientDisconnect, Request

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.json_body import memory_of
from spackmon.http.services import Services
from spackmon.large_bytes import LARGE_BYTES, AnyBytes, LargeBytes, Writer
from spackmon.threads import in_thread

log = structlog.get_logger()

# A refused log fails the build that made it, so the limit is where one database value (1 GB in both
# databases) ends, not where a log becomes unreasonable.
MAXIMUM_BYTES = 1 << 30
# Whoever sends more than this after a refusal does not listen.
_MOST_DISCARDED_BYTES = 8 << 30

Body = bytearray | LargeBytes


async def read_body(request: Request[Services], maximum_bytes: int = MAXIMUM_BYTES) -> Body:
    """The whole body. Raises Refused BODY_TOO_LARGE (413), and BUSY where no disk has room for a large one.

    What is refused is read on: see `discard_body`.
    """
    try:
        return await _read(request, maximum_bytes)
    except Refused:
        await discard_body(request)
        raise


async def _read(request: Request[Services], maximum_bytes: int) -> Body:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > maximum_bytes:
        raise _too_large(maximum_bytes)
    with Writer(request.state.settings.spool) as writer:
        try:
            async for chunk in request.stream():
                if writer.size_bytes + len(chunk) > maximum_bytes:
                    raise _too_large(maximum_bytes)
                writer.add(chunk)
                if writer.is_full:
                    await in_thread(writer.flush)
            return await in_thread(writer.finish) if writer.is_in_file else writer.finish()
        except OSError as error:
            log.warning("body_not_stored", bytes=writer.size_bytes, reason=error.strerror)
            raise Refused(Code.BUSY, "the server's disk has no room for the body: try again later") from None


@asynccontextmanager
async def memory_for(request: Request[Services], body: AnyBytes) -> AsyncIterator[None]:
    """Around what reads a body as JSON and keeps what it says. Raises Refused BUSY."""
    is_quick = len(body) <= LARGE_BYTES
    size_bytes = memory_of(body) if is_quick else await in_thread(memory_of, body)
    async with request.state.memory.share(size_bytes, request.state.database.hold_seconds):
        yield


async def discard_body(request: Request[Services]) -> None:
    """Read what the client is still sending, before a refusal is answered.

    An old client reads no answer before it has sent everything: with the connection closed early it sees a
    broken pipe and fails its build, where a 401 would make it ask for a new token.
    """
    discarded_bytes = 0
    try:
        async for chunk in request.stream():
            discarded_bytes += len(chunk)
            if discarded_bytes > _MOST_DISCARDED_BYTES:
                return
    except (ClientDisconnect, RuntimeError):  # the latter says that all of it was read before
        return


def _too_large(maximum_bytes: int) -> Refused:
    return Refused(Code.BODY_TOO_LARGE, f"the body is too large: expected at most {maximum_bytes >> 20} MiB")
