"""`POST /api/error-groups/FINGERPRINT`: what a person says of a group of errors (docs/logs.md)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spackmon.errors import Code, Refused
from spackmon.formats.ms1 import read_json
from spackmon.http.answers import refusal
from spackmon.http.body import discard_body, read_body
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest.grouping import LONGEST_VALUE, group_unknown, rule
from spackmon.models import utc_now
from spackmon.status import GroupAction
from spackmon.viewer import Role, Viewer

PATH = "/api/error-groups/{fingerprint}"
_GROUP = "query ($fingerprint: String!) { errorGroup(fingerprint: $fingerprint) { id } }"
_MOST_BYTES = 8 * LONGEST_VALUE


async def post(request: Request[Services]) -> Response:
    """Apply `{"action": …, "value": …}`, in the name of who shows a token with the scope `build:write`."""
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
        action, value = _ruling(read_json(await read_body(request, _MOST_BYTES)))
        fingerprint = request.path_params["fingerprint"]
        await _see(request.state, sender.person_id, fingerprint)
        if action is GroupAction.MERGE and value:
            await _see(request.state, sender.person_id, value)
        await request.state.database.write_held(
            lambda connection: rule(connection, fingerprint, action, value, sender.person_id, utc_now())
        )
    except Refused as refused:
        await discard_body(request)
        return refusal(refused, challenge(request) if refused.status == 401 else None)
    return JSONResponse({"message": "noted", "code": 200})


async def _see(services: Services, person_id: int, fingerprint: str) -> None:
    """Raises Refused ERROR_GROUP_UNKNOWN for a group that this person may not see."""
    query = services.query.seen_by(Viewer(person_id, Role.MEMBER))
    if (await query.ask(_GROUP, {"fingerprint": fingerprint}, is_limited=True))["errorGroup"] is None:
        raise group_unknown(fingerprint)


routes = [Route(PATH, post, methods=["POST"])]


def _ruling(document: dict[str, Any]) -> tuple[GroupAction, str | None]:
    action, value = document.get("action"), document.get("value")
    if not isinstance(action, str) or action not in GroupAction.__members__:
        raise Refused(
            Code.FIELD_INVALID,
            f"`action` must be one of {', '.join(GroupAction)}, it is {str(action)[:50]!r}",
        )
    if value is not None and not isinstance(value, str):
        raise Refused(Code.FIELD_INVALID, "`value` must be a string or null")
    return GroupAction[action], value
