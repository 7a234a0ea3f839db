"""A response whose body comes bit by bit, and is cut where something goes wrong.

The end of a response is the promise that it is whole. After an error the connection is closed without it,
which every client of HTTP/1.1 reports.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

import anyio
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from spackmon.errors import Code, Refused
from spackmon.http import answers

# A client that stops reading would otherwise hold what its answer is made of for ever.
STALLED_SECONDS = 60.0

Refusal = Callable[[Refused], Response]


class StreamedResponse(Response):
    """`chunks` as a response; `refusal` makes the answer to what is refused before the first one."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        refusal: Refusal,
        status_code: int = 200,
    ) -> None:
        self.status_code = status_code
        self.background = None
        self.init_headers(headers)
        self._chunks, self._refusal = chunks, refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as long as the client is there. Raises what cut it, and ClientDisconnect."""
        ended: list[BaseException | None] = []

        async def stream(group: anyio.abc.TaskGroup) -> None:
            # A group would wrap what is raised in it: it is kept, and raised outside.
            try:
                await self._stream(scope, receive, send)
                ended.append(None)
            except Exception as error:
                ended.append(error)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(stream, group)
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()
        error = ended[0] if ended else ClientDisconnect()
        if error is not None:
            raise error

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            try:
                chunk = await anext(chunks, b"")
            except Refused as refused:
                await self._refusal(refused)(scope, receive, send)
                return
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while chunk:
                await _sent(send, chunk, more=True)
                chunk = await anext(chunks, b"")
            await _sent(send, b"", more=False)


async def _sent(send: Send, chunk: bytes, *, more: bool) -> None:
    try:
        with anyio.fail_after(STALLED_SECONDS):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
    except TimeoutError:
        raise ClientDisconnect from None


def part_response(
    wanted: range,
    size_bytes: int,
    noun: str,
    chunks: AsyncGenerator[bytes, None],
    headers: Mapping[str, str],
    refusal: Refusal,
) -> Response:
    """The answer to `Range` (RFC 9110, section 14): `wanted` of `size_bytes`, or 416 if that is nothing."""
    if not wanted:
        sentence = f"`Range` names no byte of this {noun}, which has {size_bytes:,}"
        refused = Refused(Code.RANGE_INVALID, sentence)
        return answers.refusal(refused, {"Content-Range": f"bytes */{size_bytes}"})
    place = {
        "Content-Range": f"bytes {wanted.start}-{wanted.stop - 1}/{size_bytes}",
        "Content-Length": str(len(wanted)),
    }
    return StreamedResponse(chunks, {**headers, **place}, refusal, 206)
