"""The GraphiQL page: built by frontend/ into our own static files, so that it works without a network."""

import json
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from spackmon.web.security import GRAPHIQL_POLICY
from spackmon.web.static_files import STATIC_DIRECTORY

MANIFEST = STATIC_DIRECTORY / "built" / "manifest.json"
_TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")


def graphiql_page(request: Request) -> Response:
    """The page for a browser that opens the GraphQL endpoint; a POST to the same address is a question.

    Answers 503 with what to do when the front end was not built. Needs a mount named `static`.
    """
    files = _built_files()
    return _TEMPLATES.TemplateResponse(
        request,
        "graphiql.html",
        {"files": files, "endpoint": str(request.url.replace(query=""))},
        status_code=200 if files else 503,
        # The address also answers JSON, and the names inside change with every build.
        headers={
            "Content-Security-Policy": GRAPHIQL_POLICY,
            "Vary": "Accept",
        },
    )


def _built_files() -> dict[str, str]:
    # Read per request: 78 bytes, and a server that was started too early needs no restart.
    try:
        names: dict[str, str] = json.loads(MANIFEST.read_bytes())
    except FileNotFoundError:
        return {}
    return names
