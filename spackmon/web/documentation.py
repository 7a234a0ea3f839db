"""`/docs/`: the documents of docs/, as pages, with a search that needs no network."""

from functools import cache

from markupsafe import Markup
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from spackmon.web.documents import documents, files, found, groups
from spackmon.web.pages import PageRequest, nothing_here, refusal_page, rendered, wants_json


def _address(name: str) -> str:
    return f"/docs/{name}"


@cache
def _html(name: str) -> Markup:
    """A document of ours, rendered once: of the longest that takes longer than all the rest of its page."""
    return documents()[name].html(_address)


async def _index(request: PageRequest) -> Response:
    words = request.query_params.get("search", "").strip()
    hits = found(words) if words else []
    if wants_json(request):
        every = documents().values()
        listed = [{"name": one.name, "title": one.title, "summary": one.summary} for one in every]
        lines = [
            {"name": one.document.name, "heading": one.heading, "anchor": one.anchor, "line": one.line}
            for one in hits
        ]
        return JSONResponse({"documents": listed, "found": lines}, headers={"Vary": "Accept"})
    values = {"groups": groups(), "address_of": _address, "words": words, "found": hits}
    return rendered(request, "documents.html", values)


async def _document(request: PageRequest) -> Response:
    if path := files().get(request.path_params["name"]):
        return FileResponse(path)
    document = documents().get(request.path_params["name"].removesuffix(".json"))
    if document is None:
        return refusal_page(request, nothing_here(request))
    if wants_json(request):
        twin = {"name": document.name, "title": document.title, "markdown": document.text}
        return JSONResponse(twin, headers={"Vary": "Accept"})
    values = {
        "document": document, "html": _html(document.name), "groups": groups(),
        "address_of": _address, "index": "",
    }  # fmt: skip
    return rendered(request, "document.html", values)


async def _to_index(_: PageRequest) -> Response:
    return RedirectResponse("/docs/", 301)


routes = [Route("/docs", _to_index), Route("/docs/", _index), Route("/docs/{name:path}", _document)]
