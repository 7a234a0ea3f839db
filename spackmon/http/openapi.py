"""`/openapi.json`: the REST interface for programs (OpenAPI 3.1), as its routes describe themselves."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from starlette.convertors import IntegerConvertor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from spackmon.errors import Code
from spackmon.http.base_url import base_url
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, Contents, Operation, RestRoute
from spackmon.http.services import Services

PATH = "/openapi.json"
_DESCRIBED = Operation("Service", "This document.", {JSON: OBJECT}, errors=(), security=())
_ERROR = {
    "type": "object",
    "required": ["message", "code", "error", "retryable"],
    "properties": {
        "message": {"type": "string", "description": "One sentence for people."},
        "code": {"type": "integer", "description": "The HTTP status."},
        "error": {"enum": [str(code) for code in Code], "description": "A code for programs."},
        "retryable": {"type": "boolean", "description": "The same request may succeed in a moment."},
    },
}
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token, or an access token made of one."},
    "basic": {"type": "http", "scheme": "basic", "description": "A name, and a token or a password."},
}


def openapi_routes(routes: Sequence[BaseRoute]) -> list[Route]:
    """The address of the document that describes these routes, and itself."""

    async def openapi(request: Request[Services]) -> Response:
        return JSONResponse(document([*routes, *described], base_url(request)))

    described = [RestRoute(PATH, openapi, _DESCRIBED)]
    return [*described]


def document(routes: Iterable[BaseRoute], address: str) -> dict[str, Any]:
    """The REST interface at an address; one with a slash at its end and without it is there once."""
    paths: dict[str, dict[str, Any]] = {}
    spelt: set[str] = set()
    for route in routes:
        if (
            isinstance(route, RestRoute)
            and route.operations
            and (bare := route.path_format.rstrip("/")) not in spelt
        ):
            spelt.add(bare)
            paths[route.path_format] = _path(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "spackmon", "version": version("spackmon")},
        "servers": [{"url": address}],
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}, "securitySchemes": _SCHEMES},
    }


def _path(route: RestRoute) -> dict[str, Any]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if isinstance(kind, IntegerConvertor) else _SEGMENT,
        }
        for name, kind in route.param_convertors.items()
    ]
    described = {
        method.lower(): _operation(_name(method, route.path_format), operation)
        for method, operation in route.operations.items()
    }
    return {"parameters": in_path, **described} if in_path else described


_SEGMENT = {"type": "string", "minLength": 1}


def _name(method: str, path: str) -> str:
    return re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")


def _operation(name: str, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": {
            **{str(status): _success(status, operation) for status in operation.statuses},
            **{str(status): refused for status, refused in _refusals(operation)},
        },
    }
    if operation.parameters:
        described["parameters"] = [
            {"name": one.name, "in": one.place, "schema": one.schema} for one in operation.parameters
        ]
    if operation.bodies:
        described["requestBody"] = {"required": True, "content": _content(operation.bodies)}
    if operation.security:
        described["security"] = [{scheme: []} if scheme else {} for scheme in operation.security]
    return described


def _success(status: int, operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if status < 300:  # what redirects, or says that nothing changed, has no content
        described["content"] = _content(operation.answers)
    return described


def _refusals(operation: Operation) -> Iterable[tuple[int, Mapping[str, Any]]]:
    by_status: dict[int, list[Code]] = {}
    for code in dict.fromkeys(operation.errors):
        by_status.setdefault(code.status, []).append(code)
    for status, codes in sorted(by_status.items()):
        sentences = "\n".join(f"`{code}`: {code.meaning}" for code in codes)
        yield status, {"description": sentences, "content": _content(operation.refusals)}


def _content(contents: Contents) -> dict[str, Any]:
    return {media_type: {"schema": schema} for media_type, schema in contents.items()}
