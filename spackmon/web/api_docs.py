"""`/api/docs/`: the nouns of the data API for people; programs are led to /openapi.json."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.http import openapi
from spackmon.http.services import Services
from spackmon.web.pages import rendered, wants_json


@dataclass(frozen=True, slots=True)
class DocumentedNoun:
    """A noun of the data API: its name, the most rows of a page, and the GraphQL document of its list."""

    name: str
    maximum: int
    document: str


def api_docs_routes(nouns: Sequence[DocumentedNoun], default_limit: int) -> list[Route]:
    """The page of these nouns; a list has `default_limit` rows by default."""

    async def api_docs(request: Request[Services]) -> Response:
        if wants_json(request) or request.query_params.get("format") == "openapi":
            return RedirectResponse(openapi.PATH, 302)
        return rendered(request, "api_docs.html", {"nouns": nouns, "default_limit": default_limit})

    return [Route(f"/api/docs{slash}", api_docs) for slash in ("/", "")]
