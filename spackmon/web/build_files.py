"""`/builds.csv` and `/builds.ndjson`: the whole of a list of builds, by the words of its page."""

from starlette.responses import Response
from starlette.routing import Route

from spackmon.errors import Refused
from spackmon.web.asked_builds import asked_builds, asked_words
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


routes = [Route("/builds.csv", _file(CSV)), Route("/builds.ndjson", _file(NDJSON))]
