"""A span around each HTTP request, where traces are sent."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spackmon.http.access_log import method_of, route_of
from spackmon.ops.tracing import Tracing

_CARRIED = frozenset((b"traceparent", b"tracestate"))
_NO_ANSWER = 499


class Traces:
    """ASGI middleware within AccessLog, whose request ids the spans have."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carried = {
            name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _CARRIED
        }
        traced = self._tracing.request(method_of(scope), carried, scope["state"]["request_id"])
        status = _NO_ANSWER

        async def send_seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with traced.current():
                await self._app(scope, receive, send_seen)
        finally:
            traced.end(route_of(scope), status)
