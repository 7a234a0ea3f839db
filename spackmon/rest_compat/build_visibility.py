"""`POST /api/builds/ID/visibility`: who may see a build, as its owner says (docs/visibility.md)."""

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.auth.audit import Actor
from spackmon.auth.groups import set_build_visibility, set_visibility_of_own
from spackmon.errors import Code, Refused
from spackmon.formats.ms1 import read_json
from spackmon.http.answers import refusal
from spackmon.http.body import discard_body, read_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, OF_EVERY_WRITE, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.http.sessions import address_of
from spackmon.http.token_exchange import challenge
from spackmon.status import Visibility

_MOST_BYTES = 10_000


async def post(request: Request[Services]) -> Response:
    """Apply `{"visibility": …, "group": …}`, for who shows a token with the scope `build:write`."""
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
        visibility, group = _wanted(read_json(await read_body(request, _MOST_BYTES)))
        change = (
            set_build_visibility
            if sender.administers
            else partial(set_visibility_of_own, person_id=sender.person_id)
        )
        by = Actor(sender.name, address_of(request))
        number = request.path_params["id"]
        await request.state.database.write_held(
            lambda connection: change(connection, build_id=number, visibility=visibility, group=group, by=by)
        )
    except Refused as refused:
        await discard_body(request)
        return refusal(refused, challenge(request) if refused.status == 401 else None)
    return JSONResponse({"message": "changed", "code": 200})


_CHANGE = Operation(
    "Reports",
    "Say anew who may see a build.",
    {JSON: OBJECT},
    errors=(
        *OF_EVERY_WRITE, Code.BUILD_UNKNOWN, Code.BUILD_NOT_YOURS, Code.GROUP_UNKNOWN,
        Code.VISIBILITY_INVALID,
    ),
    bodies={
        JSON: {
            "type": "object",
            "required": ["visibility"],
            "properties": {
                "visibility": {"enum": [one.value for one in Visibility]},
                "group": {"type": ["string", "null"]},
            },
        }
    },
    security=("bearer",),
)  # fmt: skip
routes = [RestRoute("/api/builds/{id:int}/visibility", post, _CHANGE, methods=["POST"])]


def _wanted(document: dict[str, Any]) -> tuple[Visibility, str | None]:
    name, group = document.get("visibility"), document.get("group")
    if not isinstance(name, str) or name not in Visibility.__members__:
        raise Refused(Code.FIELD_INVALID, f"`visibility` must be one of {', '.join(Visibility)}")
    if group is not None and (not isinstance(group, str) or "\0" in group):
        raise Refused(Code.FIELD_INVALID, "`group` must be a string without NUL, or null")
    return Visibility[name], group
