"""Who is signed in: the cookie of a session, and what a form must show before it changes anything.

A browser sends the cookie with whatever page asks it to. What changes something is therefore done only for
a request that a page of this service made (`Sec-Fetch-Site`, `Origin`), and that has the key of its session's
forms.
"""

import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from spackmon.auth.sessions import SignedIn, form_key
from spackmon.errors import Code, Refused
from spackmon.http.base_url import site_url
from spackmon.http.body import discard_body
from spackmon.http.services import Services

_NAME, _FORMS_NAME, _SIGN_IN_NAME = "spackmon_session", "spackmon_form", "spackmon_sign_in"
_MOST_FORM_BYTES, _MOST_FIELDS = 20_000, 50
_FORM = "application/x-www-form-urlencoded"
FORM_KEY = "form_key"
"""The hidden field of every form that is posted."""

# What a cookie can hold and a digest be made of; anything else is no secret of ours.
_MOST_SECRET_CHARACTERS = 100


def address_of(request: Request[Services]) -> str:
    """The address a request came from, as the proxies that are trusted say."""
    return "" if request.client is None else request.client.host


def session_secret(request: Request[Services]) -> str | None:
    """The secret of the session that a request shows, if a page of this service may have made it.

    To a request of another site's page the cookie counts as none.
    """
    # Clients that report have no cookies; to tell the name of ours costs more than to see that.
    if "cookie" not in request.headers:
        return None
    secret = request.cookies.get(_cookie(request, _NAME), "")
    if not 0 < len(secret) <= _MOST_SECRET_CHARACTERS:
        return None
    is_read = request.method in ("GET", "HEAD")
    return secret if is_read or is_same_origin(request.headers) else None


def is_same_origin(headers: Headers) -> bool:
    """Whether a browser says that a page of this service made the request, or nothing says otherwise."""
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == headers.get("host", "").lower() != ""


def begin_cookie(request: Request[Services], response: Response, secret: str) -> None:
    """Have a browser send the secret of a new session."""
    maximum_age = int(request.state.sessions.lifetime.total_seconds())
    _set(request, response, _NAME, secret, maximum_age)
    _delete(request, response, _FORMS_NAME)


def end_cookie(request: Request[Services], response: Response) -> None:
    """Have a browser forget its session."""
    _delete(request, response, _NAME)


def keep_sign_in(request: Request[Services], response: Response, text: str, seconds: int) -> None:
    """Have a browser keep what is known of a sign-in until it comes back from another service."""
    _set(request, response, _SIGN_IN_NAME, text, seconds)


def kept_sign_in(request: Request[Services]) -> str:
    """What the browser kept of a sign-in; empty where it keeps none."""
    return request.cookies.get(_cookie(request, _SIGN_IN_NAME), "")


def end_sign_in(request: Request[Services], response: Response) -> None:
    """Have a browser forget a sign-in."""
    _delete(request, response, _SIGN_IN_NAME)


def with_form_key(request: Request[Services], response: Response) -> None:
    """Give who is not signed in what the form for signing in is checked against."""
    if _forms_secret(request) != request.state.new_form_secret:
        _set(request, response, _FORMS_NAME, request.state.new_form_secret, None)


def form_key_of(request: Request[Services]) -> str:
    """What the forms of the page that answers this request have in them."""
    signed_in: SignedIn | None = request.state.signed_in
    if signed_in is not None:
        return signed_in.form_key
    request.state.new_form_secret = _forms_secret(request) or secrets.token_urlsafe(32)
    return form_key(request.state.new_form_secret)


async def posted_form(request: Request[Services]) -> Mapping[str, str]:
    """The fields of a form that a page of this service sent.

    Raises Refused FORM_REFUSED, BODY_TOO_LARGE, CONTENT_TYPE_UNSUPPORTED, BODY_INVALID.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_FORM_BYTES:
            await discard_body(request)
            raise Refused(Code.BODY_TOO_LARGE, f"the form must not exceed {_MOST_FORM_BYTES} bytes")
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != _FORM:
        raise Refused(Code.CONTENT_TYPE_UNSUPPORTED, f"`Content-Type` must be {_FORM}")
    if not is_same_origin(request.headers):
        raise Refused(Code.FORM_REFUSED, "this form was sent by a page of another site")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise Refused(Code.BODY_INVALID, "the body must be the fields of a form, in UTF-8") from None
    if not _is_own(request, fields.get(FORM_KEY, "")):
        raise Refused(
            Code.FORM_REFUSED, "this form is of another session: go back, reload, and send it again"
        )
    return fields


def _is_own(request: Request[Services], shown: str) -> bool:
    signed_in: SignedIn | None = request.state.signed_in
    forms_secret = _forms_secret(request)
    if signed_in is None and forms_secret is None:
        return False
    expected = form_key(forms_secret or "") if signed_in is None else signed_in.form_key
    return hmac.compare_digest(shown.encode(), expected.encode())


def _forms_secret(request: Request[Services]) -> str | None:
    secret = request.cookies.get(_cookie(request, _FORMS_NAME), "")
    return secret if 0 < len(secret) <= _MOST_SECRET_CHARACTERS else None


def _is_secure(request: Request[Services]) -> bool:
    return urlsplit(site_url(request)).scheme == "https"


def _cookie(request: Request[Services], name: str) -> str:
    # No other host of the domain can set a cookie whose name begins so (RFC 6265bis, section 4.1.3.2).
    return f"__Host-{name}" if _is_secure(request) else name


def _set(
    request: Request[Services], response: Response, name: str, value: str, maximum_age: int | None
) -> None:
    response.set_cookie(
        _cookie(request, name), value, max_age=maximum_age, path="/", secure=_is_secure(request),
        httponly=True, samesite="lax",
    )  # fmt: skip


def _delete(request: Request[Services], response: Response, name: str) -> None:
    secure = _is_secure(request)
    response.delete_cookie(_cookie(request, name), path="/", secure=secure, httponly=True, samesite="lax")
