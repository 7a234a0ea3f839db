"""The ms1 reads, in the shapes that old scripts read: GraphQL operations beside this file, reshaped."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.http.negotiation import JSON
from spackmon.http.operations import LIST, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.rest_compat.data import shapes
from spackmon.rest_compat.data.sources import fragment
from spackmon.rest_compat.splices import specs_to_splice, splices


def _document(name: str) -> str:
    return (Path(__file__).parent / f"{name}.graphql").read_text(encoding="utf-8")


_SPECS_BY_NAME = _document("specs_by_name") + fragment("specs")
_ATTRIBUTES_OF_SPEC = _document("attributes_of_spec")
_ATTRIBUTE = _document("attribute")


async def specs_by_name(request: Request[Services]) -> Response:
    """Every spec of a package, the oldest first; an empty list for a name that nobody reported."""
    specs: list[Any] = []
    before, more = None, True
    while more:
        variables = {"name": request.path_params["name"], "before": before}
        page = (await request.state.query.ask(_SPECS_BY_NAME, variables))["specs"]
        specs += map(shapes.spec, reversed(page["nodes"]))
        more, before = page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["startCursor"]
    return JSONResponse(specs)


async def attributes_of_spec(request: Request[Services]) -> Response:
    """What analyzers, or one of them, found out about a spec's builds."""
    wanted = request.path_params.get("analyzer")
    variables = {
        "id": request.path_params["id"],
        "analyzer": None if wanted is None else {"analyzer": {"eq": wanted}},
    }
    results = _pages(request, _ATTRIBUTES_OF_SPEC, variables, "spec", "analysisResults")
    return JSONResponse([_attribute(result) async for result in results])


async def download_attribute(request: Request[Services]) -> Response:
    """The value of one attribute as JSON."""
    data = await request.state.query.ask(_ATTRIBUTE, {"id": request.path_params["id"]})
    attribute = _present(data["analysisResult"], request)
    value = attribute["jsonValue"] if attribute["value"] is None else attribute["value"]
    if attribute["binaryValue"] is not None:
        value = _text(bytes.fromhex(attribute["binaryValue"]))
    # In ASCII, because a text from a binary may hold what UTF-8 cannot.
    return Response(json.dumps(value), media_type="application/json")


async def results_to_splice(request: Request[Services]) -> Response:
    """The results of symbolator that a spec has: of these its libraries can take others' places."""
    variables = {"id": request.path_params["id"], "analyzer": {"analyzer": {"eq": "symbolator"}}}
    results = _pages(request, _ATTRIBUTES_OF_SPEC, variables, "spec", "analysisResults")
    return JSONResponse([_attribute(result) async for result in results])


def read_routes(prefix: str) -> list[RestRoute]:
    """Every read under `/prefix`, with and without the slash at its end."""
    reads = {
        "specs/name/{name}": (specs_by_name, "The specs of a package."),
        "specs/{id}/attributes": (attributes_of_spec, "A spec's analysis results."),
        "specs/{id}/attributes/{analyzer}": (attributes_of_spec, "Those of one analyzer."),
        "specs/{id}/splices/contenders": (results_to_splice, "A spec's results of symbolator."),
        "attributes/{id}/download": (download_attribute, "The value of a result."),
        "attributes/{id}/splice/contenders": (specs_to_splice, "Specs that a result may be spliced with."),
        "analysis/splices/attribute/{attribute_id}/spec/{spec_id}": (splices, "Predictions of splices."),
    }
    return [
        RestRoute(
            f"/{prefix}/{path}{slash}",
            endpoint,
            Operation("ms1", summary, {JSON: {} if endpoint is download_attribute else LIST}),
        )
        for path, (endpoint, summary) in reads.items()
        for slash in ("/", "")
    ]


async def _pages(
    request: Request[Services], query: str, variables: Mapping[str, Any], *way: str
) -> AsyncIterator[Any]:
    """The nodes of the connection at the end of `way`, page by page."""
    after = None
    while True:
        connection: Any = await request.state.query.ask(query, {**variables, "after": after})
        for key in way:
            connection = connection[key]
            if connection is None:
                # Scripts iterate what comes, also for what nobody reported.
                return
        for node in connection["nodes"]:
            yield node
        if not connection["pageInfo"]["hasNextPage"]:
            return
        after = connection["pageInfo"]["endCursor"]


def _present(row: Any, request: Request[Services]) -> Any:
    if row is None:
        raise Refused(Code.NOT_FOUND, f"nothing here has the id {request.path_params['id']}")
    return row


def _text(value: bytes) -> str:
    """The text that an old client sent, or bytes of other origin with U+FFFD for what is not UTF-8."""
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return value.decode("utf-8", "replace")


def _attribute(result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "filename": result["path"],
        "id": shapes.number(result["id"]),
        "analyzer": result["analyzer"],
        "name": result["name"],
    }
