"""The log of a phase: its lines a page at a time, and what the viewer of the whole log asks for."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, PAGE_ERRORS, TEXT, Operation, RestRoute, download, words
from spackmon.web.log_download import log_response
from spackmon.web.pages import (
    PageRequest,
    answering,
    at,
    in_path,
    nothing_here,
    page,
    refusal_page,
)
from spackmon.web.words import whole_number

# On one page, and of the viewer in one answer.
_LINES, _MOST_LINES = 500, 1000
# Characters of a line that the viewer shows: a line may be the whole log.
_LONGEST_LINE = 4_000
_GREATEST_LINE = 2**31 - 1


def _lines(request: PageRequest) -> Mapping[str, Any]:
    """A window of a log: from a line on, or the last ones; and what is sought in the whole of it."""
    text = request.query_params.get("from", "").strip() or str(-_LINES)
    try:
        first = int(text)
    except ValueError:
        first = 0
    if not 1 <= abs(first) <= _GREATEST_LINE - _LINES:
        raise Refused(
            Code.ARGUMENT_INVALID, "`from` must be the number of a line, from 1, or -500 for the last 500"
        )
    sought = request.query_params.get("search", "").strip()
    last = first + _LINES - 1 if first > 0 else min(-1, first + _LINES - 1)
    return {
        **in_path(request),
        "from": first,
        "to": last,
        "search": sought or "x",
        "isSearched": bool(sought),
    }


def _window(request: PageRequest) -> Mapping[str, Any]:
    """Some lines for the viewer, as the address says: `from` one, `count` of them."""
    count = whole_number(request, "count", _MOST_LINES, 1, _MOST_LINES)
    first = whole_number(request, "from", 1, -_MOST_LINES, _GREATEST_LINE - _MOST_LINES) or 1
    last = first + count - 1 if first > 0 else min(-1, first + count - 1)
    return {**in_path(request), "from": first, "to": last}


def _found(request: PageRequest) -> Mapping[str, Any]:
    """What is sought, and the line from which on."""
    first = whole_number(request, "from", 1, 1, _GREATEST_LINE)
    return {**in_path(request), "search": request.query_params.get("search", "").strip(), "from": first}


def _printed(request: PageRequest, data: Mapping[str, Any]) -> None:
    """A log is where its phase is, if that has one."""
    if data["phase"]["log"] is None:
        raise nothing_here(request)


async def _window_of_viewer(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """Lines of a log, as they are in it, each cut where nobody reads on."""
    _printed(request, data)
    log = data["phase"]["log"]
    lines = log["text"].split("\n")
    # What follows the last line feed is no line, if there is nothing.
    if not lines[-1]:
        lines.pop()
    return JSONResponse(
        {
            "lines": [line[:_LONGEST_LINE] for line in lines],
            "line_count": log["lineCount"],
            "size_bytes": log["sizeBytes"],
            "is_running": data["phase"]["attempt"]["status"] == "RUNNING",
        }
    )


async def _found_by_viewer(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """The lines with what is sought, in as much of the log as one answer looks through."""
    _printed(request, data)
    search = data["phase"]["log"]["search"]
    return JSONResponse(
        {
            "lines": search["lines"],
            "size_bytes": search["sizeBytes"],
            "next_line": search["nextLine"],
        }
    )


async def _log(request: PageRequest, data: Mapping[str, Any]) -> Response:
    """The log of a phase."""
    _printed(request, data)
    digest = data["phase"]["log"]["digest"]
    chunks = request.state.query.log_chunks(bytes.fromhex(digest))
    return await log_response(chunks, digest, request.headers, lambda one: refusal_page(request, one))


def _of_viewer(summary: str, *names: str) -> Operation:
    return Operation("Files", summary, {JSON: OBJECT}, refusals=PAGE_ERRORS, parameters=words(names))


_LOG = download("The log of a phase, byte for byte.", {"text/plain": TEXT})
routes = [
    *at("/phases/{id}/lines", page("lines", _lines, _printed), "from", "search"),
    RestRoute(
        "/phases/{id}/window.json",
        answering("log_window", _window, _window_of_viewer),
        _of_viewer("Some lines of a log.", "from", "count"),
    ),
    RestRoute(
        "/phases/{id}/found.json",
        answering("log_found", _found, _found_by_viewer),
        _of_viewer("The lines of a log with a text.", "search", "from"),
    ),
    RestRoute("/phases/{id:path}/log", answering("log", in_path, _log), _LOG),
]
