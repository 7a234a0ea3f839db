"""GraphQL over HTTP (GraphQL Foundation's specification, draft of 2025): POST JSON, GET, GraphiQL.

Two media types: `application/graphql-response+json`, whose status says whether the request was valid, and
`application/json`, which answers every well-formed request with 200. Two more ask for an export, and one for
server-sent events.
"""

from contextlib import AsyncExitStack
from functools import partial
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.http.answers import retry_after
from spackmon.http.body import discard_body
from spackmon.http.caching import READS, is_unchanged
from spackmon.http.negotiation import HTML, JSON, preferred
from spackmon.http.operations import OBJECT, OF_EVERY_READ, TEXT, Operation, RestRoute, words
from spackmon.http.reading import check_viewer, credentials_of
from spackmon.http.services import Services
from spackmon.query.serve.refusals import error_body, graphql_error
from spackmon.web.events import EVENT_STREAM, event_response
from spackmon.web.export import CSV, NDJSON, export_response
from spackmon.web.graphiql import graphiql_page
from spackmon.web.operation import GraphQLRequest, read_json, read_operation

MAXIMUM_BODY_BYTES = 1_000_000
# Read between two requests; larger ones wait for a worker.
_LARGE_BODY_BYTES = 32_000
# An empty object is three bytes of a body and 72 in the memory, and once more as a value of its variable.
_BYTES_OF_A_BYTE = 40
_WAIT_SECONDS = 10.0
RESPONSE_JSON, PLAIN_JSON = "application/graphql-response+json", JSON
_OFFERED = (PLAIN_JSON, RESPONSE_JSON, NDJSON, CSV, EVENT_STREAM)
# GraphiQL is for who asks for a page, in a GET.
_ANSWERED = (PLAIN_JSON, RESPONSE_JSON, HTML, NDJSON, CSV, EVENT_STREAM)
_ASK_AGAIN = (Code.PERSISTED_QUERY_NOT_FOUND, Code.PERSISTED_QUERY_NOT_SUPPORTED)
EXPLAIN_HEADER = "x-spackmon-explain"


async def graphql(request: Request[Services]) -> Response:
    """The endpoint: browsers that want a page get GraphiQL, everybody else an answer in JSON."""
    try:
        async with AsyncExitStack() as memory:
            return await _answered(request, memory)
    except Refused as refused:
        return _refusal(refused)


def _refusal(refused: Refused) -> Response:
    body = error_body(refused.code, [graphql_error(refused)])
    headers = {"Content-Type": f"{PLAIN_JSON}; charset=utf-8", "Vary": "Accept"}
    if refused.code.retryable:
        headers["Retry-After"] = retry_after(refused)
    return Response(body, refused.status, headers)


async def _answered(request: Request[Services], memory: AsyncExitStack) -> Response:
    media_type = preferred(request.headers.get("accept"), _ANSWERED)
    if request.method == "GET" and media_type == HTML:
        if not request.state.settings.graphiql:
            raise Refused(
                Code.GRAPHIQL_DISABLED, f"GraphiQL is switched off here: send `Accept: {PLAIN_JSON}`"
            )
        return graphiql_page(cast(Request, request))  # the library does not know of our services
    if media_type == HTML or media_type is None:
        raise Refused(Code.NOT_ACCEPTABLE, f"`Accept` must admit one of {', '.join(_OFFERED)}")
    asked = await _posted(request, memory) if request.method == "POST" else _from_url(request)
    documents = request.state.trusted_documents
    try:
        query = documents.document(asked.query, asked.document_id)
    except Refused as refused:
        if refused.code in _ASK_AGAIN and media_type == PLAIN_JSON:
            return _ask_again(refused)
        raise
    if media_type == EVENT_STREAM:
        return _events(request, query, asked)
    return await _once(request, query, asked, media_type)


async def _once(request: Request[Services], query: str, asked: GraphQLRequest, media_type: str) -> Response:
    """One answer, or a file of it."""
    service, documents = request.state.query, request.state.trusted_documents
    if media_type in (NDJSON, CSV):
        export = await service.export(query, asked.variables, asked.operation_name)
        return export_response(export, media_type, request.scope["http_version"], _refusal)
    explain = request.headers.get(EXPLAIN_HEADER, "0") != "0"
    answer = await service.execute(query, asked.variables, asked.operation_name, explain=explain)
    if asked.query is not None and asked.document_id is not None and not answer.refused:
        documents.remember(asked.query, asked.document_id)
    status = 400 if answer.refused and media_type == RESPONSE_JSON else 200
    headers = {"Content-Type": f"{media_type}; charset=utf-8", "Vary": "Accept"}
    if answer.is_kept and request.method in READS:
        headers["ETag"] = tag = f'"{answer.tag}-{_OFFERED.index(media_type)}"'
        if is_unchanged(request.headers.get("if-none-match"), tag):
            return Response(None, 304, headers)
    return Response(answer.body, status, headers)


