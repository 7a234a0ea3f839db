"""Addresses of the old server that people have stored: each leads to what it means here."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from spackmon.errors import Code, Refused
from spackmon.http.services import Services
from spackmon.web.pages import document, refusal_page, rendered, wants_json

_HASH_OF_SPEC = "query ($id: ID!) { spec(id: $id) { hash } }"

PageRequest = Request[Services]
Endpoint = Callable[[PageRequest], Awaitable[Response]]
Variables = Callable[[PageRequest], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Old:
    """What was at an address, and where that is now."""

    title: str
    sentence: str


_SPEC = Old("A spec", "The page of a spec is a question now, which GraphQL answers.")
_DIFFERENCE = Old(
    "Two specs compared", "GraphQL compares specs and all they depend on; it takes any of their hashes."
)
_MATRIX = Old("Builds of a package by compiler", "The matrix of builds is a question now.")
_RESULTS = Old("Analysis results", "What analyzers found is a question now.")
_PREDICTIONS = Old(
    "Predictions from analysis results",
    "Whether a library may take another's place is asked at /splice, what differs between two by GraphQL's "
    "abiDiff; what the analyzers found is a question, too.",
)


def _redirect(target: Callable[[Mapping[str, Any]], str]) -> Endpoint:
    async def endpoint(request: PageRequest) -> Response:
        return RedirectResponse(target(request.path_params), 301)

    return endpoint


def _latest(**conditions: str) -> str:
    return f"/builds?{urlencode(conditions)}"


def _moved(
    old: Old,
    name: str | None = None,
    variables: Callable[[PageRequest], Awaitable[Mapping[str, Any]]] | None = None,
) -> Endpoint:
    """A page that says where something is now, with the GraphQL document that asks for it."""
    text = name and document(name)

    async def endpoint(request: PageRequest) -> Response:
        try:
            values = {} if variables is None else await variables(request)
        except Refused as refused:
            return refusal_page(request, refused)
        if wants_json(request):
            return JSONResponse({"message": old.sentence, "query": text, "variables": values})
        return rendered(request, "moved.html", {"old": old, "document": text, "variables": values})

    return endpoint


async def _spec(request: PageRequest) -> Mapping[str, Any]:
    return {"id": str(request.path_params["id"])}


async def _known_hash(request: PageRequest, name: str) -> str | None:
    """A hash of the spec whose number stands in the address, if there is one."""
    number = request.path_params.get(name)
    spec = number and (await request.state.query.ask(_HASH_OF_SPEC, {"id": str(number)}))["spec"]
    return str(spec["hash"]) if spec else None


async def _hash_of(request: PageRequest, name: str) -> str:
    """The same, or what stands for it where there is none."""
    number = request.path_params.get(name)
    return await _known_hash(request, name) or f"a hash of spec {number or name}"


def _led(page: str, numbers: Sequence[str], otherwise: Endpoint) -> Endpoint:
    """To a page whose address has hashes for the numbers of the old one; otherwise what is said without."""

    async def endpoint(request: PageRequest) -> Response:
        try:
            hashes = {name: await _known_hash(request, name) for name in numbers}
        except Refused as refused:
            if refused.code == Code.ID_INVALID:
                return await otherwise(request)
            return refusal_page(request, refused)
        is_known = all(hashes.values())
        return RedirectResponse(page.format_map(hashes), 301) if is_known else await otherwise(request)

    return endpoint


async def _two_hashes(request: PageRequest) -> Mapping[str, Any]:
    return {name: await _hash_of(request, name) for name in ("a", "b")}


async def _builds(request: PageRequest) -> Mapping[str, Any]:
    package, system = (request.path_params.get(name) for name in ("package", "system"))
    spec = {
        **({} if package is None else {"name": {"eq": package}}),
        **({} if system is None else {"architecture": {"operatingSystem": {"eq": system}}}),
    }
    return {"where": {"spec": spec}} if spec else {}


async def _results(request: PageRequest) -> Mapping[str, Any]:
    parameters = request.path_params
    if "name" not in parameters:
        return {}
    is_named = "package" in parameters
    of = (
        {"name": {"eq": parameters["package"]}}
        if is_named
        else {"hash": {"eq": await _hash_of(request, "spec")}}
    )
    return {"where": {"name": {"eq": parameters["name"]}, "analysis": {"build": {"spec": of}}}}


def _of_analyzer(analyzer: str) -> Variables:
    async def variables(_: PageRequest) -> Mapping[str, Any]:
        return {"where": {"analyzer": {"eq": analyzer}}}

    return variables


async def _robots(_: PageRequest) -> Response:
    """`/robots.txt`, which keeps crawlers away as the old one did."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


_ACCOUNT_PAGES = ("/token", "/token/update", "/auth/tokens", "/u/profile", "/u/delete")
_LOGIN_PAGES = ("/login/{rest:path}", "/accounts/login", "/api-auth/login")
_LOGOUT_PAGES = ("/logout/{rest:path}", "/api-auth/logout")
_PAGES: Mapping[str, Endpoint] = {
    "/builds/tag/{tag}": _redirect(lambda found: _latest(tag=found["tag"])),
    "/builds/owner/{name}": _redirect(lambda found: _latest(owner=found["name"])),
    "/u/profile/{name:path}": _redirect(lambda found: _latest(owner=found["name"].strip("/"))),
    "/tables/build": _redirect(lambda _: "/builds"),
    "/specs/detail/{id:int}": _led("/specs/{id}", ["id"], _moved(_SPEC, "old_spec", _spec)),
    "/specs/diff": _moved(_DIFFERENCE, "old_spec_difference", _two_hashes),
    "/specs/diff/{a:int}/{b:int}": _led(
        "/compare/specs/{a}/{b}", ["a", "b"], _moved(_DIFFERENCE, "old_spec_difference", _two_hashes)
    ),
    "/analysis/matrix": _moved(_MATRIX, "old_matrix", _builds),
    "/analysis/matrix/{package}/{system}": _moved(_MATRIX, "old_matrix", _builds),
    "/analysis/results": _moved(_RESULTS, "old_results", _results),
    "/analysis/results/{spec:int}/{name}": _moved(_RESULTS, "old_results", _results),
    "/analysis/diffs": _moved(_RESULTS, "old_results", _results),
    "/analysis/diffs/{package}/{name}": _moved(_RESULTS, "old_results", _results),
    "/analysis/abi/stability": _moved(_PREDICTIONS, "old_results", _of_analyzer("smeagle")),
    "/analysis/abi/stability/{rest:path}": _moved(_PREDICTIONS, "old_results", _of_analyzer("smeagle")),
    "/analysis/symbols": _moved(_PREDICTIONS, "old_results", _of_analyzer("symbolator")),
    "/analysis/symbols/{rest:path}": _moved(_PREDICTIONS, "old_results", _of_analyzer("symbolator")),
    "/robots.txt": _robots,
    **dict.fromkeys(_ACCOUNT_PAGES, _redirect(lambda _: "/account")),
    **dict.fromkeys(_LOGIN_PAGES, _redirect(lambda _: "/login")),
    **dict.fromkeys(_LOGOUT_PAGES, _redirect(lambda _: "/logout")),
    "/admin/{rest:path}": _redirect(lambda _: "/admin"),
}

routes = [
    Route("/builds/{id:int}/", _redirect(lambda found: f"/builds/{found['id']}")),
    *(
        Route(f"{path}{slash}", endpoint)
        for path, endpoint in _PAGES.items()
        for slash in ("", "/")
        if not (path.endswith(":path}") and slash)
    ),
    Route("/api-token-auth/", _redirect(lambda _: "/account")),
]
