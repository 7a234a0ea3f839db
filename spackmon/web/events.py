"""GraphQL as server-sent events: graphql-sse's protocol, "distinct connections mode".

Every operation is one answer: `next` events with GraphQL responses and, unless the server ends in between,
`complete`. The id of an event is the cursor of its update, so that a browser's EventSource, which sends the
last one (HTML Living Standard, "Server-sent events"), goes on where it was.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from spackmon.errors import Refused
from spackmon.http.reading import CHECKED_SECONDS
from spackmon.query.serve.refusals import error_body, graphql_error
from spackmon.query.serve.service import QueryService
from spackmon.query.serve.subscriptions import Subscription
from spackmon.web.operation import GraphQLRequest
from spackmon.web.streaming import Refusal, StreamedResponse

EVENT_STREAM = "text/event-stream"
# Proxies end what is silent for a minute.
_IDLE_SECONDS = 15.0
_HEADERS = {
    "Content-Type": EVENT_STREAM,
    "Cache-Control": "no-store, no-transform",
    "Vary": "Accept",
    # A proxy that gathers answers would hand events on when there are enough of them (nginx).
    "X-Accel-Buffering": "no",
}
_COMPLETE = b"event: complete\ndata:\n\n"
_NOTHING_YET = b":\n\n"

Check = Callable[[], Awaitable[object]]


def event_response(
    service: QueryService,
    query: str,
    asked: GraphQLRequest,
    *,
    sender: str,
    last_cursor: str | None,
    check: Check,
    refusal: Refusal,
) -> StreamedResponse:
    """The response to an operation; `check` raises Refused once its sender may not read any longer."""

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            if not await service.is_subscription(query, asked.variables, asked.operation_name):
                answer = await service.execute(query, asked.variables, asked.operation_name)
                yield _next(answer.body) + _COMPLETE
                return
            subscription = await service.subscribe(
                query, asked.variables, asked.operation_name, sender=sender, last_cursor=last_cursor
            )
            async with aclosing(_of(subscription, check)) as told:
                async for event in told:
                    yield event
        except Refused as refused:
            yield _next(error_body(refused.code, [graphql_error(refused)])) + _COMPLETE

    return StreamedResponse(events(), _HEADERS, refusal)


async def _of(subscription: Subscription, check: Check) -> AsyncGenerator[bytes, None]:
    checked_seconds = time.monotonic()
    async with aclosing(subscription.updates(_IDLE_SECONDS)) as updates:
        yield b"id: %s\n\n" % subscription.cursor.encode()
        async for update in updates:
            if time.monotonic() - checked_seconds > CHECKED_SECONDS:
                await check()
                checked_seconds = time.monotonic()
            if update is None:
                yield _NOTHING_YET
            else:
                yield b"id: %s\n" % update.cursor.encode() + _next(update.response)


def _next(body: bytes) -> bytes:
    return b"event: next\ndata: %s\n\n" % body.replace(b"\n", b" ").replace(b"\r", b" ")
