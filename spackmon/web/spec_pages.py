"""Of a spec: its graph, which a script draws, and the document from which Spack builds it again."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, OF_EVERY_QUESTION, PAGE_ERRORS, Operation, RestRoute
from spackmon.web.pages import PageRequest, answering, at, document, in_path, rendered, wants_json
from spackmon.web.security import GRAPH_POLICY

_SPEC_DOCUMENT = document("spec_document")


async def _spec_graph(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """The graph of a spec, which a script draws."""
    if wants_json(request):
        return JSONResponse(data, headers={"Vary": "Accept"})
    spec = data["spec"]
    values = {**data, "graph": json.dumps({"root": spec["hash"], **spec["graph"]})}
    answer = rendered(request, "spec_graph.html", values)
    answer.headers["Content-Security-Policy"] = GRAPH_POLICY
    return answer


async def _spec_document(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """A spec and all it depends on as one document, from which Spack installs it."""
    nodes = {node["hash"]: node for node in data["spec"]["graph"]["nodes"]}
    # What spliced specs were built as is part of the document, however often it was spliced itself.
    while missing := {node["buildSpecHash"] for node in nodes.values()} - nodes.keys() - {None}:
        built_as = missing.pop()
        asked = await request.state.query.ask(_SPEC_DOCUMENT, {"hash": built_as})
        if asked["spec"]:
            nodes.update((node["hash"], node) for node in asked["spec"]["graph"]["nodes"])
        if built_as not in nodes:
            raise Refused(Code.SPEC_UNKNOWN, "nobody told the spec that a spliced one was built as")
    versions = {node["formatVersion"] for node in nodes.values()}
    if len(versions) > 1:
        sentence = "Spack reads one format in a document, and the specs of this graph were told in several"
        raise Refused(Code.FORMATS_MIXED, sentence)
    # Spack takes the first node for the root.
    root = nodes.pop(data["spec"]["hash"])
    documents = [node["document"] for node in (root, *nodes.values())]
    version = versions.pop()
    # The first format is a list, and does not say which it is.
    whole = documents if version == 1 else {"_meta": {"version": version}, "nodes": documents}
    return JSONResponse({"spec": whole})


_DOCUMENT = Operation(
    "Files", "A spec with all it depends on, as Spack reads it.", {JSON: OBJECT},
    errors=(*OF_EVERY_QUESTION, Code.SPEC_UNKNOWN, Code.FORMATS_MIXED), refusals=PAGE_ERRORS,
)  # fmt: skip
routes = [
    RestRoute("/specs/{hash}/spec.json", answering("spec_document", in_path, _spec_document), _DOCUMENT),
    *at("/specs/{hash}/graph", answering("spec_graph", in_path, _spec_graph)),
]
