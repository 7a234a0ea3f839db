"""The docker-style exchange over HTTP: the challenge of a write, and the endpoint that it names."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.http.answers import refusal
from spackmon.http.base_url import base_url
from spackmon.http.negotiation import JSON
from spackmon.http.operations import Operation, RestRoute
from spackmon.http.services import Services
from spackmon.http.sessions import address_of

_REALM_PATH = "/auth/token/"


def challenge(request: Request[Services]) -> dict[str, str]:
    """The header of a 401: old clients look for `realm` and `service` in quotes."""
    base = request.state.settings.auth_server or base_url(request)
    return {"Www-Authenticate": f'Bearer realm="{base}{_REALM_PATH}",service="{base}",scope="build"'}


async def token(request: Request[Services]) -> Response:
    """`GET /auth/token/` with `Authorization: Basic user:token` gives an access token."""
    base = request.state.settings.auth_server or base_url(request)
    try:
        access_token = await request.state.gate.exchange(
            request.headers.get("authorization"), base + _REALM_PATH, address_of(request)
        )
    except Refused as refused:
        headers = {"Www-Authenticate": f'Basic realm="{base}"'} if refused.status == 401 else None
        return refusal(refused, headers)
    return JSONResponse(
        {
            "token": access_token.jwt,
            "expires_in": access_token.expires_in_seconds,
            "issued_at": access_token.issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        headers={"Cache-Control": "no-store"},
    )


_TOKEN = Operation(
    "Reports",
    "An access token for a token or a password.",
    {
        JSON: {
            "type": "object",
            "required": ["token", "expires_in", "issued_at"],
            "properties": {
                "token": {"type": "string"},
                "expires_in": {"type": "integer", "description": "seconds"},
                "issued_at": {"type": "string", "format": "date-time"},
            },
        }
    },
    errors=(
        Code.BASIC_MALFORMED, Code.UNAUTHENTICATED, Code.CREDENTIALS_WRONG, Code.GUESSES_LIMITED,
        Code.DATABASE_UNAVAILABLE, Code.SECRET_NOT_MADE,
    ),
    security=("basic",),
)  # fmt: skip
# Old clients do not follow redirects: both spellings are the address.
routes = [RestRoute(path, token, _TOKEN) for path in (_REALM_PATH, _REALM_PATH.rstrip("/"))]
