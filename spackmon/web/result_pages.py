"""`/results`: what analyzers found, and where two of their results differ."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.errors import Code, Refused
from spackmon.web.pages import PAGING, PageRequest, Values, at, in_path, page, paging, refusal_page

_CONDITIONS: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "package": lambda value: {"build": {"package": {"name": {"eq": value}}}},
    "spec": lambda value: {"build": {"spec": {"hash": {"eq": value}}}},
    "build": lambda value: {"build": {"id": {"eq": value}}},
    "analyzer": lambda value: {"analyzer": {"eq": value}},
    "name": lambda value: {"name": {"eq": value}},
    "path": lambda value: {"path": {"eq": value}},
}


def _words(request: PageRequest) -> dict[str, str]:
    return {word: value for word in _CONDITIONS if (value := request.query_params.get(word, "").strip())}


def _results(request: PageRequest) -> Mapping[str, Any]:
    conditions = [_CONDITIONS[word](value) for word, value in _words(request).items()]
    return {**paging(request), "where": {"and": conditions} if conditions else None}


def _kept(request: PageRequest) -> Values:
    return {"kept": _words(request)}


async def _to_two_results(request: PageRequest) -> Response:
    """`/compare/results?result=…&result=…`, what a form asks for, leads to the page that can be kept."""
    chosen = [word.strip() for word in request.query_params.getlist("result") if word.strip()]
    if len(chosen) != 2:
        sentence = f"choose two results, as /compare/results?result=A&result=B: {len(chosen)} were chosen"
        return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))
    path = f"/compare/results/{chosen[0]}/{chosen[1]}"
    return RedirectResponse(request.url.replace(path=path, query=""), 302)


routes = [
    *at("/results", page("results", _results, values=_kept), *_CONDITIONS, *PAGING),
    Route("/compare/results", _to_two_results),
    *at("/compare/results/{a}/{b}", page("compare_results", in_path)),
]
