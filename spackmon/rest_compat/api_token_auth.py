"""`POST /api-token-auth/` of the old server: a token for a name and a password.

That server showed the one token of a person again. Here the digest alone is stored, so that each answer has a
new one, which ends.
"""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.auth.audit import Actor
from spackmon.auth.tokens import create_token
from spackmon.errors import Code, Refused
from spackmon.formats.bytes.fields import named_fields, required, storable_text
from spackmon.formats.bytes.json_body import read_json
from spackmon.http.answers import refusal
from spackmon.http.body import read_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import Operation, RestRoute
from spackmon.http.services import Services
from spackmon.http.sessions import address_of
from spackmon.models import utc_now

_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 1 << 20
_LIFETIME = timedelta(days=30)


async def api_token_auth(request: Request[Services]) -> Response:
    """The endpoint: JSON or a form, `username` and `password`."""
    try:
        sent = await _sent(request)
        with named_fields():
            name, password = (storable_text(required(sent, word), word) for word in ("username", "password"))
        by = Actor(name, address_of(request))
        if await request.state.gate.by_password(name, password, by.address) is None:
            raise Refused(Code.CREDENTIALS_WRONG, "this name and this password do not fit", status=400)
        ends_at = utc_now() + _LIFETIME
        token = await request.state.database.write_held(
            lambda connection: create_token(connection, name, expires_at=ends_at, by=by)
        )
    except Refused as refused:
        return refusal(refused)
    body = {"token": token, "expires_at": ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return JSONResponse(body, headers={"Cache-Control": "no-store"})


async def _sent(request: Request[Services]) -> dict[str, Any]:
    body = bytes(await read_body(request, _MOST_BYTES))
    if request.headers.get("content-type", "").startswith(_FORM):
        try:
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
        except ValueError:
            raise Refused(Code.BODY_INVALID, "the body must be the fields of a form, in UTF-8") from None
    return read_json(body)


_SENT = {
    "type": "object",
    "required": ["username", "password"],
    "properties": {"username": {"type": "string"}, "password": {"type": "string"}},
}
_TOKEN = Operation(
    "Reports",
    "A token for a name and a password, as the old server gave it.",
    {
        JSON: {
            "type": "object",
            "required": ["token", "expires_at"],
            "properties": {
                "token": {"type": "string"},
                "expires_at": {"type": "string", "format": "date-time"},
            },
        }
    },
    errors=(
        Code.BODY_NOT_JSON, Code.BODY_INVALID, Code.FIELD_MISSING, Code.FIELD_INVALID, Code.BODY_TOO_LARGE,
        Code.GUESSES_LIMITED, Code.DATABASE_UNAVAILABLE,
    ),
    bodies={JSON: _SENT, _FORM: _SENT},
    security=(),
)  # fmt: skip
routes = [
    RestRoute(f"/api-token-auth{slash}", api_token_auth, _TOKEN, methods=["POST"]) for slash in ("/", "")
]
