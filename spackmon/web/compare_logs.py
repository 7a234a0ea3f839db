"""Two logs of phases side by side: where they first differ, and where next."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spackmon.logs.alignment import compare
from spackmon.threads import in_thread
from spackmon.web.pages import (
    Asked,
    PageRequest,
    answering,
    at,
    document,
    nothing_here,
    rendered,
    wants_json,
)
from spackmon.web.words import whole_number

READ_LINES = 20_000
"""Of either log in one answer: some are made comparable in 40 µs each."""

_DOCUMENT = document("compare_logs")
_GREATEST_LINE = 2**31 - 1 - READ_LINES


def _two_phases(request: PageRequest) -> Mapping[str, Any]:
    begins = {side: whole_number(request, f"{side}_from", 1, 1, _GREATEST_LINE) for side in ("a", "b")}
    return {
        **{side: request.path_params[side] for side in begins},
        **{f"{side}From": begin for side, begin in begins.items()},
        **{f"{side}To": begin + READ_LINES - 1 for side, begin in begins.items()},
    }


async def _compare_logs(request: PageRequest, data: Mapping[str, Any]) -> Response:
    asked = _two_phases(request)
    logs = [data[side]["log"] for side in ("a", "b")]
    if None in logs:
        raise nothing_here(request)
    begin = asked["aFrom"], asked["bFrom"]
    are_whole = all(first + READ_LINES > log["lineCount"] for first, log in zip(begin, logs, strict=True))
    one, other = (_lines(log.pop("plainText")) for log in logs)
    alignment = None
    # Of a text that was removed there is nothing that could be alike.
    if not any(log["removedAt"] for log in logs):
        alignment = asdict(await in_thread(lambda: compare(one, other, begin, are_whole=are_whole)))
    values = {**data, "alignment": alignment, "begin": begin}
    if wants_json(request):
        return JSONResponse(values, headers={"Vary": "Accept"})
    shown = {**values, "asked_here": Asked(_DOCUMENT, asked)}
    return rendered(request, "compare_logs.html", shown)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


routes: list[Route] = at(
    "/compare/logs/{a}/{b}", answering("compare_logs", _two_phases, _compare_logs), "a_from", "b_from"
)
