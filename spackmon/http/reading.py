"""Who reads: every answer that shows what was reported is made for a viewer, and for nobody else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spackmon.errors import Code, Refused
from spackmon.http.answers import refusal
from spackmon.http.base_url import base_url
from spackmon.http.caching import READS, for_one_reader
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.setting_values import AUTHENTICATED
from spackmon.viewer import Viewer

CHECKED_SECONDS = 120.0
"""How often it is looked again whether who is answered for ever may still read."""
_GRAPHQL = "/graphql"
# These show nothing that was reported, or ask for a token themselves.
_OPEN_PATHS = frozenset(("/healthz", "/readyz", "/auth/token", "/auth/token/"))
_OPEN_BEGINNINGS = ("/static/", "/api/submissions/")


class ReadAccess:
    """ASGI middleware: questions are answered as READ_ACCESS and ENVIRONMENT_ACCESS let their viewer see.

    Reports come by POST and PUT, and are let in by their own endpoints.
    """

    def __init__(self, app: ASGIApp, url_api_prefix: str) -> None:
        self._app = app
        self._open_paths = _OPEN_PATHS | {f"/{url_api_prefix}", f"/{url_api_prefix}/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._is_read(scope):
            await self._app(scope, receive, send)
            return
        send = for_one_reader(send)
        request: Request[Services] = Request(scope)
        try:
            viewer = await viewer_of(request.state, request.headers.get("authorization"))
        except Refused as refused:
            headers = _challenge(request) if refused.status == Code.UNAUTHENTICATED.status else None
            await refusal(refused, headers)(scope, receive, send)
            return
        state: dict[str, Any] = scope["state"]
        state["query"] = state["query"].seen_by(viewer)
        if not viewer.is_signed_in and request.headers.get("authorization"):
            # Other credentials would show more (RFC 9110, section 11.6.1).
            send = _with_headers(send, _challenge(request))
        await self._app(scope, receive, send)

    def _is_read(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if path in self._open_paths or path.startswith(_OPEN_BEGINNINGS):
            return False
        return scope["method"] in READS or path.rstrip("/") == _GRAPHQL


async def viewer_of(services: Services, authorization: str | None) -> Viewer:
    """Who asks with this header. Raises Refused with status 401 or 403.

    On a public site whoever shows nothing of this service is nobody, and is answered (`Gate.viewer`); where
    it shows everybody even what describes machines, so is whoever shows what is not for reading.
    """
    settings = services.settings
    needs_person = settings.read_access == AUTHENTICATED
    hides_details = settings.environment_access == AUTHENTICATED
    try:
        viewer = await services.gate.viewer(authorization, is_public=not needs_person)
    except Refused as refused:
        if needs_person or hides_details or refused.status not in (401, 403):
            raise
        viewer = Viewer()
    if needs_person and not viewer.is_signed_in:
        raise Refused(Code.UNAUTHENTICATED, "reading needs a name and a token with the scope read")
    return replace(viewer, sees_details=viewer.is_signed_in or not hides_details)


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return send_with


def _challenge(request: Request[Services]) -> dict[str, str]:
    """A browser asks its user for a name and a token; a client that exchanges tokens reads the last realm."""
    (bearer,) = challenge(request).values()
    return {"WWW-Authenticate": f'Basic realm="{base_url(request)}", charset="UTF-8", {bearer}'}
