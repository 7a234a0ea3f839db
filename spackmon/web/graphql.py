"""GraphQL over HTTP (GraphQL Foundation's specification, draft of 2025): POST JSON, GET, GraphiQL.

Two media types: `application/graphql-response+json`, whose status says whether the request was valid, and
`application/json`, which answers every well-formed request with 200.
"""

import json
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spackmon.errors import Refused
from spackmon.query.service import QueryService, error_body
from spackmon.web.graphiql import graphiql_page

MAXIMUM_BODY_BYTES = 1_000_000
RESPONSE_JSON, PLAIN_JSON = "application/graphql-response+json", "application/json"


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """What a request asks."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


async def graphql(request: Request) -> Response:
    """The endpoint: browsers that want a page get GraphiQL, everybody else an answer in JSON."""
    try:
        return await _answered(request)
    except Refused as refused:
        body = error_body(refused.code, [GraphQLError(refused.sentence)])
        return Response(
            body, refused.status, {"Content-Type": f"{PLAIN_JSON}; charset=utf-8", "Vary": "Accept"}
        )


async def _answered(request: Request) -> Response:
    media_type = _media_type(request.headers.get("accept"))
    if request.method == "GET" and media_type == "text/html":
        return graphiql_page(request)
    if media_type == "text/html" or media_type is None:
        raise Refused("NOT_ACCEPTABLE", 406, f"`Accept` must admit {PLAIN_JSON} or {RESPONSE_JSON}")
    asked = await _posted(request) if request.method == "POST" else _from_url(request)
    service: QueryService = request.state.query
    answer = await service.execute(asked.query, asked.variables, asked.operation_name)
    status = 400 if answer.refused and media_type == RESPONSE_JSON else 200
    headers = {"Content-Type": f"{media_type}; charset=utf-8", "Vary": "Accept"}
    return Response(answer.body, status, headers)


def _media_type(accept: str | None) -> str | None:
    """The first of our media types in the client's order of preference."""
    preferred: list[tuple[float, int, str]] = []
    for position, part in enumerate((accept or "*/*").split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_number(value[2:]) for value in parameters if value.startswith("q=")), 1.0)
        offered = {"*/*": PLAIN_JSON, "application/*": PLAIN_JSON, "text/*": "text/html"}.get(name, name)
        if offered in (RESPONSE_JSON, PLAIN_JSON, "text/html") and quality > 0:
            preferred.append((-quality, position, offered))
    return min(preferred)[2] if preferred else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


async def _posted(request: Request) -> GraphQLRequest:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != PLAIN_JSON:
        raise Refused(
            "CONTENT_TYPE_UNSUPPORTED", 415, f"`Content-Type` must be {PLAIN_JSON}, it is {content_type!r}"
        )
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAXIMUM_BODY_BYTES:
            raise Refused("BODY_TOO_LARGE", 413, f"the body must not exceed {MAXIMUM_BODY_BYTES} bytes")
    sent = _read_json("the body", body)
    if not isinstance(sent, dict):
        raise Refused("BODY_INVALID", 400, "the body must be a JSON object with the key `query`")
    return _checked(sent.get("query"), sent.get("variables"), sent.get("operationName"))


def _from_url(request: Request) -> GraphQLRequest:
    sent = request.query_params
    variables = _read_json("`variables`", sent["variables"]) if sent.get("variables") else None
    return _checked(sent.get("query"), variables, sent.get("operationName") or None)


def _checked(query: object, variables: object, operation_name: object) -> GraphQLRequest:
    if not isinstance(query, str):
        raise Refused("QUERY_MISSING", 400, "`query` must be a string with a GraphQL document")
    if variables is not None and not isinstance(variables, dict):
        raise Refused("VARIABLES_INVALID", 400, "`variables` must be a JSON object or null")
    if operation_name is not None and not isinstance(operation_name, str):
        raise Refused("OPERATION_NAME_INVALID", 400, "`operationName` must be a string or null")
    return GraphQLRequest(query, variables, operation_name)


def _read_json(name: str, text: bytearray | str) -> object:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("JSON_INVALID", 400, f"{name} must be JSON: {error}") from error
    return found


graphql_routes = [Route("/graphql", graphql, methods=["GET", "POST"])]