def _events(request: Request[Services], query: str, asked: GraphQLRequest) -> Response:
    return event_response(
        request.state.query,
        query,
        asked,
        sender="" if request.client is None else request.client.host,
        last_cursor=request.headers.get("last-event-id") or None,
        check=partial(check_viewer, request.state, credentials_of(request), request.state.query.viewer),
        refusal=_refusal,
    )


def _ask_again(refused: Refused) -> Response:
    """To a client that sends the document after this: no fault, and nothing for a cache between us."""
    headers = {"Content-Type": f"{PLAIN_JSON}; charset=utf-8", "Vary": "Accept", "Cache-Control": "no-store"}
    return Response(error_body(refused.code, [graphql_error(refused)]), 200, headers)


async def _posted(request: Request[Services], memory: AsyncExitStack) -> GraphQLRequest:
    """What a body asks; `memory` has the share of a large one until it is answered."""
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != PLAIN_JSON:
        raise Refused(
            Code.CONTENT_TYPE_UNSUPPORTED, f"`Content-Type` must be {PLAIN_JSON}, it is {content_type!r}"
        )
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAXIMUM_BODY_BYTES:
            await discard_body(request)
            raise Refused(Code.BODY_TOO_LARGE, f"the body must not exceed {MAXIMUM_BODY_BYTES} bytes")
    sent = await _parsed(request, body, memory)
    if not isinstance(sent, dict):
        raise Refused(Code.BODY_INVALID, "the body must be a JSON object with the key `query`")
    return read_operation(sent)


async def _parsed(request: Request[Services], body: bytearray, memory: AsyncExitStack) -> object:
    if len(body) <= _LARGE_BODY_BYTES:
        return read_json("the body", body)
    share = request.state.memory.share(_BYTES_OF_A_BYTE * len(body), _WAIT_SECONDS)
    await memory.enter_async_context(share)
    return await request.state.query.workers.run(read_json, "the body", body)


def _from_url(request: Request[Services]) -> GraphQLRequest:
    sent: dict[str, Any] = {name: value for name, value in request.query_params.items() if value}
    for name in ("variables", "extensions"):
        if name in sent:
            sent[name] = read_json(f"`{name}`", sent[name])
    return read_operation(sent)


_ANSWERS = {PLAIN_JSON: OBJECT, RESPONSE_JSON: OBJECT, NDJSON: TEXT, CSV: TEXT, EVENT_STREAM: TEXT}
_MEMBERS = ("query", "variables", "operationName", "extensions")
_ERRORS = (
    *OF_EVERY_READ, Code.QUERY_MISSING, Code.VARIABLES_INVALID, Code.NOT_ACCEPTABLE, Code.EXPORTS_BUSY,
    Code.EXPORT_NEEDS_HTTP_1_1, Code.SUBSCRIPTIONS_BUSY,
)  # fmt: skip
_ASKED = Operation(
    "GraphQL", "Ask a question in the address.", {**_ANSWERS, HTML: TEXT},
    errors=(*_ERRORS, Code.GRAPHIQL_DISABLED), refusals={PLAIN_JSON: OBJECT}, parameters=words(_MEMBERS),
    statuses=(200, 304),
)  # fmt: skip
_POSTED = Operation(
    "GraphQL", "Ask a question.", _ANSWERS,
    errors=(*_ERRORS, Code.BODY_INVALID, Code.BODY_TOO_LARGE, Code.CONTENT_TYPE_UNSUPPORTED),
    refusals={PLAIN_JSON: OBJECT},
    bodies={
        PLAIN_JSON: {
            "type": "object",
            "required": ["query"],
            "properties": {
                "query": {"type": "string"},
                "variables": {"type": ["object", "null"]},
                "operationName": {"type": ["string", "null"]},
                "extensions": {"type": ["object", "null"]},
            },
        }
    },
)  # fmt: skip
graphql_routes = [RestRoute("/graphql", graphql, {"GET": _ASKED, "POST": _POSTED}, methods=["GET", "POST"])]
