"""`/errors/FINGERPRINT`: a group of errors, and what people say of it.

Its builds are counted where they are few, or when asked.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.auth.gate import viewer_with
from spackmon.auth.sessions import SignedIn
from spackmon.errors import Code, Refused
from spackmon.http.rulings import action_named, rule_as
from spackmon.http.sessions import form_key_of, posted_form
from spackmon.status import GroupAction
from spackmon.viewer import SCOPES_OF_ROLES, WRITE
from spackmon.web.forms import for_person
from spackmon.web.pages import PageRequest, Values, at, in_path, nothing_here, page, refusal_page, refused_at

# Four counts of so many take about 25 ms of the database.
_COUNTED_BUILDS = 20_000
_SIZE = "query ($fingerprint: String!) { errorGroup(fingerprint: $fingerprint) { fingerprint buildCount } }"


def _variables(request: PageRequest, is_counted: bool) -> Mapping[str, Any]:
    return {**in_path(request), "isCounted": is_counted}


def _forms(request: PageRequest) -> Values:
    signed_in = request.state.signed_in
    may_write = signed_in is not None and WRITE in SCOPES_OF_ROLES[signed_in.role]
    return {"form_key": form_key_of(request) if may_write else None}


_counted, _uncounted = (
    page("error_group", partial(_variables, is_counted=is_counted), values=_forms)
    for is_counted in (True, False)
)


async def _shown(request: PageRequest) -> Response:
    """The group of a fingerprint, or a page that says that there is none."""
    asked = request.path_params["fingerprint"]
    try:
        found = (await request.state.query.ask(_SIZE, in_path(request)))["errorGroup"]
        if found is None:
            raise nothing_here(request)
    except Refused as refused:
        return refusal_page(request, refused_at(request, refused))
    if found["fingerprint"] != asked:
        # Not for ever: a merge can be taken back.
        path = request.url.path.replace(asked, found["fingerprint"])
        return RedirectResponse(f"{path}?{request.url.query}" if request.url.query else path, 302)
    is_few = found["buildCount"] <= _COUNTED_BUILDS
    return await (_counted if is_few or "counts" in request.query_params else _uncounted)(request)


async def _said(request: PageRequest, signed_in: SignedIn) -> Response:
    """What a form of the page says of the group; then the page again."""
    fields = await posted_form(request)
    scopes = SCOPES_OF_ROLES[signed_in.role]
    if WRITE not in scopes:
        sentence = f"{signed_in.name!r} is a {signed_in.role}, and groups of errors are for writers"
        raise Refused(Code.SCOPE_EXCEEDS_ROLE, sentence)
    fingerprint = request.path_params["fingerprint"]
    action = action_named(fields.get("action"))
    # Browsers end the lines of a text with both.
    value = fields.get("value", "").replace("\r\n", "\n").strip()
    if action is GroupAction.MERGE:
        # The address of a group's page names it, too.
        value = value.rpartition("/")[2]
    viewer = viewer_with(signed_in.person_id, scopes)
    await rule_as(request.state, signed_in.person_id, viewer, fingerprint, action, value or None)
    return RedirectResponse(f"/errors/{fingerprint}#said", 303)


routes = [
    *at("/errors/{fingerprint}", _shown),
    Route("/errors/{fingerprint}", for_person(_said), methods=["POST"]),
]
