"""Pages of other origins that may ask (CORS): their browsers let them read what this service answers."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_ASKED = ("/graphql", "/api/")
_HEADERS = ("Authorization", "Content-Type", "X-Spackmon-Explain")
_EXPOSED = ("Content-Disposition", "Retry-After", "X-Request-Id")
_PREFLIGHT_SECONDS = 600


class OtherOrigins:
    """ASGI middleware: GraphQL and the API may be asked from `origins` too; `*` is every origin.

    No cookie is sent along: who asks is said in a header.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app = app
        self._for_others: ASGIApp = app
        if origins:
            self._for_others = CORSMiddleware(
                app,
                allow_origins=sorted(origins),
                allow_methods=("GET", "POST"),
                allow_headers=_HEADERS,
                expose_headers=_EXPOSED,
                max_age=_PREFLIGHT_SECONDS,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_asked = scope["type"] == "http" and scope["path"].startswith(_ASKED)
        await (self._for_others if is_asked else self._app)(scope, receive, send)
