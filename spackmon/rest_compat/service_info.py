"""`GET /ms1/`: the first thing a client asks; it goes on when it finds id, version and status."""

from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.http.base_url import base_url
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.ops.health import wait_for
from spackmon.threads import in_thread

_VERSION = version("spackmon")
_STARTED_AT = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def service_info(request: Request[Services]) -> Response:
    """What service this is; 503 when its database stays away and reports cannot be spooled either.

    A client does not begin a build then.
    """
    try:
        await wait_for(request.state.database)
    except Refused:
        if not await in_thread(request.state.spool.has_room):
            unavailable = {"status": "service not available", "version": _VERSION}
            return JSONResponse(unavailable, status_code=503)
    settings = request.state.settings
    home = base_url(request) + "/"
    info: dict[str, Any] = {
        "id": "spackmon",
        "status": "running",
        "name": "Spack Monitor (Spackmon)",
        "description": "This service provides a database to monitor spack builds.",
        "organization": {"name": "spack", "url": "https://github.com/spack"},
        "contactUrl": settings.help_contact_url or home,
        "documentationUrl": settings.github_documentation or f"{home}docs/",
        "createdAt": _STARTED_AT,
        "updatedAt": _STARTED_AT,
        "environment": settings.environment,
        "version": _VERSION,
        "auth_instructions_url": settings.auth_instructions or home,
    }
    return JSONResponse(info)


_INFO = Operation(
    "ms1", "What service this is, and whether reports are taken.", {JSON: OBJECT},
    errors=(Code.DATABASE_UNAVAILABLE,), refusals={JSON: OBJECT}, security=(),
)  # fmt: skip


def service_info_routes(prefix: str) -> list[RestRoute]:
    """With and without the slash at the end: clients follow no redirect."""
    return [RestRoute(f"/{prefix}{slash}", service_info, _INFO) for slash in ("/", "")]
