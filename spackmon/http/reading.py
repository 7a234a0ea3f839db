"""Who reads: every answer that shows what was reported is made for a viewer, and for nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spackmon.auth.gate import viewer_with
from spackmon.auth.sessions import SignedIn
from spackmon.errors import Code, Refused
from spackmon.http import openapi
from spackmon.http.answers import refusal
from spackmon.http.base_url import base_url
from spackmon.http.caching import READS, for_one_reader
from spackmon.http.negotiation import HTML, JSON, preferred
from spackmon.http.read_limits import ReadLimits
from spackmon.http.services import Services
from spackmon.http.sessions import address_of, session_secret
from spackmon.http.token_exchange import challenge
from spackmon.setting_values import AUTHENTICATED
from spackmon.viewer import SCOPES_OF_ROLES, Viewer

CHECKED_SECONDS = 50.0
"""How often it is looked again whether who is answered for ever may still read."""
_GRAPHQL = "/graphql"
# These show nothing that was reported, or ask who it is themselves.
_OPEN_PATHS = frozenset(
    (
        "/healthz",
        "/readyz",
        openapi.PATH,
        "/auth/token",
        "/auth/token/",
        "/account",
        "/admin",
        "/login",
        "/logout",
    )
)
_OPEN_BEGINNINGS = ("/static/", "/api/submissions/", "/account/", "/admin/", "/login/", "/complete/")


class ReadAccess:
    """ASGI middleware: questions are answered as READ_ACCESS and ENVIRONMENT_ACCESS let their viewer see.

    Reports come by POST and PUT, and are let in by their own endpoints.
    """

    def __init__(self, app: ASGIApp, url_api_prefix: str, limits: ReadLimits) -> None:
        self._app, self._limits = app, limits
        self._open_paths = _OPEN_PATHS | {f"/{url_api_prefix}", f"/{url_api_prefix}/"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request: Request[Services] = Request(scope)
        state: dict[str, Any] = scope["state"]
        is_read = self._is_read(scope)
        try:
            state["signed_in"] = await _signed_in(request)
            viewer = await viewer_of(request.state, credentials_of(request)) if is_read else None
            if viewer is not None:
                await self._limits.check(viewer, address_of(request))
        except Refused as refused:
            await _refusal(request, refused)(scope, receive, send)
            return
        if is_read:
            send = for_one_reader(send)
        if viewer is not None:
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


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request shows of who asks: a header, the secret of a session, the address it came from."""

    authorization: str | None
    session: str | None
    address: str


def credentials_of(request: Request[Services]) -> Credentials:
    """What a request shows."""
    return Credentials(request.headers.get("authorization"), session_secret(request), address_of(request))


async def viewer_of(services: Services, shown: Credentials) -> Viewer:
    """Who asks. Raises Refused with status 401, 403 or 429.

    Whoever is signed in is that, whatever a proxy sends along. On a public site whoever shows nothing of this
    service is nobody, and is answered (`Gate.viewer`); where it shows everybody even what describes machines,
    so is whoever shows what is not for reading.
    """
    settings = services.settings
    needs_person = settings.read_access == AUTHENTICATED
    hides_details = settings.environment_access == AUTHENTICATED
    signed_in = None if shown.session is None else await services.sessions.signed_in(shown.session)
    if signed_in is not None:
        return viewer_with(signed_in.person_id, SCOPES_OF_ROLES[signed_in.role])
    try:
        viewer = await services.gate.viewer(shown.authorization, shown.address, is_public=not needs_person)
    except Refused as refused:
        if needs_person or hides_details or refused.status not in (401, 403):
            raise
        viewer = Viewer()
    if needs_person and not viewer.is_signed_in:
        raise Refused(Code.UNAUTHENTICATED, "reading needs a name and a token with the scope read")
    return replace(viewer, sees_details=viewer.is_signed_in or not hides_details)


async def check_viewer(services: Services, shown: Credentials, viewer: Viewer) -> None:
    """Raises Refused once `viewer`, who is answered for ever, may see less, or is somebody else."""
    now = await viewer_of(services, shown)
    if viewer.is_signed_in and now != viewer:
        raise Refused(Code.SESSION_ENDED, "the session or its person's role has ended: sign in again")


async def _signed_in(request: Request[Services]) -> SignedIn | None:
    secret = session_secret(request)
    return None if secret is None else await request.state.sessions.signed_in(secret)


def _refusal(request: Request[Services], refused: Refused) -> Response:
    if refused.status != Code.UNAUTHENTICATED.status:
        return refusal(refused)
    if request.method == "GET" and preferred(request.headers.get("accept"), (JSON, HTML)) == HTML:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/login?{urlencode({'next': request.url.path + query})}", 303)
    return refusal(refused, _challenge(request))


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
