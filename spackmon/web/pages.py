"""How pages are made: each is a GraphQL document and a template of one name in templates/."""

import re
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from spackmon.errors import Code, Refused
from spackmon.graph.spec_text import quoted
from spackmon.http import answers
from spackmon.http.base_url import site_url
from spackmon.http.negotiation import HTML, JSON, preferred
from spackmon.http.operations import OBJECT, PAGE_ERRORS, Operation, RestRoute, words
from spackmon.http.services import Services
from spackmon.web.asked_builds import asked_words, narrowed
from spackmon.web.build_columns import USUAL_COLUMNS
from spackmon.web.display import (
    bars,
    cells,
    chance,
    duration,
    failed,
    harmless,
    levels,
    marked,
    path,
    question,
    share,
    timeline,
)
from spackmon.web.static_files import built_files

PAGE_SIZE = 25
_DIRECTORY = Path(__file__).parent / "templates"
_FRAGMENTS = _DIRECTORY / "fragments"
_SPREAD = re.compile(r"\.\.\.(\w+)")
_TEMPLATES = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(_DIRECTORY),
        autoescape=True,
        # For every value of every template, so that no page can forget it.
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
)
_TEMPLATES.env.filters.update(
    asked_words=asked_words,
    bars=bars,
    cells=cells,
    chance=chance,
    duration=duration,
    failed=failed,
    marked=marked,
    narrowed=narrowed,
    path=path,
    question=question,
    levels=levels,
    quoted=shlex.quote,
    share=share,
    spec_value=quoted,
    timeline=timeline,
)
_TEMPLATES.env.globals["usual_columns"] = USUAL_COLUMNS
_VERSION = version("spackmon")
_HEADERS = {"Vary": "Accept"}
# Of all that an address may say these alone are pieces of a client's own question.
_OWN_FILTERS = frozenset({"where", "base", "head"})

PageRequest = Request[Services]
Variables = Callable[[PageRequest], Mapping[str, Any]]
Values = Mapping[str, Any]
MakeValues = Callable[[PageRequest], Values]
Endpoint = Callable[[PageRequest], Awaitable[Response]]
Moved = Callable[[PageRequest, Mapping[str, Any]], str | None]
Show = Callable[[PageRequest, Mapping[str, Any]], Awaitable[Response]]
ShowAsked = Callable[[PageRequest, Mapping[str, Any], "Asked"], Awaitable[Response]]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Asked:
    """The question behind a page."""

    document: str
    variables: Mapping[str, Any]


def _stays(request: PageRequest, data: Mapping[str, Any]) -> None:
    """Where a page is, whatever it shows."""


def _nothing(request: PageRequest) -> Values:
    """What a page needs beside its answer where it needs nothing."""
    return {}


def page(
    name: str,
    variables: Variables,
    moved: Moved = _stays,
    values: MakeValues = _nothing,
    *,
    takes_gaps: bool = False,
) -> Endpoint:
    """The page that renders `name`.html with the answer to `name`.graphql, or that answer itself as JSON.

    Not one of the objects that it asks for by name may be missing, or it answers 404. What `moved` finds at
    another address is shown there. `values` makes what the template needs beside the answer. `takes_gaps`:
    a log that cannot be read is null, and the template says so.
    """

    async def shown(request: PageRequest, data: Mapping[str, Any], asked: Asked) -> Response:
        address = moved(request, data)
        if address is not None:
            return RedirectResponse(address, 301)
        if wants_json(request):
            return JSONResponse(data, headers=_HEADERS)
        return rendered(request, f"{name}.html", {**data, **values(request), "asked_here": asked})

    return _answering(name, variables, shown, takes_gaps=takes_gaps)


def at(path: str, endpoint: Endpoint, *names: str) -> list[Route]:
    """A page at its address, and its values as JSON at the same address with `.json` behind it.

    `names` are those of the query string that it reads.
    """
    operation = Operation(
        "Pages", f"The values of the page {path}.", {JSON: OBJECT}, refusals=PAGE_ERRORS,
        parameters=words(names), statuses=(200, 301, 302),
    )  # fmt: skip
    return [RestRoute(f"{path}.json", endpoint, operation), Route(path, endpoint)]


