"""`/builds.csv` and `/builds.ndjson`: the whole of a list of builds, by the words of its page."""

from starlette.responses import Response

from spackmon.errors import Code, Refused
from spackmon.http.operations import OF_EVERY_QUESTION, PAGE_ERRORS, TEXT, Operation, RestRoute, words
from spackmon.web.asked_builds import WORDS, asked_builds, asked_words
from spackmon.web.builds_page import asked_order
from spackmon.web.export import CSV, NDJSON, export_response
from spackmon.web.pages import Endpoint, PageRequest, document, refusal_page

_DOCUMENT = document("build_files")


def _file(media_type: str) -> Endpoint:
    async def endpoint(request: PageRequest) -> Response:
        def refusal(refused: Refused) -> Response:
            return refusal_page(request, refused)

        try:
            asked = {**asked_builds(asked_words(request.query_params)), **asked_order(request)}
            export = await request.state.query.export(_DOCUMENT, asked)
            return export_response(export, media_type, request.scope["http_version"], refusal)
        except Refused as refused:
            return refusal(refused)

    return endpoint


def _export(media_type: str) -> Operation:
    return Operation(
        "Files", "All builds of any filter.", {media_type: TEXT}, refusals=PAGE_ERRORS,
        errors=(*OF_EVERY_QUESTION, Code.EXPORTS_BUSY, Code.EXPORT_NEEDS_HTTP_1_1),
        parameters=words((*WORDS, "sort")),
    )  # fmt: skip


routes = [
    RestRoute(f"/builds.{suffix}", _file(media_type), _export(media_type))
    for suffix, media_type in (("csv", CSV), ("ndjson", NDJSON))
]
