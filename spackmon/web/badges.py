"""`/badge/<package>.svg`: how the newest finished run of a package ended, as an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from spackmon.http.operations import PAGE_ERRORS, TEXT, Operation, RestRoute, words
from spackmon.web.asked_builds import WORDS, asked_builds, asked_words
from spackmon.web.pages import PageRequest, answering, rendered

_SVG = "image/svg+xml"
_ENDED = {"status": {"in": ["SUCCESS", "FAILED", "CANCELLED"]}}
# White on each has a contrast of 4.5 at least (WCAG 2.2, 1.4.3).
_WORDS = {
    "SUCCESS": ("passes", "#1a7f37"),
    "FAILED": ("fails", "#c0302b"),
    "CANCELLED": ("given up", "#8a5a00"),
}
_NO_BUILDS = ("no builds", "#5f6670")
_MAXIMUM_CHARACTERS = 60
# Of Verdana at 11 pixels, and what stands free on both sides.
_PIXELS_OF_A_CHARACTER, _PIXELS_FREE = 7, 12


@dataclass(frozen=True, slots=True)
class _Part:
    """A half of the image: its text, and its width in pixels."""

    text: str
    width: int


def _newest_run(request: PageRequest) -> Mapping[str, Any]:
    words = {**asked_words(request.query_params), "package": request.path_params["package"]}
    arguments = asked_builds(words)
    return {**arguments, "where": {"and": [arguments["where"], _ENDED]}}


async def _badge(request: PageRequest, data: Mapping[str, Any]) -> Response:
    builds = data["builds"]["nodes"]
    word, colour = _WORDS[builds[0]["status"]] if builds else _NO_BUILDS
    spec = builds[0]["spec"] if builds else None
    message = f"{spec['version']} {word}" if spec else word
    values = {"label": _part(request.path_params["package"]), "message": _part(message), "colour": colour}
    return rendered(request, "badge.svg", values, media_type=_SVG)


def _part(text: str) -> _Part:
    shown = text if len(text) <= _MAXIMUM_CHARACTERS else f"{text[: _MAXIMUM_CHARACTERS - 1]}…"
    return _Part(shown, len(shown) * _PIXELS_OF_A_CHARACTER + _PIXELS_FREE)


_BADGE = Operation(
    "Files", "How the newest finished run of a package ended.", {_SVG: TEXT}, refusals=PAGE_ERRORS,
    parameters=words(word for word in WORDS if word != "package"),
)  # fmt: skip
routes = [RestRoute("/badge/{package:path}.svg", answering("badge", _newest_run, _badge), _BADGE)]
