"""What `spack ci` asks of a CDash beside uploads: it registers a build, relates builds, makes groups of them.

Spack 0.13 to 0.17 fail the job of a pipeline that gets no answer. They send no token along with a
registration or a relation: without one nothing is stored, and the answer has a number that is nobody's.
Relations stand in the specs themselves and groups in the build names, so that there is nothing to store.
Source: `spack.ci` in these Spacks and in 1.2, and the answers of CDash 3.1.
"""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spackmon.errors import Code, Refused
from spackmon.formats.bytes.json_body import read_json
from spackmon.formats.reports.cdash import read_registration
from spackmon.http.body import discard_body, read_body
from spackmon.http.negotiation import JSON
from spackmon.http.operations import OBJECT, OF_EVERY_WRITE, Operation, RestRoute
from spackmon.http.services import Services
from spackmon.http.token_exchange import challenge
from spackmon.ingest import store
from spackmon.ingest.receipts import InstallReceipt, Receipt

_FORM = "application/x-www-form-urlencoded"
_MAXIMUM_BYTES = 1 << 20
_MAXIMUM_FIELDS = 50
_NOBODYS = "0"
_ANY_GROUP = 1


async def add_build(request: Request[Services]) -> Response:
    """`POST /api/v1/addBuild.php`: 201 and the number of a new build, 200 and that of one that is known."""
    try:
        if "authorization" not in request.headers and not request.state.settings.disable_authentication:
            await _fields(request)
            return JSONResponse({"buildid": _NOBODYS})
        sender = await _admitted(request)
        report = read_registration(await _fields(request))
        projects = request.state.settings.cdash_projects
        if projects and report.tags[0] not in projects:
            raise Refused(Code.PROJECT_UNKNOWN, "Valid project required", status=400)
        receipt: Receipt = await request.state.database.write_held(
            lambda connection: store.apply(connection, report, sender)
        )
    except Refused as refused:
        return _refusal(request, refused)
    assert isinstance(receipt, InstallReceipt)  # noqa: S101 -- what an InstallReport always gives
    return JSONResponse({"buildid": str(receipt.build_id)}, 201 if receipt.build_created else 200)


async def relate_builds(request: Request[Services]) -> Response:
    """`POST /api/v1/relateBuilds.php`: what depends on what is known from the specs."""
    try:
        return JSONResponse(await _fields(request))
    except Refused as refused:
        return _refusal(request, refused)


async def build_group(request: Request[Services]) -> Response:
    """`POST` and `PUT /api/v1/buildgroup.php`: a group is the last part of a build's name."""
    try:
        if "authorization" in request.headers:
            await _admitted(request)
        fields = await _fields(request)
    except Refused as refused:
        return _refusal(request, refused)
    return JSONResponse({"id": _ANY_GROUP, "name": fields.get("newbuildgroup")})


def _of_ci(summary: str, statuses: tuple[int, ...] = (200,)) -> Operation:
    return Operation(
        "CDash", summary, {JSON: OBJECT}, errors=OF_EVERY_WRITE, statuses=statuses,
        refusals={JSON: {"type": "object", "required": ["error"]}},
        bodies={JSON: OBJECT, _FORM: OBJECT}, security=("", "bearer"),
    )  # fmt: skip


_ADD, _RELATE, _GROUP = (
    _of_ci("Register a build of `spack ci`.", (200, 201)),
    _of_ci("Relate two builds of `spack ci`; nothing is stored."),
    _of_ci("Make a group of builds of `spack ci`; nothing is stored."),
)
routes = [
    RestRoute("/api/v1/addBuild.php", add_build, _ADD, methods=["POST"]),
    RestRoute("/api/v1/relateBuilds.php", relate_builds, _RELATE, methods=["POST"]),
    RestRoute("/api/v1/buildgroup.php", build_group, _GROUP, methods=["POST", "PUT"]),
]


async def _admitted(request: Request[Services]) -> int:
    try:
        sender = await request.state.gate.admit(request.headers.get("authorization"))
    except Refused:
        await discard_body(request)
        raise
    return sender.person_id


async def _fields(request: Request[Services]) -> dict[str, Any]:
    """What was sent, as JSON or as a form."""
    body = await read_body(request, _MAXIMUM_BYTES)
    if _FORM not in request.headers.get("content-type", ""):
        return read_json(body)
    try:
        return dict(parse_qsl(str(body, "utf-8", "replace"), max_num_fields=_MAXIMUM_FIELDS))
    except ValueError:
        raise Refused(Code.CDASH_INVALID, "the form has too many fields") from None


def _refusal(request: Request[Services], refused: Refused) -> Response:
    headers = challenge(request) if refused.status == 401 else None
    return JSONResponse({"error": refused.sentence}, refused.status, headers)
