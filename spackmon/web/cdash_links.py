"""The links that `spack install --log-format=cdash` prints: CDash URLs, redirected to our pages."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.errors import Code, Refused
from spackmon.http.services import Services
from spackmon.web.pages import nothing_here, refusal_page, refused_at

_NOTHING_BUILT = "0"
_BUILD = "query ($id: ID!) { build(id: $id) { id } }"


async def build_summary(request: Request[Services]) -> Response:
    """`GET /buildSummary.php?buildid=N`, the link that Spack prints, leads to the page of the build."""
    build_id = request.query_params.get("buildid", "")
    if build_id == _NOTHING_BUILT:
        sentence = "nothing was built: what was asked for could not be concretized"
        return refusal_page(request, Refused(Code.NOTHING_BUILT, sentence))
    try:
        data = await request.state.query.ask(_BUILD, {"id": build_id})
    except Refused as refused:
        return refusal_page(request, refused_at(request, refused))
    if data["build"] is None:
        return refusal_page(request, nothing_here(request))
    return RedirectResponse(f"/builds/{data['build']['id']}", status_code=302)


routes = [Route("/buildSummary.php", build_summary)]