PAGING = ("after", "before")
"""The names that `paging` reads."""


def in_path(request: PageRequest) -> Mapping[str, Any]:
    """What the names in an address's path stand for, as variables of those names."""
    return dict(request.path_params)


def paging(request: PageRequest) -> dict[str, Any]:
    """Which page of a list an address asks for, as arguments of a connection."""
    before, after = (request.query_params.get(word, "").strip() or None for word in ("before", "after"))
    if before is not None:
        return {"last": PAGE_SIZE, "before": before}
    return {"first": PAGE_SIZE, "after": after}


def document(name: str) -> str:
    """A GraphQL document of templates/, with those of templates/fragments/ that it spreads."""
    text = (_DIRECTORY / f"{name}.graphql").read_text(encoding="utf-8")
    files = (_FRAGMENTS / f"{spread}.graphql" for spread in dict.fromkeys(_SPREAD.findall(text)))
    return "\n".join([text, *(file.read_text(encoding="utf-8") for file in files if file.is_file())])


def answering(name: str, variables: Variables, show: Show, *, takes_gaps: bool = False) -> Endpoint:
    """What `show` makes of the answer to `name`.graphql, or a page with one sentence where there is none."""
    return _answering(name, variables, lambda request, data, _: show(request, data), takes_gaps=takes_gaps)


def _answering(name: str, variables: Variables, show: ShowAsked, *, takes_gaps: bool = False) -> Endpoint:
    text = document(name)

    async def endpoint(request: PageRequest) -> Response:
        try:
            is_limited = not _OWN_FILTERS.isdisjoint(request.query_params)
            asked = Asked(text, variables(request))
            data = await request.state.query.ask(
                asked.document, asked.variables, is_limited=is_limited, takes_gaps=takes_gaps
            )
            if None in data.values():
                raise nothing_here(request)
            return await show(request, data, asked)
        except Refused as refused:
            return refusal_page(request, refused_at(request, refused))
        except Exception:
            log.exception("page_failed", path=request.url.path)
            sentence = f"this page failed; the server's log has more under {request.state.request_id}"
            return refusal_page(request, Refused(Code.INTERNAL, sentence))

    return endpoint


def rendered(
    request: PageRequest,
    template: str,
    values: Mapping[str, Any],
    status: int = 200,
    media_type: str | None = None,
) -> Response:
    """A template of templates/ with these values, and with what the frame of every page needs.

    It is a page, HTML, unless a media type is given.
    """
    settings = request.state.settings
    context = {
        **values,
        "address": site_url(request),
        "files": built_files(),
        "settings": settings,
        "signed_in": request.state.signed_in,
        "version": _VERSION,
    }
    plain = cast(Request, request)  # the library does not know of our services
    return _TEMPLATES.TemplateResponse(
        plain, template, context, status_code=status, headers=_HEADERS, media_type=media_type
    )


def as_text(template: str, values: Mapping[str, Any]) -> str:
    """A template of templates/ that needs no request."""
    return _TEMPLATES.get_template(template).render(values)


def refusal_page(request: PageRequest, refused: Refused) -> Response:
    """The sentence as a page, or as JSON for who wants that."""
    if wants_json(request):
        return answers.refusal(refused, _HEADERS)
    return rendered(request, "error.html", {"refused": refused}, refused.status)


def nothing_here(request: PageRequest) -> Refused:
    """What an address answers under which there is nothing."""
    return Refused(Code.NOT_FOUND, f"nothing is known here under {request.url.path}")


def refused_at(request: PageRequest, refused: Refused) -> Refused:
    """What an address answers that was refused: an id that cannot be one is one where nothing is."""
    return nothing_here(request) if refused.code == Code.ID_INVALID else refused


def wants_json(request: PageRequest) -> bool:
    """Whether a page's values are wanted as JSON: by `.json` at the end, `?format=json`, or `Accept`."""
    is_named = request.url.path.endswith(".json") or request.query_params.get("format") == "json"
    return is_named or preferred(request.headers.get("accept"), (HTML, JSON)) == JSON
