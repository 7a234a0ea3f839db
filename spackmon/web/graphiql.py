"""The GraphiQL page: built by frontend/ into our own static files, so that it works without a network."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from spackmon.web.security import GRAPHIQL_POLICY
from spackmon.web.static_files import built_files

_TEMPLATES = Jinja2Templates(directory=Path(__file__).parent / "templates")


def graphiql_page(request: Request) -> Response:
    """The page for a browser that opens the GraphQL endpoint; a POST to the same address is a question.

    Answers 503 with what to do when the front end was not built. Needs a mount named `static`.
    """
    files = built_files()
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
