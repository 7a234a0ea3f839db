"""`POST /api/error-groups/FINGERPRINT`: what a person says of a group of errors (docs/logs.md)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.formats.ms1 import read_json
from spackmon.http.answers import refusal
from spackmon.http.body import discard_body, read_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, OF_EVERY_WRITE, Operation, RestRoute
from spackmon.http.rulings import action_named, rule_as
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest.grouping import LONGEST_VALUE
from spackmon.status import GroupAction
from spackmon.viewer import Role, Viewer

PATH = "/api/error-groups/{fingerprint}"
_MOST_BYTES = 8 * LONGEST_VALUE


async def post(request: Request[Services]) -> Response:
    """Apply `{"action": …, "value": …}`, in the name of who shows a token with the scope `build:write`."""
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
        action, value = _ruling(read_json(await read_body(request, _MOST_BYTES)))
        viewer = Viewer(sender.person_id, Role.MEMBER)
        fingerprint = request.path_params["fingerprint"]
        await rule_as(request.state, sender.person_id, viewer, fingerprint, action, value)
    except Refused as refused:
        await discard_body(request)
        return refusal(refused, challenge(request) if refused.status == 401 else None)
    return JSONResponse({"message": "noted", "code": 200})


_RULING = Operation(
    "Reports",
    "Say something of a group of errors.",
    {JSON: OBJECT},
    errors=(*OF_EVERY_WRITE, Code.ERROR_GROUP_UNKNOWN),
    bodies={
        JSON: {
            "type": "object",
            "required": ["action"],
            "properties": {
                "action": {"enum": [action.value for action in GroupAction]},
                "value": {"type": ["string", "null"]},
            },
        }
    },
    security=("bearer",),
)
routes = [RestRoute(PATH, post, _RULING, methods=["POST"])]


def _ruling(document: dict[str, Any]) -> tuple[GroupAction, str | None]:
    action, value = action_named(document.get("action")), document.get("value")
    if value is not None and not isinstance(value, str):
        raise Refused(Code.FIELD_INVALID, "`value` must be a string or null")
    return action, value
