"""Atom feeds (RFC 4287): the newest builds of any filter, and the newest groups of errors."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from spackmon.http.operations import PAGE_ERRORS, TEXT, Operation, RestRoute, words
from spackmon.web.asked_builds import WORDS, asked_builds, asked_words
from spackmon.web.pages import PageRequest, answering, rendered

_MEDIA_TYPE = "application/atom+xml"
_ENTRIES = 50
# A feed must say when it changed last (RFC 4287, section 4.1.1); one without entries never has.
_NEVER = datetime.fromtimestamp(0, UTC).isoformat()


def _wanted_builds(request: PageRequest) -> Mapping[str, Any]:
    return {"first": _ENTRIES, **asked_builds(asked_words(request.query_params))}


def _newest_groups(request: PageRequest) -> Mapping[str, Any]:
    return {"first": _ENTRIES}


async def _feed_of_builds(request: PageRequest, data: Mapping[str, Any]) -> Response:
    words = asked_words(request.query_params)
    updated = max((build["updatedAt"] for build in data["builds"]["nodes"]), default=_NEVER)
    question = f"?{urlencode(words)}" if words else ""
    values = {**data, "words": words, "question": question, "updated": updated}
    return rendered(request, "feed_builds.atom", values, media_type=_MEDIA_TYPE)


async def _feed_of_groups(request: PageRequest, data: Mapping[str, Any]) -> Response:
    updated = max((group["firstSeen"] for group in data["errorGroups"]["nodes"]), default=_NEVER)
    return rendered(request, "feed_errors.atom", {**data, "updated": updated}, media_type=_MEDIA_TYPE)


def _feed(summary: str, *names: str) -> Operation:
    return Operation("Files", summary, {_MEDIA_TYPE: TEXT}, refusals=PAGE_ERRORS, parameters=words(names))


routes = [
    RestRoute(
        "/feeds/builds.atom",
        answering("feed_builds", _wanted_builds, _feed_of_builds),
        _feed("The newest builds of any filter.", *WORDS),
    ),
    RestRoute(
        "/feeds/errors.atom",
        answering("feed_errors", _newest_groups, _feed_of_groups),
        _feed("The newest groups of errors."),
    ),
]
