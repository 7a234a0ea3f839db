"""`/api/docs/`: the nouns of the data API for people, and as OpenAPI for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spackmon.http.base_url import base_url
from spackmon.http.services import Services
from spackmon.web.pages import rendered, wants_json


@dataclass(frozen=True, slots=True)
class DocumentedNoun:
    """A noun of the data API: its name, the most rows of a page, and the GraphQL document of its list."""

    name: str
    maximum: int
    document: str


def api_docs_routes(nouns: Sequence[DocumentedNoun], default_limit: int) -> list[Route]:
    """The page and the OpenAPI document of these nouns; a list has `default_limit` rows by default."""

    async def api_docs(request: Request[Services]) -> Response:
        if wants_json(request) or request.query_params.get("format") == "openapi":
            return JSONResponse(_openapi(nouns, default_limit, base_url(request)))
        return rendered(request, "api_docs.html", {"nouns": nouns, "default_limit": default_limit})

    return [Route(f"/api/docs{slash}", api_docs) for slash in ("/", "")]


def _openapi(nouns: Sequence[DocumentedNoun], default_limit: int, address: str) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for noun in nouns:
        limit = {"type": "integer", "minimum": 1, "default": default_limit}
        offset = {"type": "integer", "minimum": 0, "default": 0}
        paths[f"/api/{noun.name}/"] = _get(
            f"list_{noun.name}", "A page of rows, from the lowest id up.", _PAGE,
            _parameter("limit", "query", {**limit, "description": f"At most {noun.maximum} are given."}),
            _parameter("offset", "query", offset),
        )  # fmt: skip
        identifier = _parameter("id", "path", {"type": "integer"}) | {"required": True}
        paths[f"/api/{noun.name}/{{id}}/"] = _get(
            f"read_{noun.name}", "One row.", {"type": "object"}, identifier
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "spackmon data API", "version": version("spackmon")},
        "servers": [{"url": address}],
        "paths": paths,
    }


_LINK = {"type": ["string", "null"], "format": "uri"}
_PAGE = {
    "type": "object",
    "required": ["count", "next", "previous", "results"],
    "properties": {
        "count": {"type": ["integer", "null"]},
        "next": _LINK,
        "previous": _LINK,
        "results": {"type": "array", "items": {"type": "object"}},
    },
}


def _get(name: str, description: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    responses = {"200": {"description": description, "content": content}}
    return {"get": {"operationId": name, "parameters": list(parameters), "responses": responses}}


def _parameter(name: str, place: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema}
