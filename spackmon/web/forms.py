"""Pages of people, with forms that change something: who may see them, and what they answer when refused."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from functools import wraps
from types import MappingProxyType
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response

from spackmon.auth.sessions import SignedIn
from spackmon.errors import Code, Refused
from spackmon.http.answers import retry_after
from spackmon.http.sessions import form_key_of, with_form_key
from spackmon.viewer import ADMINISTRATOR
from spackmon.web.pages import PageRequest, refusal_page, rendered, wants_json

PersonsPage = Callable[[PageRequest, SignedIn], Awaitable[Response]]
Endpoint = Callable[[PageRequest], Awaitable[Response]]

# Browsers read a backslash as a slash, and leave out what stands for the end of a line.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_NOTHING: Mapping[str, object] = MappingProxyType({})
log = structlog.get_logger()


def guarded(endpoint: Endpoint) -> Endpoint:
    """What is refused is a page with the sentence; nothing of these pages is kept by anybody."""

    @wraps(endpoint)
    async def answered(request: PageRequest) -> Response:
        try:
            response = await endpoint(request)
        except Refused as refused:
            response = refusal_page(request, refused)
            if refused.code.retryable:
                response.headers["Retry-After"] = retry_after(refused)
        except Exception:
            log.exception("page_failed", path=request.url.path)
            sentence = f"this page failed; the server's log has more under {request.state.request_id}"
            response = refusal_page(request, Refused(Code.INTERNAL, sentence))
        response.headers["Cache-Control"] = "no-store"
        return response

    return answered


def for_person(endpoint: PersonsPage) -> Endpoint:
    """A page of who is signed in; others are led to the form for that."""

    @guarded
    @wraps(endpoint)
    async def answered(request: PageRequest) -> Response:
        signed_in = request.state.signed_in
        if signed_in is None:
            if request.method == "POST" or wants_json(request):
                raise Refused(Code.UNAUTHENTICATED, "nobody is signed in: sign in at /login")
            return RedirectResponse(f"/login?{urlencode({'next': request.url.path})}", 303)
        return await endpoint(request, signed_in)

    return answered


def for_administrator(endpoint: PersonsPage) -> Endpoint:
    """A page of administrators alone."""

    async def answered(request: PageRequest, signed_in: SignedIn) -> Response:
        if signed_in.role != ADMINISTRATOR:
            sentence = f"{signed_in.name!r} is a {signed_in.role}, and this page is for administrators"
            raise Refused(Code.SCOPE_EXCEEDS_ROLE, sentence)
        return await endpoint(request, signed_in)

    return for_person(answered)


def form_page(
    request: PageRequest,
    template: str,
    facts: Mapping[str, object],
    beside: Mapping[str, object] = _NOTHING,
    status: int = 200,
) -> Response:
    """A page with forms, which get their key; its facts alone for who wants JSON.

    `beside` is what the template needs beside them.
    """
    if wants_json(request):
        text = json.dumps({name: _plain(value) for name, value in facts.items()}, ensure_ascii=False)
        return Response(text, status, {"Vary": "Accept"}, "application/json")
    response = rendered(request, template, {**facts, **beside, "form_key": form_key_of(request)}, status)
    if request.state.signed_in is None:
        with_form_key(request, response)
    return response


def _plain(value: object) -> object:
    """Records as objects, moments as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def own_path(text: str) -> str:
    """Where to go on after signing in: a path of this service; the front page for anything else."""
    return text if _OWN_PATH.fullmatch(text) else "/"


def number(text: str, field: str) -> int:
    """A row's number in a form. Raises Refused FIELD_INVALID."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise Refused(Code.FIELD_INVALID, f"`{field}` must be a number")
    return int(text)
