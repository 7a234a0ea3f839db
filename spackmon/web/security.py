"""The headers that keep a page from running what a client reported."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FOR_EVERY_PAGE = "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

PAGE_POLICY = (
    f"{_FOR_EVERY_PAGE}; connect-src 'self'; font-src 'self'; img-src 'self'; script-src 'self'; "
    "style-src 'self'"
)

# What is saved as PNG is drawn from an image that the page itself makes of its SVG.
GRAPH_POLICY = PAGE_POLICY.replace("img-src 'self'", "img-src 'self' blob:")

# Monaco writes its theme into <style> elements and positions its lines by style attributes; scripts stay
# ours alone, and the workers come from our files, so neither 'unsafe-eval' nor blob: is needed.
GRAPHIQL_POLICY = (
    f"{_FOR_EVERY_PAGE}; connect-src 'self'; font-src 'self'; img-src 'self' data:; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self'"
)

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds the headers to every HTML answer of `app`, and nosniff to all.

    A header the answer already has is kept: a page with another policy sets its own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Whatever a client reported may be in any answer.
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if headers.get("content-type", "").startswith("text/html"):
                    for name, value in _HEADERS.items():
                        headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_protected)
