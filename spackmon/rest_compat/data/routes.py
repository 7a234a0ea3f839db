"""`GET /api/<noun>/` and `/api/<noun>/<id>/`: read only, paged as the old server paged them."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.http.base_url import base_url
from spackmon.http.negotiation import JSON
from spackmon.http.operations import ERROR, OBJECT, Operation, Parameter, RestRoute, Schema
from spackmon.http.services import Services
from spackmon.rest_compat.data import shapes
from spackmon.rest_compat.data.sources import (
    LARGEST_PAGE,
    Connected,
    Derived,
    Edges,
    Source,
    Variables,
    fragment,
)
from spackmon.rest_compat.data.window import PAGE, page, read_window, window_words

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_ID_DIGITS = 18
# Of phases come whole logs, each of many megabytes.
_LOGS_AT_ONCE = 10
_OF_KIND = "{{kind: {{eq: {}}}}}".format
_REFUSED = {"anyOf": [ERROR, {"type": "object", "required": ["detail"]}]}
_EVENT = fragment("buildevents")


@dataclass(frozen=True, slots=True)
class Noun:
    """A route of the data API: its name in the address, where its rows come from, the most of a page."""

    name: str
    source: Source
    maximum: int = LARGEST_PAGE


def _noun(name: str, connection: str, shape: Callable[[shapes.Row], shapes.Shaped]) -> Noun:
    return Noun(name, Connected(connection, fragment(name), shape))


def _of_targets(name: str, made: Callable[[list[shapes.Row]], list[shapes.Shaped]]) -> Noun:
    return Noun(name, Derived(Connected("targets", fragment(name), dict), made))


NOUNS = (
    _noun("attributes", "analysisResults", shapes.attribute),
    _noun("architectures", "architectures", shapes.architecture),
    _noun("builds", "builds", shapes.build),
    _noun("buildenvironments", "environments", shapes.build_environment),
    Noun("builderrors", Connected("events", _EVENT, shapes.build_error, _OF_KIND("ERROR"))),
    Noun("buildwarnings", Connected("events", _EVENT, shapes.build_warning, _OF_KIND("WARNING"))),
    Noun("buildphases", Connected("phases", fragment("buildphases"), shapes.build_phase), _LOGS_AT_ONCE),
    _noun("compilers", "compilers", shapes.compiler),
    Noun("dependencies", Edges("dependencies", fragment("dependencies"), shapes.dependency)),
    Noun(
        "environmentvariable",
        Variables(
            Connected("builds", fragment("environmentvariable"), dict, "{environmentVariables: {some: {}}}")
        ),
    ),
    _noun("installfiles", "installFiles", shapes.install_file),
    _of_targets("features", shapes.features),
    _of_targets("targets", shapes.targets),
    _noun("specs", "specs", shapes.spec),
)

Endpoint = Callable[[Request[Services]], Awaitable[Response]]


def data_routes() -> list[RestRoute]:
    """Every address of the data API, with and without the slash at its end, and with `.json`."""
    routes = _both("/api", _index, _operation("The nouns, and where their rows are."))
    for noun in NOUNS:
        path = f"/api/{noun.name}"
        rows = _operation(f"A page of {noun.name}, from the lowest id up.", PAGE, window_words(noun.maximum))
        routes += [
            *_both(path, _list(noun), rows),
            *_both(f"{path}.json", _list(noun), rows),
            *_both(f"{path}/{{id}}", _one(noun), _operation(f"One of {noun.name}.")),
        ]
    return routes


def _both(path: str, read: Callable[[Request[Services]], Awaitable[Any]], get: Operation) -> list[RestRoute]:
    spellings = (path, f"{path}/") if path.endswith(".json") else (f"{path}/", path)
    return [RestRoute(spelt, _read_only(read), {"GET": get}, methods=_METHODS) for spelt in spellings]


def _operation(summary: str, schema: Schema = OBJECT, parameters: tuple[Parameter, ...] = ()) -> Operation:
    return Operation(
        "Data API", summary, {JSON: schema}, refusals={JSON: _REFUSED},
        parameters=(*parameters, Parameter("format", {"enum": ["json"]})),
    )  # fmt: skip


def _read_only(read: Callable[[Request[Services]], Awaitable[Any]]) -> Endpoint:
    """The endpoint that answers with what `read` gives, in the old server's words where there is nothing."""

    async def endpoint(request: Request[Services]) -> Response:
        if request.method not in ("GET", "HEAD"):
            detail = f'Method "{request.method}" not allowed.'
            return _json({"detail": detail}, 405, {"Allow": "GET, HEAD"})
        try:
            if request.query_params.get("format", "json") != "json":
                raise _nothing()
            return _json(await read(request))
        except Refused as refused:
            if refused.status == 404:
                return _json({"detail": refused.sentence}, 404)
            return _json({"detail": refused.sentence, "code": refused.code}, refused.status)

    return endpoint


def _list(noun: Noun) -> Callable[[Request[Services]], Awaitable[Any]]:
    async def read(request: Request[Services]) -> Any:
        window = read_window(request.query_params, noun.maximum)
        listed = await noun.source.rows(request.state.query.ask, window)
        address = f"{base_url(request)}{request.url.path}"
        return page(listed, window, address, request.query_params)

    return read


def _one(noun: Noun) -> Callable[[Request[Services]], Awaitable[Any]]:
    async def read(request: Request[Services]) -> Any:
        text = request.path_params["id"].removesuffix(".json")
        if not (text.isascii() and text.isdecimal() and len(text) <= _ID_DIGITS):
            raise _nothing()
        row = await noun.source.row(request.state.query.ask, int(text))
        if row is None:
            raise _nothing()
        return row

    return read


async def _index(request: Request[Services]) -> Any:
    return {noun.name: f"{base_url(request)}/api/{noun.name}/" for noun in NOUNS}


def _nothing() -> Refused:
    return Refused(Code.NOT_FOUND, "Not found.")


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    # In ASCII, because a text from a binary may hold what UTF-8 cannot.
    return Response(json.dumps(body), status, headers, media_type="application/json")
