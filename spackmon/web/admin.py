"""`/admin`: people, their roles and groups, tokens, the inbox, jobs, health, and the log of rights."""

from functools import partial

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spackmon.auth.audit import changes_of_rights
from spackmon.auth.groups import add_group, add_member, list_groups, remove_member
from spackmon.auth.people import disable_person, enable_person, list_people, set_role
from spackmon.auth.sessions import SignedIn
from spackmon.auth.tokens import list_tokens, revoke_token
from spackmon.errors import Code, Refused
from spackmon.http.sessions import address_of, posted_form
from spackmon.ingest import inbox
from spackmon.models import utc_now
from spackmon.ops.retention import rules_of
from spackmon.threads import in_thread
from spackmon.viewer import SCOPES_OF_ROLES
from spackmon.web.forms import for_administrator, form_page, number
from spackmon.web.pages import PageRequest, at

_PAGE = 100
_SHOWN_BYTES = 100_000


async def _people(request: PageRequest, _: SignedIn) -> Response:
    people = await request.state.database.admit_held(list_people)
    return form_page(request, "admin_people.html", {"people": people}, {"roles": list(SCOPES_OF_ROLES)})


async def _change_person(request: PageRequest, signed_in: SignedIn) -> Response:
    fields = await posted_form(request)
    name, change = fields.get("name", ""), fields.get("change", "")
    by = signed_in.acting_from(address_of(request))
    if name == signed_in.name:
        sentence = "you cannot change your own role or disable yourself: another administrator can"
        raise Refused(Code.FIELD_INVALID, sentence)
    if change == "role":
        work = partial(set_role, name=name, role=fields.get("role", ""), by=by)
    elif change in ("disable", "enable"):
        work = partial(disable_person if change == "disable" else enable_person, name=name, by=by)
    else:
        raise Refused(Code.FIELD_INVALID, "`change` must be role, disable or enable")
    await request.state.database.write_held(work)
    return RedirectResponse("/admin", 303)


async def _groups(request: PageRequest, _: SignedIn) -> Response:
    groups = await request.state.database.admit_held(list_groups)
    people = await request.state.database.admit_held(list_people)
    return form_page(request, "admin_groups.html", {"groups": groups}, {"people": people})


async def _change_group(request: PageRequest, signed_in: SignedIn) -> Response:
    fields = await posted_form(request)
    group, person, change = (fields.get(name, "").strip() for name in ("group", "person", "change"))
    by = signed_in.acting_from(address_of(request))
    if change == "add":
        work = partial(add_group, name=group, by=by)
    elif change in ("join", "leave"):
        work = partial(add_member if change == "join" else remove_member, group=group, person=person, by=by)
    else:
        raise Refused(Code.FIELD_INVALID, "`change` must be add, join or leave")
    await request.state.database.write_held(work)
    return RedirectResponse("/admin/groups", 303)


async def _tokens(request: PageRequest, _: SignedIn) -> Response:
    tokens = await request.state.database.admit_held(list_tokens)
    return form_page(request, "admin_tokens.html", {"tokens": tokens}, {"now": utc_now()})


async def _revoke(request: PageRequest, signed_in: SignedIn) -> Response:
    token_id = number((await posted_form(request)).get("token", ""), "token")
    by = signed_in.acting_from(address_of(request))
    await request.state.database.write_held(lambda connection: revoke_token(connection, token_id, by=by))
    return RedirectResponse("/admin/tokens", 303)


async def _inbox(request: PageRequest, _: SignedIn) -> Response:
    entries = await request.state.database.admit_held(inbox.entries)
    return form_page(request, "admin_inbox.html", {"entries": entries[:_PAGE], "count": len(entries)})


async def _entry(request: PageRequest, _: SignedIn) -> Response:
    entry_id = number(request.path_params["id"], "id")
    entry, body = await request.state.database.admit_held(partial(inbox.show, entry_id=entry_id))
    facts = {
        "entry": entry,
        "shown": body[:_SHOWN_BYTES].decode("utf-8", "replace"),
        "left_out": max(0, len(body) - _SHOWN_BYTES),
    }
    return form_page(request, "admin_entry.html", facts)


def _replaying(read: inbox.Reader) -> Route:
    async def replay(request: PageRequest, _: SignedIn) -> Response:
        await posted_form(request)
        entry_id = number(request.path_params["id"], "id")
        outcome = await in_thread(inbox.replay, request.state.database, entry_id, read)
        if isinstance(outcome, Refused):
            raise outcome
        return RedirectResponse("/admin/inbox", 303)

    return Route("/admin/inbox/{id}", for_administrator(replay), methods=["POST"])


async def _jobs(request: PageRequest, _: SignedIn) -> Response:
    rules = rules_of(request.state.settings.retention)
    facts = {"retention": [str(rule) for rule in rules], "jobs": request.state.jobs.records()}
    return form_page(request, "admin_jobs.html", facts)


async def _health(request: PageRequest, _: SignedIn) -> Response:
    services = request.state
    waiting = await services.database.admit_held(inbox.replay_order)
    facts = {
        "trouble": await services.watch.look(),
        "is_spooled": not services.spool.is_empty(),
        "set_aside": await in_thread(services.spool.set_aside),
        "waiting": len(waiting),
        "kind": services.database.dialect_name,
        "quotas": services.quota_use.used,
    }
    return form_page(request, "admin_health.html", facts)


async def _audit(request: PageRequest, _: SignedIn) -> Response:
    words = request.query_params
    before = number(words["before"], "before") if "before" in words else None
    subject = words.get("subject", "").strip() or None
    records = await request.state.database.admit_held(
        partial(changes_of_rights, most=_PAGE + 1, subject=subject, before=before)
    )
    facts = {"records": records[:_PAGE], "is_more": len(records) > _PAGE}
    return form_page(request, "admin_audit.html", facts, {"subject": subject or ""})


def admin_routes(read: inbox.Reader) -> list[Route]:
    """The pages of administrators; `read` reads what is in the inbox."""
    return [
        *at("/admin", for_administrator(_people)),
        Route("/admin/people", for_administrator(_change_person), methods=["POST"]),
        *at("/admin/groups", for_administrator(_groups)),
        Route("/admin/groups", for_administrator(_change_group), methods=["POST"]),
        *at("/admin/tokens", for_administrator(_tokens)),
        Route("/admin/tokens", for_administrator(_revoke), methods=["POST"]),
        *at("/admin/inbox", for_administrator(_inbox)),
        *at("/admin/inbox/{id}", for_administrator(_entry)),
        _replaying(read),
        *at("/admin/jobs", for_administrator(_jobs)),
        *at("/admin/health", for_administrator(_health)),
        *at("/admin/audit", for_administrator(_audit)),
    ]
