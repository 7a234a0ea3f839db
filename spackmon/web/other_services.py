"""`/login/…/` and `/complete/…/`: to another service that says who somebody is, and back.

The addresses are those of the old server, so that an OAuth app of GitHub needs no change.
"""

from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.auth.audit import Actor, note_refusal
from spackmon.auth.identities import link, sign_in
from spackmon.auth.providers.claims import Claimed, Provider, no_good
from spackmon.auth.providers.pending import MINUTES, Pending, use_up
from spackmon.errors import Code, Refused
from spackmon.http.base_url import site_url
from spackmon.http.sessions import address_of, end_sign_in, keep_sign_in, kept_sign_in
from spackmon.web.forms import guarded, own_path
from spackmon.web.pages import PageRequest
from spackmon.web.sign_in import begin_session

_MOST_REASON_CHARACTERS = 200
# What the service there said is believed, and not enough here.
_NOT_LET_IN = (Code.SIGN_IN_NOT_ALLOWED, Code.PERSON_DISABLED, Code.IDENTITY_TAKEN)


@guarded
async def _begin(request: PageRequest) -> Response:
    """Send a browser to another service, if a page of this one asked for it.

    By GET, since a form of a page may not lead to another site; `link` makes the identity one of who is
    signed in.
    """
    where = own_path(request.query_params.get("next", "/"))
    provider = request.state.providers.get(request.path_params["way"])
    # Browsers say `none` of an address that was typed in.
    comes_from = request.headers.get("sec-fetch-site", "same-origin")
    links = "link" in request.query_params
    if provider is None or comes_from not in ("same-origin", *(() if links else ("none",))):
        return RedirectResponse(f"/login?{urlencode({'next': where})}", 303)
    person_id = None
    if links:
        if request.state.signed_in is None:
            raise Refused(Code.UNAUTHENTICATED, "nobody is signed in: sign in at /login")
        person_id = request.state.signed_in.person_id
    text, proofs = request.state.sign_ins.begin(provider.way, where, person_id)
    response = RedirectResponse(await provider.address(proofs, _back(request, provider)), 303)
    keep_sign_in(request, response, text, MINUTES * 60)
    return response


@guarded
async def _complete(request: PageRequest) -> Response:
    """Take up the sign-in of a browser that came back."""
    provider = request.state.providers.get(request.path_params["way"])
    if provider is None:
        raise Refused(Code.NOT_FOUND, f"nobody signs in by {request.path_params['way']!r} here")
    answer = request.query_params
    pending, proofs = request.state.sign_ins.resume(
        kept_sign_in(request), provider.way, answer.get("state", "")
    )
    await request.state.database.write_held(lambda connection: use_up(connection, proofs))
    _check_said(provider, answer)
    try:
        claimed = await provider.claimed(answer, proofs, _back(request, provider))
        if pending.person_id is None:
            response = await _signed_in(request, claimed, pending)
        else:
            response = await _linked(request, claimed, pending)
    except Refused as refused:
        if refused.code in _NOT_LET_IN:
            address, reason = address_of(request), f"{provider.way}: {refused.sentence}"
            await request.state.database.write_held(
                lambda connection: note_refusal(connection, address, "", reason[:_MOST_REASON_CHARACTERS])
            )
        raise
    end_sign_in(request, response)
    return response


async def _signed_in(request: PageRequest, claimed: Claimed, pending: Pending) -> Response:
    role, address = request.state.settings.sign_in_role, address_of(request)
    person_id, name = await request.state.database.write_held(
        lambda connection: sign_in(connection, claimed, role, address)
    )
    return await begin_session(request, person_id, name, pending.way, pending.where)


async def _linked(request: PageRequest, claimed: Claimed, pending: Pending) -> Response:
    signed_in = request.state.signed_in
    if signed_in is None or signed_in.person_id != pending.person_id:
        raise Refused(Code.UNAUTHENTICATED, "who began to link this identity is not signed in any longer")
    by: Actor = signed_in.acting_from(address_of(request))
    await request.state.database.write_held(
        lambda connection: link(connection, signed_in.name, claimed.issuer, claimed.subject, by)
    )
    return RedirectResponse("/account#identities", 303)


def _check_said(provider: Provider, answer: QueryParams) -> None:
    if "error" in answer:
        reason = ": ".join(filter(None, (answer["error"], answer.get("error_description"))))
        raise no_good(provider.name, reason[:_MOST_REASON_CHARACTERS])
    if not answer.get("code"):
        raise no_good(provider.name, "it sent no `code`")


def _back(request: PageRequest, provider: Provider) -> str:
    return f"{site_url(request)}/complete/{provider.way}/"


routes = [
    Route(f"/{step}/{{way}}{slash}", endpoint)
    for step, endpoint in (("login", _begin), ("complete", _complete))
    for slash in ("", "/")
]
