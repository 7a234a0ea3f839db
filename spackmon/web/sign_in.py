"""`/login` and `/logout`: signing in by name and password, and out."""

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.auth.audit import Actor
from spackmon.auth.sessions import end_session
from spackmon.errors import Code, Refused
from spackmon.http.answers import retry_after
from spackmon.http.sessions import address_of, begin_cookie, end_cookie, posted_form
from spackmon.web.forms import form_page, guarded, own_path
from spackmon.web.pages import PageRequest, wants_json

_PASSWORD = "password"  # noqa: S105 -- the word of a way to sign in


@guarded
async def _login(request: PageRequest) -> Response:
    """The form, or what came of it."""
    if request.method == "POST":
        return await _signed_in(request)
    where = own_path(request.query_params.get("next", "/"))
    if request.state.signed_in is not None:
        return RedirectResponse(where, 303)
    return _form(request, {"next": where, "name": "", "refused": None})


async def _signed_in(request: PageRequest) -> Response:
    fields = await posted_form(request)
    name, where = fields.get("name", "").strip(), own_path(fields.get("next", "/"))
    try:
        if "\0" in name:
            raise Refused(Code.FIELD_INVALID, "`name` must not have a NUL character")
        person_id = await request.state.gate.by_password(
            name, fields.get("password", ""), address_of(request)
        )
        if person_id is None:
            raise Refused(Code.CREDENTIALS_WRONG, "this name and this password do not fit")
    except Refused as refused:
        if wants_json(request):
            raise
        values: dict[str, object] = {"next": where, "name": name, "refused": refused}
        response = _form(request, values, refused.status)
        if refused.code.retryable:
            response.headers["Retry-After"] = retry_after(refused)
        return response
    return await begin_session(request, person_id, name, _PASSWORD, where)


def _form(request: PageRequest, values: dict[str, object], status: int = 200) -> Response:
    providers = list(request.state.providers.values())
    facts = {"ways": [provider.way for provider in providers]}
    return form_page(request, "login.html", facts, {**values, "providers": providers}, status)


async def begin_session(request: PageRequest, person_id: int, name: str, way: str, where: str) -> Response:
    """Sign somebody in and go on; a session that the browser had ends."""
    by = Actor(name, address_of(request))
    before = request.state.signed_in
    if before is not None:
        await request.state.database.write_held(
            lambda connection: end_session(connection, before.person_id, before.session_id, by)
        )
    secret = await request.state.sessions.begin(person_id, way, request.headers.get("user-agent", ""), by)
    response = RedirectResponse(where, 303)
    begin_cookie(request, response, secret)
    return response


@guarded
async def _logout(request: PageRequest) -> Response:
    """Sign out: by the form, since any page can have a browser read an address."""
    signed_in = request.state.signed_in
    if request.method != "POST":
        return RedirectResponse("/account" if signed_in else "/login", 303)
    await posted_form(request)
    if signed_in is not None:
        by = signed_in.acting_from(address_of(request))
        await request.state.database.write_held(
            lambda connection: end_session(connection, signed_in.person_id, signed_in.session_id, by)
        )
    response = RedirectResponse("/", 303)
    end_cookie(request, response)
    return response


routes = [
    Route("/login", _login, methods=["GET", "POST"]),
    Route("/logout", _logout, methods=["GET", "POST"]),
]
