"""The address under which a client reached the service."""

import re

from starlette.requests import Request

from spackmon.http.services import Services

# The header ends up in quotes inside the challenge, and clients follow it.
_HOST = re.compile(r"[A-Za-z0-9._\-:\[\]]{1,300}")


def site_url(request: Request[Services]) -> str:
    """The address under which others reach the site: the configured one, else that of the request."""
    settings = request.state.settings
    return settings.public_url if settings.domain_name else base_url(request)


def base_url(request: Request[Services]) -> str:
    """The address under which the client reached us, without a slash at the end."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        return request.state.settings.public_url
    return f"{request.url.scheme}://{host}"
