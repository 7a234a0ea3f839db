"""`/account`, the old server's token page: somebody's tokens and sessions, and the lines for each Spack."""

from datetime import timedelta
from functools import partial

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.auth.identities import identities_of, unlink
from spackmon.auth.sessions import SignedIn, end_session, list_sessions
from spackmon.auth.tokens import create_token, list_tokens, revoke_token
from spackmon.errors import Code, Refused
from spackmon.http.sessions import address_of, posted_form
from spackmon.models import utc_now
from spackmon.viewer import SCOPES, SCOPES_OF_ROLES
from spackmon.web.forms import for_person, form_page, number
from spackmon.web.pages import PageRequest, at

_MOST_DAYS = 36_500


async def _account(request: PageRequest, signed_in: SignedIn, new_token: str | None = None) -> Response:
    """The page; a token that was just made is on it this once."""
    database = request.state.database
    facts = {
        "name": signed_in.name,
        "role": signed_in.role,
        "tokens": await database.admit_held(partial(list_tokens, person=signed_in.name)),
        "sessions": await database.admit_held(partial(list_sessions, person_id=signed_in.person_id)),
        "identities": await database.admit_held(partial(identities_of, person_id=signed_in.person_id)),
        "new_token": new_token,
    }
    allowed = SCOPES_OF_ROLES[signed_in.role]
    beside = {
        "providers": list(request.state.providers.values()),
        "scopes": [scope for scope in SCOPES if scope in allowed],
        "now": utc_now(),
    }
    return form_page(request, "account.html", facts, beside)


async def _new_token(request: PageRequest, signed_in: SignedIn) -> Response:
    fields = await posted_form(request)
    scopes = [scope for scope in SCOPES if scope in fields]
    days = fields.get("days", "").strip()
    ends = utc_now() + timedelta(days=_days(days)) if days else None
    by = signed_in.acting_from(address_of(request))
    token = await request.state.database.write_held(
        lambda connection: create_token(connection, signed_in.name, scopes, ends, by)
    )
    return await _account(request, signed_in, token)


def _days(text: str) -> int:
    days = number(text, "days")
    if not 1 <= days <= _MOST_DAYS:
        raise Refused(Code.FIELD_INVALID, f"`days` must be a number from 1 to {_MOST_DAYS}")
    return days


async def _revoke(request: PageRequest, signed_in: SignedIn) -> Response:
    token_id = number((await posted_form(request)).get("token", ""), "token")
    by = signed_in.acting_from(address_of(request))
    await request.state.database.write_held(
        lambda connection: revoke_token(connection, token_id, of=signed_in.name, by=by)
    )
    return RedirectResponse("/account#tokens", 303)


async def _end(request: PageRequest, signed_in: SignedIn) -> Response:
    session_id = number((await posted_form(request)).get("session", ""), "session")
    by = signed_in.acting_from(address_of(request))
    await request.state.database.write_held(
        lambda connection: end_session(connection, signed_in.person_id, session_id, by)
    )
    return RedirectResponse("/account#sessions", 303)


async def _unlink(request: PageRequest, signed_in: SignedIn) -> Response:
    identity_id = number((await posted_form(request)).get("identity", ""), "identity")
    by = signed_in.acting_from(address_of(request))
    await request.state.database.write_held(
        lambda connection: unlink(connection, signed_in.name, identity_id, by)
    )
    return RedirectResponse("/account#identities", 303)


routes = [
    *at("/account", for_person(_account)),
    Route("/account/tokens", for_person(_new_token), methods=["POST"]),
    Route("/account/tokens/revoke", for_person(_revoke), methods=["POST"]),
    Route("/account/identities/remove", for_person(_unlink), methods=["POST"]),
    Route("/account/sessions/end", for_person(_end), methods=["POST"]),
]
