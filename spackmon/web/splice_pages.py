"""`/splice`: may this library replace that one? Its words say which of three questions is asked."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.web.pages import PageRequest, at, page, refusal_page, rendered, wants_json


def _words(request: PageRequest) -> dict[str, str]:
    return {word: value for word, text in request.query_params.items() if (value := text.strip())}


def _one(request: PageRequest) -> Mapping[str, Any]:
    words = _words(request)
    return {word: words[word] for word in ("build", "replace", "with")}


def _candidates(request: PageRequest) -> Mapping[str, Any]:
    words = _words(request)
    return {"build": words["build"], "package": words["replace"], "after": words.get("after")}


def _matrix(request: PageRequest) -> Mapping[str, Any]:
    words = _words(request)
    return {word: words.get(word) for word in ("package", "after", "afterVersion")}


def _parts(request: PageRequest) -> Mapping[str, Any]:
    return {"build": _words(request)["build"]}


_PREDICTION, _CANDIDATES, _MATRIX, _PARTS = (
    page("splice", _one),
    page("splice_candidates", _candidates),
    page("splice_matrix", _matrix),
    page("splice_parts", _parts),
)


async def _splice(request: PageRequest) -> Response:
    """`build`, `replace` and `with`: one prediction; the first two: every candidate; `build`: what may be
    replaced in it; `package`: a matrix."""
    words = _words(request)
    if "package" in words:
        return await _MATRIX(request)
    if "build" in words and "replace" in words:
        return await (_PREDICTION if "with" in words else _CANDIDATES)(request)
    if words.keys() & {"replace", "with"}:
        sentence = (
            "`build` and `replace` must both be there: the number of a build, and a package in its graph"
        )
        return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))
    if "build" in words:
        return await _PARTS(request)
    if wants_json(request):
        sentence = "`build` must be the number of a build, or `package` the name of a package"
        return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))
    return rendered(request, "splice_start.html", {})


routes = at("/splice", _splice, "build", "replace", "with", "package", "after", "afterVersion")
