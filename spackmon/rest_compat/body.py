"""A request's body, read once into one buffer."""

from starlette.requests import ClientDisconnect, Request

from spackmon.errors import Code, Refused
from spackmon.services import Services

# A refused log fails the build that made it, so the limit is where memory and one database value (1 GB in
# both databases) end, not where a log becomes unreasonable.
MAXIMUM_BYTES = 1 << 30


async def read_body(request: Request[Services], maximum_bytes: int = MAXIMUM_BYTES) -> bytearray:
    """The whole body. Raises Refused BODY_TOO_LARGE (413), unread where its length is declared."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > maximum_bytes:
        raise _too_large(maximum_bytes)
    # Starlette's own body() keeps all chunks until it has joined them: twice a large log.
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > maximum_bytes:
            raise _too_large(maximum_bytes)
        body += chunk
    return body


async def discard_body(request: Request[Services]) -> None:
    """Read what the client is still sending, before a refusal is answered.

    An old client reads no answer before it has sent everything: with the connection closed early it sees a
    broken pipe and fails its build, where a 401 would make it ask for a new token.
    """
    discarded_bytes = 0
    try:
        async for chunk in request.stream():
            discarded_bytes += len(chunk)
            if discarded_bytes > MAXIMUM_BYTES:
                return
    except (ClientDisconnect, RuntimeError):  # the latter says that all of it was read before
        return


def _too_large(maximum_bytes: int) -> Refused:
    return Refused(Code.BODY_TOO_LARGE, f"the body is too large: expected at most {maximum_bytes >> 20} MiB")
