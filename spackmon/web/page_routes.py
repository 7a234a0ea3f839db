"""Which page stands at which address, and what each address asks for."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from spackmon.errors import Code, Refused
from spackmon.http.operations import BYTES, PAGE_ERRORS, TEXT, Operation, RestRoute, download
from spackmon.web import (
    abi_pages,
    build_files,
    builds_page,
    compare_logs,
    completion,
    error_page,
    log_pages,
    package_page,
    result_pages,
    spec_pages,
    splice_pages,
)
from spackmon.web.asked_builds import asked_words
from spackmon.web.asked_runs import RUN_WORDS, asked_runs
from spackmon.web.pages import (
    PAGING,
    PageRequest,
    answering,
    at,
    in_path,
    nothing_here,
    page,
    paging,
    refusal_page,
    refused_at,
    rendered,
)
from spackmon.web.result_download import result_response
from spackmon.web.words import whole_number

_DAYS, _MOST_DAYS = 7, 366
_ERROR_WORDS = ("class", "blame", "text", "package")
_GREATEST_NUMBER = 2**31 - 1
_SPECS_OF_TWO = (
    "query ($a: ID!, $b: ID!) { a: build(id: $a) { spec { id } } b: build(id: $b) { spec { id } } }"
)


def _period(request: PageRequest) -> Mapping[str, Any]:
    """The whole days that `days` asks for, up to now."""
    days = whole_number(request, "days", _DAYS, 1, _MOST_DAYS)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"since": (today - timedelta(days=days - 1)).isoformat()}


def _errors(request: PageRequest) -> Mapping[str, Any]:
    asked = {word: request.query_params.get(word, "").strip() for word in _ERROR_WORDS}
    conditions: list[Mapping[str, Any]] = [{"isMuted": {"eq": False}, "firstSeen": {"isNull": False}}]
    if asked["class"]:
        conditions.append({"errorClass": {"eq": asked["class"]}})
    if asked["blame"]:
        conditions.append({"blame": {"eq": asked["blame"].upper()}})
    if asked["text"]:
        conditions.append({"text": {"contains": asked["text"]}})
    if asked["package"]:
        conditions.append({"builds": {"some": {"package": {"name": {"eq": asked["package"]}}}}})
    return {**paging(request), "where": {"and": conditions}}


def _packages(request: PageRequest) -> Mapping[str, Any]:
    text = request.query_params.get("text", "").strip()
    return {**paging(request), **({"where": {"name": {"contains": text}}} if text else {})}


def _concretization_failures(request: PageRequest) -> Mapping[str, Any]:
    """What could not be concretized: of a package, or with words in what the solver says."""
    package, text = (request.query_params.get(word, "").strip() for word in ("package", "text"))
    conditions: list[Mapping[str, Any]] = []
    if package:
        conditions.append({"package": {"name": {"eq": package}}})
    if text:
        conditions.append({"message": {"contains": text}})
    return {**paging(request), **({"where": {"and": conditions}} if conditions else {})}


def _two_builds(request: PageRequest, are_known: bool) -> Mapping[str, Any]:
    a, b = (request.path_params[name].removeprefix("Build:") for name in ("a", "b"))
    return {"a": a, "b": b, "specOfA": f"Build:{a}", "specOfB": f"Build:{b}", "areKnown": are_known}


_with_specs, _without_specs = (
    page("compare_builds", partial(_two_builds, are_known=are_known)) for are_known in (True, False)
)


async def _compare_builds(request: PageRequest) -> Response:
    """Two builds side by side; nobody may have told the spec of one of them."""
    variables = {name: request.path_params[name].removeprefix("Build:") for name in ("a", "b")}
    try:
        data = await request.state.query.ask(_SPECS_OF_TWO, variables)
    except Refused as refused:
        return refusal_page(request, refused_at(request, refused))
    are_known = all(build and build["spec"] for build in data.values())
    return await (_with_specs if are_known else _without_specs)(request)


def _two_specs(request: PageRequest) -> Mapping[str, Any]:
    return {name: request.query_params.get(name, "").strip() for name in ("a", "b")}


async def _to_two_specs(request: PageRequest) -> Response:
    """`/compare/specs?a=…&b=…`, what a form asks for, leads to the page that can be kept."""
    asked = _two_specs(request)
    if not all(asked.values()):
        sentence = "`a` and `b` must each be a hash of a spec, as /compare/specs?a=…&b=…"
        return refusal_page(request, Refused(Code.ARGUMENT_INVALID, sentence))
    return RedirectResponse(request.url.replace(path="/compare/specs/{a}/{b}".format(**asked), query=""), 302)


_home = page("home", _period)


async def _home_or_builds(request: PageRequest) -> Response:
    """`/`; with the words of a list, which once stood there, it leads to the list."""
    is_list = asked_words(request.query_params) or not {"before", "after"}.isdisjoint(request.query_params)
    if is_list:
        return RedirectResponse(f"/builds?{request.url.query}", 301)
    return await _home(request)


def _installed(request: PageRequest) -> Mapping[str, Any]:
    """A directory of what a build installed, and after which name."""
    after = request.query_params.get("after")
    return {**in_path(request), "under": request.query_params.get("under", ""), "after": after}


def _present_address(request: PageRequest, data: Mapping[str, Any]) -> str | None:
    """The address of a build that was asked for by the number of one that turned out to be the same."""
    build_id = data["build"]["id"]
    shown_id = request.path_params["id"].removeprefix("Build:")
    question = f"?{request.url.query}" if request.url.query else ""
    return None if int(shown_id) == int(build_id) else f"/builds/{build_id}{question}"


def _two_attempts(request: PageRequest) -> Mapping[str, Any]:
    """Two attempts of a build, by their numbers."""
    if max(request.path_params[side] for side in ("a", "b")) > _GREATEST_NUMBER:
        raise nothing_here(request)
    return in_path(request)


def _both_attempts(request: PageRequest, data: Mapping[str, Any]) -> None:
    """Two attempts of a build are shown if it has both."""
    if not (data["build"]["a"]["nodes"] and data["build"]["b"]["nodes"]):
        raise nothing_here(request)


async def _result(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """The value of a result."""
    result = data["analysisResult"]
    if result["elf"] is not None:
        return JSONResponse(result["elf"], headers={"Vary": "Accept"})
    content = request.state.query.result_bytes(int(result["id"].rpartition(":")[2]))
    return await result_response(content, result, request.headers, lambda one: refusal_page(request, one))


async def _report(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """A build in words, to be pasted into an issue tracker."""
    return rendered(request, "report_of_build.txt", data, media_type="text/plain")


_REPORT = Operation("Files", "A build in words.", {"text/plain": TEXT}, refusals=PAGE_ERRORS)
_RESULT = download("The value of an analysis result, byte for byte.", {"*/*": BYTES})
routes = [
    Route("/", _home_or_builds),
    *completion.routes,
    *build_files.routes,
    *builds_page.routes,
    RestRoute("/builds/{id}.txt", answering("build", in_path, _report, takes_gaps=True), _REPORT),
    *at("/builds/{id}/files", page("installed", _installed), "under", "after"),
    *at("/builds/{id}/attempts/{a:int}/{b:int}", page("compare_attempts", _two_attempts, _both_attempts)),
    *at("/builds/{id:path}", page("build", in_path, _present_address, takes_gaps=True)),
    *at("/errors", page("errors", _errors), *_ERROR_WORDS, *PAGING),
    *error_page.routes,
    *at("/packages", page("packages", _packages), "text", *PAGING),
    *at("/packages/{name:path}", package_page.endpoint, "columns", "os", "memory"),
    *at("/specs/{hash}", page("spec", in_path)),
    *spec_pages.routes,
    *at("/hosts", page("hosts", paging), *PAGING),
    *at("/hosts/{name:path}", page("host", in_path)),
    *at("/environments", page("environments", paging), *PAGING),
    *at("/environments/{name:path}", page("environment", in_path)),
    *at(
        "/concretization-failures",
        page("concretization_failures", _concretization_failures),
        "package",
        "text",
        *PAGING,
    ),
    *at("/ci", page("ci_runs", paging), *PAGING),
    *at("/ci/{id}", page("ci_run", in_path)),
    Route("/compare/specs", _to_two_specs),
    Route("/compare/builds", builds_page.to_two_builds),
    *at("/compare/specs/{a}/{b}", page("compare_specs", in_path)),
    *at("/compare/builds/{a}/{b}", _compare_builds),
    *compare_logs.routes,
    *at("/compare/runs", page("compare_runs", asked_runs), *RUN_WORDS),
    *splice_pages.routes,
    *log_pages.routes,
    *abi_pages.routes,
    *result_pages.routes,
    RestRoute("/analysis-results/{id:path}", answering("result", in_path, _result), _RESULT),
]
