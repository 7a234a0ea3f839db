"""What an address answers under which there is nothing: a page for a browser, JSON for a program."""

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from spackmon.errors import Code
from spackmon.http import answers
from spackmon.http.negotiation import HTML, JSON, preferred
from spackmon.http.services import Services
from spackmon.web.pages import nothing_here, refusal_page

_FOR_PROGRAMS = ("api", "auth", "graphql", "healthz", "readyz", "static", "submit.php")


def unknown_address(api_prefix: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The handler of HTTPException; paths under `api_prefix` and of other APIs never answer HTML."""
    for_programs = (*_FOR_PROGRAMS, api_prefix)

    async def handler(request: Request, error: Exception) -> Response:
        path = request.url.path.strip("/")
        is_api = any(path == first or path.startswith(f"{first}/") for first in for_programs)
        if is_api or preferred(request.headers.get("accept"), (JSON, HTML)) != HTML:
            return await answers.for_http_exception(request, error)
        if not isinstance(error, HTTPException):
            raise error
        typed = cast(Request[Services], request)  # the library does not know of our services
        if error.status_code == Code.NOT_FOUND.status:
            return refusal_page(typed, nothing_here(typed))
        return refusal_page(typed, answers.refused_by_http(error))

    return handler
